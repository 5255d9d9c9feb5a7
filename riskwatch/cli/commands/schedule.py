"""``riskwatch serve | status | schedule list | next | run-now | pause | resume``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from riskwatch.cli.app import Globals, app
from riskwatch.cli.commands.common import Json, open_project
from riskwatch.cli.output import print_json, print_table, reporter

if TYPE_CHECKING:
    from riskwatch.scheduling.worker import Outcome

group = typer.Typer(no_args_is_help=True, help="See when pipelines run, run one now, let one rest.")
app.add_typer(group, name="schedule")

Pipeline = Annotated[str, typer.Argument(help="Pipeline (see pipelines/).")]


@app.command()
def serve(
    context: typer.Context,
    scheduler: Annotated[bool, typer.Option("--scheduler", help="Run pipelines at their times.")] = False,
    metrics_port: Annotated[int | None, typer.Option(min=0, max=65535, help="Answer Prometheus on this port; 0 takes a free one.")] = None,
    metrics_host: Annotated[str, typer.Option(help="Address for --metrics-port; 0.0.0.0 opens it to the network.")] = "127.0.0.1",
    log_file: Annotated[Path | None, typer.Option(help="Append the log (JSON lines) to this file, not to standard error.")] = None,
) -> None:
    """Serve until SIGTERM: run pipelines at their times, catch up with missed days, try failed runs again.

    A run in hand may end within stop_grace_seconds (config/schedule.yaml); after that it is given back, and the next start goes on there.

    Example: riskwatch serve --scheduler --metrics-port 9464
    """
    if not scheduler:
        raise typer.BadParameter("nothing to serve: give --scheduler")
    from riskwatch.project import find_project  # noqa: PLC0415
    from riskwatch.scheduling.logs import configure_logs, log  # noqa: PLC0415
    from riskwatch.scheduling.metrics import Metrics  # noqa: PLC0415
    from riskwatch.scheduling.projects import Place  # noqa: PLC0415
    from riskwatch.scheduling.service import Service  # noqa: PLC0415

    options: Globals = context.obj
    configure_logs(file=log_file)
    metrics = Metrics()
    service = Service(Place(find_project(options.project), options.profile, options.settings), metrics)
    if metrics_port is not None:
        port = metrics.serve(metrics_port, metrics_host)
        log.info("metrics served", host=metrics_host, port=port)
    try:
        service.run()
    finally:
        metrics.close()


@app.command()
def status(
    context: typer.Context,
    scheduler: Annotated[bool, typer.Option("--scheduler", help="Only say, by the exit code, whether a scheduler lives.")] = False,
    as_json: Json = False,
) -> None:
    """Say how the project stands: schedulers, pipelines, sources, open warnings, outbox.

    Ends with 1 if a scheduler is missed, a time was given up or waits for too long, a run was interrupted, or a message is undeliverable.
    A silent source is shown here, and reported by doctor and in the digests.

    Example: riskwatch status --json | jq .problems
    """
    from riskwatch.scheduling.status import status_of  # noqa: PLC0415

    project = open_project(context)
    with project.store() as store:
        found = status_of(project, store, project.clock())
    if as_json:
        print_json({**asdict(found), "ok": not found.problems})
    elif not scheduler:
        for entry in found.schedulers:
            sys.stdout.write(
                f"scheduler {entry.holder}: {'alive' if entry.alive else 'dead'}, last heard {entry.silent_seconds:.0f} s ago\n"
            )
        if not found.schedulers:
            sys.stdout.write("scheduler none\n")
        print_table(
            ("pipeline", "schedule", "next", "last run", "state", "last day", "waits", "given up"),
            [
                (p.pipeline, p.schedule, "paused" if p.paused else p.next, p.run_id, p.run_state, p.last_day, len(p.open), len(p.failed))
                for p in found.pipelines
            ],
        )
        columns = ("source", "state", "newest event", "age in days", "failures in a row", "quarantine")
        rows = [(s.source, s.state, s.newest_event, s.age_days, s.failures, s.open_quarantine) for s in found.sources]
        print_table(columns, rows)
        sys.stdout.write("open warnings  " + ", ".join(f"{count} {grade}" for grade, count in found.warnings.items()) + "\n")
        if found.outbox is not None:
            sys.stdout.write(
                "outbox  " + (", ".join(f"{count} {state}" for state, count in sorted(found.outbox.items())) or "empty") + "\n"
            )
        silent = sum(source.state == "silent" for source in found.sources)
        well = f"nothing fails; {silent} sources are silent, which is not an all clear (riskwatch doctor)\n" if silent else "all well\n"
        sys.stdout.write("".join(f"PROBLEM  {problem}\n" for problem in found.problems) or well)
    raise typer.Exit(int(not found.scheduler_alive) if scheduler else int(bool(found.problems)))


@group.command("list")
def list_schedules(
    context: typer.Context,
    number: Annotated[int, typer.Option("-n", min=0, help="How many past times to list.")] = 10,
    as_json: Json = False,
) -> None:
    """List pipelines with their schedules, and the newest times with what became of them.

    Example: riskwatch schedule list -n 30 --json
    """
    from riskwatch.scheduling.status import coming  # noqa: PLC0415
    from riskwatch.store.occurrences import recent_occurrences  # noqa: PLC0415
    from riskwatch.store.schedules import read_schedule  # noqa: PLC0415

    project = open_project(context)
    now = project.clock()
    rows = []
    with project.store() as store:
        for name, definition in project.definitions.pipelines.items():
            state = read_schedule(store.database, name)
            times = coming(project, name, now, 1)
            rows.append(
                {
                    "pipeline": name,
                    "schedule": definition.schedule,
                    "jitter_seconds": definition.jitter_seconds,
                    "next": times[0].isoformat(timespec="seconds") if times else None,
                    "paused_at": None if state is None or state.paused_at is None else state.paused_at.isoformat(timespec="seconds"),
                    "counted_from": None if state is None else state.counted_from.isoformat(timespec="seconds"),
                }
            )
        past = recent_occurrences(store.database, limit=number) if number else []
    zone = project.definitions.settings.timezone
    if as_json:
        print_json({"timezone": zone, "pipelines": rows, "occurrences": past})
        return
    print_table(tuple(rows[0]) if rows else ("pipeline",), [tuple(row.values()) for row in rows], title=f"times in {zone}")
    if past:
        columns = ("pipeline", "time", "day", "state", "starts", "failures", "covers", "message")
        local = [(o, o.scheduled_for.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")) for o in past]
        print_table(columns, [(o.pipeline, at, o.as_of, o.state, o.attempts, o.failures, o.covers, o.message) for o, at in local])


@group.command("next")
def next_times(
    context: typer.Context,
    pipeline: Annotated[str | None, typer.Argument(help="Pipeline; default: all that have a schedule.")] = None,
    number: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many times of each.")] = 5,
    as_json: Json = False,
) -> None:
    """Print the coming times in the project's zone, clock changes and jitter taken in.

    Example: riskwatch schedule next daily -n 7
    """
    from riskwatch.scheduling.status import coming  # noqa: PLC0415
    from riskwatch.scheduling.worker import scheduled  # noqa: PLC0415

    project = open_project(context)
    names = [project.pipeline(pipeline).name] if pipeline else scheduled(project)
    rows = [(at, name) for name in names for at in coming(project, name, project.clock(), number)]
    listed = [(name, at.isoformat(timespec="seconds"), at.strftime("%a")) for at, name in sorted(rows)]
    if as_json:
        print_json([{"pipeline": name, "time": at} for name, at, _ in listed])
    else:
        print_table(("pipeline", "time", "day"), listed)


@group.command("run-now")
def run_now(
    context: typer.Context,
    pipeline: Pipeline,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for another run to end.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Run a pipeline now: what it missed, or what waits to be tried again; if nothing does, one run for this moment.

    It goes through the same claim as the scheduler, so that both never do one time twice. A paused pipeline runs too. Ends as `run` does.

    Example: riskwatch schedule run-now daily --wait 600
    """
    from riskwatch.scheduling.worker import run_now as run_pipeline_now  # noqa: PLC0415

    options: Globals = context.obj
    project = open_project(context)
    with reporter(quiet=options.quiet) as progress:
        outcomes = run_pipeline_now(project, pipeline, wait_seconds=wait, reporter=progress)
    rows = [_row(outcome) for outcome in outcomes]
    if as_json:
        print_json(rows)
    else:
        print_table(tuple(rows[0]), [tuple(row.values()) for row in rows])
    raise typer.Exit(max(outcome.exit_code for outcome in outcomes))


