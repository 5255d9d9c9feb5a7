"""``riskwatch silences add | list | end``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from riskwatch.cli.app import app
from riskwatch.cli.commands.casework import By, ByGrade, ByHazard, ByModel, ByProduct, ByRegion, DryRun
from riskwatch.cli.commands.common import AsOf, Json, day, login, open_project
from riskwatch.cli.output import print_json, print_table

group = typer.Typer(no_args_is_help=True, help="Warnings that are known and need not be read again until a day.")
app.add_typer(group, name="silences")


@group.command()
def add(
    context: typer.Context,
    by: By,
    until: Annotated[str, typer.Option(help="Last day, YYYY-MM-DD; there is a longest (config/lifecycle.yaml, silences).")],
    reason: Annotated[str, typer.Option(help="Why, in words.")],
    grade: ByGrade = "",
    product: ByProduct = "",
    region: ByRegion = "",
    hazard: ByHazard = "",
    model: ByModel = "",
    dry_run: DryRun = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Add a silence: what matches leaves the digest's list until the day, unless it worsens. All that is given must hold.

    Example: riskwatch silences add --product P06 --region 220200 --until 2026-01-31 --by jilin-city-head --reason "known recall"
    """
    from riskwatch.casework.silences import Matcher  # noqa: PLC0415 - heavy, and --help must stay quick
    from riskwatch.runner import casework  # noqa: PLC0415

    last = day(until)
    if last is None:
        raise typer.BadParameter("--until is needed")
    matcher = Matcher(product=product, region=region, hazard=hazard, model=model, grade=grade)
    with open_project(context).context(as_of=day(as_of)) as ctx:
        casework.check_login(ctx, by, login())
        silence, matched = casework.add(ctx, matcher, until=last, reason=reason, actor=by, dry_run=dry_run)
    if as_json:
        print_json({**asdict(silence), "matches": matched, "dry_run": dry_run})
        return
    would = "would be added" if dry_run else "added"
    sys.stdout.write(f"silence {silence.silence_id} {would}: {silence.matcher.told()}, until {silence.ends_on}\n")
    sys.stdout.write(f"matches {len(matched)} open warnings now" + (f": {', '.join(matched)}\n" if matched else "\n"))


@group.command("list")
def list_silences(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """List silences in force, with each warning that they hide or hid, since when, and why it was shown again.

    Example: riskwatch silences list --all
    """
    from riskwatch.runner.case_tables import silence_frame  # noqa: PLC0415

    with open_project(context).context(as_of=day(as_of)) as ctx:
        frame = silence_frame(ctx, every=every)
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    if as_json:
        print_json([{**row, "hid": [asdict(one) for one in row["hid"]]} for row in rows])
    elif not rows:
        sys.stdout.write("no silence\n")
    for row in () if as_json else rows:
        over = f", ended {row['ended_on']}" if row["ended_on"] else "" if row["in_force"] else ", over"
        sys.stdout.write(f"{row['silence_id']}  {row['matcher']}  {row['starts_on']} to {row['ends_on']}{over}\n")
        sys.stdout.write(f"  by {row['author']}: {row['reason']}\n")
        if row["hid"]:
            print_table(("warning_id", "hidden since", "shown again", "why"), [tuple(asdict(one).values()) for one in row["hid"]])
        else:
            sys.stdout.write("  has hidden nothing\n")


@group.command()
def end(
    context: typer.Context,
    silence_id: Annotated[str, typer.Argument(help="The id, or an unambiguous start of it.")],
    by: By,
    reason: Annotated[str, typer.Option(help="Why, in words.")] = "",
    as_of: AsOf = None,
) -> None:
    """End a silence before its day.

    Example: riskwatch silences end 77aa --by jilin-city-head
    """
    from riskwatch.runner import casework  # noqa: PLC0415

    with open_project(context).context(as_of=day(as_of)) as ctx:
        casework.check_login(ctx, by, login())
        silence = casework.end(ctx, silence_id, actor=by, note=reason)
    sys.stdout.write(f"silence {silence.silence_id} ended on {silence.ended_on}\n")
