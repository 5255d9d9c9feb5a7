"""``riskwatch warnings ack | assign | comment | confirm | regrade | act | recheck | close | reopen | merge | precision``."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Annotated

import typer

from riskwatch.cli.commands.common import AsOf, Json, day, login, open_project
from riskwatch.cli.commands.warnings import group
from riskwatch.cli.output import plain_rows, print_json, print_table

Ids = Annotated[list[str] | None, typer.Argument(help="Warnings by id, or an unambiguous start of it; none: as the filter says.")]
By = Annotated[str, typer.Option("--by", help="Who acts: a desk or post of config/lifecycle.yaml.", envvar="RISKWATCH_ACTOR")]
Note = Annotated[str, typer.Option("--note", "--reason", help="Why, in words; what identifies persons or firms is taken out.")]
ByGrade = Annotated[str, typer.Option("--grade", help="Filter: level that stands, I to IV.")]
ByProduct = Annotated[str, typer.Option("--product", help="Filter: product code, with all below it.")]
ByRegion = Annotated[str, typer.Option("--region", help="Filter: region code, with all below it.")]
ByHazard = Annotated[str, typer.Option("--hazard", help="Filter: hazard class.")]
ByModel = Annotated[str, typer.Option("--model", help="Filter: model whose alarms it rests on.")]
ByState = Annotated[str, typer.Option("--state", help="Filter: the machine's state, for example eased.")]
ByStage = Annotated[str, typer.Option("--stage", help="Filter: stage of the case, for example monitor.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, store nothing.")]


def _filters(grade: str, product: str, region: str, hazard: str, model: str, state: str, stage: str) -> dict[str, str]:
    named = {"grade": grade, "product": product, "region": region, "hazard": hazard, "model": model, "state": state, "stage": stage}
    if grade not in {"", "I", "II", "III", "IV"}:
        raise typer.BadParameter(f"--grade is I, II, III or IV, got {grade!r}")
    return named


def _act(
    context: typer.Context,
    verb: str,
    ids: list[str] | None,
    filters: dict[str, str],
    *,
    by: str,
    dry_run: bool,
    as_json: bool,
    as_of: str | None,
    note: str = "",
    until: dt.date | None = None,
    to: str = "",
    result: str = "",
    reason: str = "",
) -> None:
    """Do it, or say what would be done, and print one line per case."""
    from riskwatch.casework.verbs import Request  # noqa: PLC0415 - heavy, and --help must stay quick
    from riskwatch.runner.casework import Selection, act_on, check_login  # noqa: PLC0415

    project = open_project(context)
    with project.context(as_of=day(as_of)) as ctx:
        check_login(ctx, by, login())
        request = Request(verb, by, ctx.as_of, "", note=note, until=until, to=to, result=result, reason=reason)
        done = act_on(ctx, Selection(ids=tuple(ids or ()), **filters), request, dry_run=dry_run)
    if as_json:
        print_json([{**dict(one.event.details), "warning_id": one.case_id, "verb": verb, "by": by, "dry_run": dry_run} for one in done])
        return
    rows = [(one.case_id, one.stage_before, one.stage, "yes" if one.effective else "not yet", one.signatures) for one in done]
    print_table(("warning_id", "stage before", "stage", "effective", "signatures"), rows)
    sys.stdout.write(f"{len(done)} {'would be ' if dry_run else ''}done\n")


@group.command()
def ack(
    context: typer.Context,
    by: By,
    ids: Ids = None,
    until: Annotated[str | None, typer.Option(help="Until when, YYYY-MM-DD; default and longest: as the level allows.")] = None,
    note: Note = "",
    grade: ByGrade = "",
    product: ByProduct = "",
    region: ByRegion = "",
    hazard: ByHazard = "",
    model: ByModel = "",
    state: ByState = "",
    stage: ByStage = "",
    dry_run: DryRun = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Acknowledge: someone has read it and looks into it (签收). It expires.

    Example: riskwatch warnings ack --grade IV --region 220200 --by jilin-city-duty --dry-run
    """
    chosen = _filters(grade, product, region, hazard, model, state, stage)
    _act(context, "ack", ids, chosen, by=by, dry_run=dry_run, as_json=as_json, as_of=as_of, note=note, until=day(until))