def _row(outcome: Outcome) -> dict[str, object]:
    found = outcome.occurrence
    return {
        "pipeline": found.pipeline,
        "time": found.scheduled_for.isoformat(timespec="seconds"),
        "as_of": str(found.as_of),
        "state": outcome.state,
        "run_id": None if outcome.report is None else outcome.report.run_id,
        "quiet": found.quiet,
        "catch_up_from": None if found.catch_up_from is None else str(found.catch_up_from),
        "seconds": round(outcome.seconds, 1),
        "message": outcome.message,
    }


@group.command()
def pause(context: typer.Context, pipeline: Pipeline, as_json: Json = False) -> None:
    """Let a pipeline rest, on every scheduler of this project, until it is resumed. A run in hand ends as it would.

    Example: riskwatch schedule pause daily
    """
    from riskwatch.store.lease import this_process  # noqa: PLC0415
    from riskwatch.store.schedules import pause as pause_schedule  # noqa: PLC0415

    project = open_project(context)
    name = project.pipeline(pipeline).name
    with project.store() as store:
        changed = pause_schedule(store.database, name, by=this_process("schedule pause"), now=project.clock())
    _tell(name, "paused" if changed else "paused already", changed=changed, as_json=as_json)


@group.command()
def resume(
    context: typer.Context,
    pipeline: Pipeline,
    skip_missed: Annotated[
        bool, typer.Option("--skip-missed", help="Forget the times that it missed; default: catch up with them.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Let a paused pipeline go on; what it missed is caught up with, as of its days, and told in one digest.

    Example: riskwatch schedule resume daily
    """
    from riskwatch.store.schedules import resume as resume_schedule  # noqa: PLC0415

    project = open_project(context)
    name = project.pipeline(pipeline).name
    with project.store() as store:
        changed = resume_schedule(store.database, name, now=project.clock(), skip_missed=skip_missed)
    _tell(name, "goes on" if changed else "was not paused", changed=changed, as_json=as_json)


def _tell(pipeline: str, text: str, *, changed: bool, as_json: bool) -> None:
    if as_json:
        print_json({"pipeline": pipeline, "changed": changed})
    else:
        sys.stdout.write(f"{pipeline}: {text}\n")
