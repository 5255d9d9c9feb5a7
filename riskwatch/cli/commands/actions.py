"""``riskwatch actions list | explain | cases | emergency``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from riskwatch.cli.app import app
from riskwatch.cli.commands.common import AsOf, Json, day, open_project
from riskwatch.cli.output import print_json, print_table, print_text

group = typer.Typer(
    no_args_is_help=True,
    help="What should be done, by whom, by when, on which law. All is proposed: persons decide. The catalogue is config/actions.yaml, "
    "the ladders config/ladders.yaml, the emergency response config/emergency.yaml.",
)
app.add_typer(group, name="actions")

Language = Annotated[str, typer.Option("--language", "--lang", help="zh or en.")]


def _one_of(value: str, known: tuple[str, ...], option: str) -> str:
    if value and value not in known:
        raise typer.BadParameter(f"{option} takes one of {', '.join(known)}, got {value!r}")
    return value


@group.command("list")
def list_actions(
    context: typer.Context,
    grade: Annotated[str, typer.Option(help="Only this grade: I, II, III or IV.")] = "",
    kind: Annotated[str, typer.Option("--object", help="Only enterprise, product, industry, region or reporting.")] = "",
    stage: Annotated[str, typer.Option(help="Only monitor, verify, assess, approve, handle, recheck, close or evaluate.")] = "",
    domain: Annotated[str, typer.Option(help="Only what applies to these goods, for example food; with what applies to all.")] = "",
    clocks: Annotated[bool, typer.Option("--clocks", help="The clocks that the law starts by an event, whatever the grade.")] = False,
    as_json: Json = False,
) -> None:
    """Print the catalogue of measures. `(unverified)`: the text of the provision was not read; look it up before you rely on it.

    Example: riskwatch actions list --grade II --object product --domain food
    """
    from riskwatch.runner.actions import catalogue_rows  # noqa: PLC0415

    with open_project(context).context() as ctx:
        _one_of(grade, ("I", "II", "III", "IV"), "--grade")
        _one_of(kind, tuple(ctx.actions.objects), "--object")
        _one_of(stage, tuple(ctx.actions.stages), "--stage")
        _one_of(domain, tuple(sorted(ctx.actions.known_domains)), "--domain")
        if grade and clocks:
            raise typer.BadParameter("--clocks run whatever the grade: leave out --grade")
        rows = catalogue_rows(ctx, grade=grade, kind=kind, stage=stage, domain=domain, clocks=clocks)
    if as_json:
        print_json(rows)
    elif not rows:
        sys.stdout.write("no measure fits\n")
    else:
        print_table(list(rows[0]), [list(row.values()) for row in rows])


@group.command()
def explain(
    context: typer.Context,
    warning_id: Annotated[str, typer.Argument(metavar="WARNING", help="The id, or an unambiguous start of it.")],
    language: Language = "en",
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Say what is proposed for a warning, stage by stage, and why: owner, clock with the days it skips, law, rule, ladder, response.

    Clocks start on the day of the assessment where they start with the proposal or its confirmation; all others have a day once their event
    has happened. --json holds both languages.

    Example: riskwatch actions explain 3f2a --lang zh
    """
    from riskwatch.runner.actions import explain_actions  # noqa: PLC0415

    _one_of(language, ("zh", "en"), "--language")
    with open_project(context).context(as_of=day(as_of)) as ctx:
        story = explain_actions(ctx, warning_id)
    if as_json:
        print_json(story.data)
    else:
        print_text(story.text(language))


@group.command()
def cases(
    context: typer.Context,
    verdict: Annotated[str, typer.Option(help="Only warnings whose cases say closes, escalates or open.")] = "",
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Say for each open warning where its orders to correct stand, and whether that closes or escalates it. Counts, no enterprises.

    One case that escalates, escalates the warning; only all cases together close it.

    Example: riskwatch actions cases --verdict escalates
    """
    from riskwatch.runner.actions import cases_of_warnings  # noqa: PLC0415

    _one_of(verdict, ("closes", "escalates", "open"), "--verdict")
    with open_project(context).context(as_of=day(as_of)) as ctx:
        rows = [row for row in cases_of_warnings(ctx) if not verdict or row["verdict"] == verdict]
    if as_json:
        print_json(rows)
    elif not rows:
        sys.stdout.write("no open warning has such cases\n")
    else:
        shown = [{**row, "steps": ", ".join(f"{step} {number}" for step, number in row["steps"].items())} for row in rows]
        print_table(list(shown[0]), [list(row.values()) for row in shown])


@group.command()
def emergency(
    context: typer.Context,
    deaths: Annotated[int, typer.Option(min=0, help="Dead.")] = 0,
    serious: Annotated[int, typer.Option(min=0, help="Seriously injured.")] = 0,
    hurt: Annotated[int, typer.Option(min=0, help="Injured of any severity.")] = 0,
    loss: Annotated[float, typer.Option(min=0, help="Direct loss in yuan.")] = 0.0,
    provinces: Annotated[int, typer.Option(min=1, help="Provinces concerned.")] = 1,
    domain: Annotated[str, typer.Option(help="Goods, for example food or general; empty: every scheme.")] = "",
    as_json: Json = False,
) -> None:
    """Say what level an event is, by which scheme, who is to be called by when and what is done first. A government declares, not this.

    Example: riskwatch actions emergency --deaths 3 --hurt 12 --domain food
    """
    from riskwatch.assessment.emergency import Event, Response, event_levels, response_payload  # noqa: PLC0415
    from riskwatch.runner.actions import emergency_rules  # noqa: PLC0415

    with open_project(context).context() as ctx:
        rules, known = emergency_rules(ctx), tuple(sorted(ctx.actions.known_domains))
    _one_of(domain, known, "--domain")
    if rules is None:
        raise typer.BadParameter("the project has no config/emergency.yaml; `riskwatch init DIR` writes one to copy from")
    met = event_levels(Event(deaths, serious, hurt, loss, provinces), rules, domain or None)
    if not met:
        print_json(None) if as_json else sys.stdout.write("below every threshold: no level\n")
        return
    payload = response_payload(Response("event", met[0].level, met), rules)
    contacts = {name: role.contact.model_dump() for name, role in rules.roles.items()}
    calls = [{**one, **contacts[one["role"]]} for one in payload["calls"]]
    if as_json:
        print_json({**payload, "calls": calls})
        return
    sys.stdout.write(f"{payload['label']['zh']} {payload['label']['en']}; {payload['declared_by']['zh']} {payload['declared_by']['en']}\n")
    for one in payload["met"]:
        sys.stdout.write(
            f"{one['scheme']}: {one['figure']} {one['value']:g} >= {one['bound']:g} -> {one['level']}"
            + ("" if one["verified"] else " (unverified)")
            + "\n"
        )
    columns = ["role", "within_hours", "office", "phone", "fallback", "legal"]
    print_table(columns, [[one[name] for name in columns] for one in calls], title="calls")
    for one in payload["measures"]:
        sys.stdout.write(f"- {one['text']['zh']} {one['text']['en']} [{', '.join(one['legal'])}]\n")