@group.command()
def assign(
    context: typer.Context,
    by: By,
    to: Annotated[str, typer.Option(help="Desk or post that takes it on.")],
    ids: Ids = None,
    note: Note = "",
    grade: ByGrade = "",
    product: ByProduct = "",
    region: ByRegion = "",
    hazard: ByHazard = "",
    model: ByModel = "",
    state: ByState = "",
    stage: ByStage = "",
    dry_run: DryRun = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Assign to a desk or post (交办).

    Example: riskwatch warnings assign 3f2a --to changchun-analyst --by changchun-head
    """
    chosen = _filters(grade, product, region, hazard, model, state, stage)
    _act(context, "assign", ids, chosen, by=by, dry_run=dry_run, as_json=as_json, as_of=as_of, note=note, to=to)


@group.command()
def comment(
    context: typer.Context,
    by: By,
    note: Note,
    ids: Ids = None,
    grade: ByGrade = "",
    product: ByProduct = "",
    region: ByRegion = "",
    hazard: ByHazard = "",
    model: ByModel = "",
    state: ByState = "",
    stage: ByStage = "",
    dry_run: DryRun = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Add a note (批注); names, numbers, firms and addresses in it are taken out before it is stored.

    Example: riskwatch warnings comment 3f2a --by jilin-analyst --note "two more reports, same lot"
    """
    chosen = _filters(grade, product, region, hazard, model, state, stage)
    _act(context, "comment", ids, chosen, by=by, dry_run=dry_run, as_json=as_json, as_of=as_of, note=note)


@group.command()
def confirm(
    context: typer.Context,
    by: By,
    ids: Ids = None,
    note: Note = "",
    grade: ByGrade = "",
    product: ByProduct = "",
    region: ByRegion = "",
    hazard: ByHazard = "",
    model: ByModel = "",
    state: ByState = "",
    stage: ByStage = "",
    dry_run: DryRun = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Confirm what the stage asks: the facts (核实), the level (研判; I and II by two), the approval (审批).

    Example: riskwatch warnings confirm 3f2a --by jilin-analyst
    """
    chosen = _filters(grade, product, region, hazard, model, state, stage)
    _act(context, "confirm", ids, chosen, by=by, dry_run=dry_run, as_json=as_json, as_of=as_of, note=note)


@group.command()
def regrade(
    context: typer.Context,
    by: By,
    to: Annotated[str, typer.Option(help="Level I, II, III or IV.")],
    note: Note,
    ids: Ids = None,
    grade: ByGrade = "",
    product: ByProduct = "",
    region: ByRegion = "",
    hazard: ByHazard = "",
    model: ByModel = "",
    state: ByState = "",
    stage: ByStage = "",
    dry_run: DryRun = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Decide on another level (定级): it stands until the machine proposes a worse one than today.

    Example: riskwatch warnings regrade 3f2a --to III --by jilin-analyst --note "one lot only, withdrawn"
    """
    chosen = _filters(grade, product, region, hazard, model, state, stage)
    _act(context, "regrade", ids, chosen, by=by, dry_run=dry_run, as_json=as_json, as_of=as_of, note=note, to=to)


@group.command()
def act(
    context: typer.Context,
    by: By,
    note: Note,
    ids: Ids = None,
    grade: ByGrade = "",
    product: ByProduct = "",
    region: ByRegion = "",
    hazard: ByHazard = "",
    model: ByModel = "",
    state: ByState = "",
    stage: ByStage = "",
    dry_run: DryRun = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Record a measure that was taken (处置).

    Example: riskwatch warnings act 3f2a --by changchun-duty --note "order to correct served"
    """
    chosen = _filters(grade, product, region, hazard, model, state, stage)
    _act(context, "act", ids, chosen, by=by, dry_run=dry_run, as_json=as_json, as_of=as_of, note=note)


@group.command()
def recheck(
    context: typer.Context,
    by: By,
    ids: Ids = None,
    result: Annotated[str, typer.Option(help="passed or failed; left out: a recheck is ordered.")] = "",
    note: Note = "",
    grade: ByGrade = "",
    product: ByProduct = "",
    region: ByRegion = "",
    hazard: ByHazard = "",
    model: ByModel = "",
    state: ByState = "",
    stage: ByStage = "",
    dry_run: DryRun = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Order a recheck, or record its result (复查); a failed one goes back to handling.

    Example: riskwatch warnings recheck 3f2a --by changchun-duty --result passed
    """
    if result not in {"", "passed", "failed"}:
        raise typer.BadParameter(f"--result is passed or failed, got {result!r}")
    chosen = _filters(grade, product, region, hazard, model, state, stage)
    _act(context, "recheck", ids, chosen, by=by, dry_run=dry_run, as_json=as_json, as_of=as_of, note=note, result=result)


@group.command()
def close(
    context: typer.Context,
    by: By,
    reason: Annotated[str, typer.Option(help="Coded: true, false-alarm, artefact, duplicate, known-issue, no-action.")],
    ids: Ids = None,
    note: Annotated[str, typer.Option(help="Closing note, in words.")] = "",
    grade: ByGrade = "",
    product: ByProduct = "",
    region: ByRegion = "",
    hazard: ByHazard = "",
    model: ByModel = "",
    state: ByState = "",
    stage: ByStage = "",
    dry_run: DryRun = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Close with a coded reason (销号; I and II by two). One that worsens is opened again.

    Example: riskwatch warnings close --grade IV --state eased --region 220200 --by jilin-city-head --reason no-action --dry-run
    """
    chosen = _filters(grade, product, region, hazard, model, state, stage)
    _act(context, "close", ids, chosen, by=by, dry_run=dry_run, as_json=as_json, as_of=as_of, note=note, reason=reason)


@group.command()
def reopen(
    context: typer.Context,
    by: By,
    note: Note,
    ids: Ids = None,
    grade: ByGrade = "",
    product: ByProduct = "",
    region: ByRegion = "",
    hazard: ByHazard = "",
    model: ByModel = "",
    state: ByState = "",
    stage: ByStage = "",
    dry_run: DryRun = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Open a closed case again (重启).

    Example: riskwatch warnings reopen 3f2a --by jilin-head --note "new reports"
    """
    chosen = _filters(grade, product, region, hazard, model, state, stage)
    _act(context, "reopen", ids, chosen, by=by, dry_run=dry_run, as_json=as_json, as_of=as_of, note=note)


@group.command()
def merge(
    context: typer.Context,
    by: By,
    into: Annotated[str, typer.Option(help="Warning that goes on with it.")],
    ids: Ids = None,
    note: Note = "",
    grade: ByGrade = "",
    product: ByProduct = "",
    region: ByRegion = "",
    hazard: ByHazard = "",
    model: ByModel = "",
    state: ByState = "",
    stage: ByStage = "",
    dry_run: DryRun = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Merge into another warning (并案): closed as a duplicate of it.

    Example: riskwatch warnings merge 3f2a --into 91bc --by jilin-head
    """
    chosen = _filters(grade, product, region, hazard, model, state, stage)
    _act(context, "merge", ids, chosen, by=by, dry_run=dry_run, as_json=as_json, as_of=as_of, note=note, to=into)


@group.command()
def precision(context: typer.Context, as_of: AsOf = None, as_json: Json = False) -> None:
    """Say how many closed warnings were right, by model and level, with a 95% interval (Wilson).

    Example: riskwatch warnings precision
    """
    import pandas as pd  # noqa: PLC0415 - heavy, and --help must stay quick

    from riskwatch.runner.case_tables import precision_frame  # noqa: PLC0415

    with open_project(context).context(as_of=day(as_of)) as ctx:
        frame = precision_frame(ctx)
    if as_json:
        print_json(plain_rows(frame))
    elif frame.empty:
        sys.stdout.write("no case has been closed\n")
    else:
        shares = ("precision", "lower", "upper")
        told = frame.assign(**{name: ["" if pd.isna(share) else f"{share:.0%}" for share in frame[name]] for name in shares})
        print_table(list(told.columns), told.to_numpy().tolist())
