"""``riskwatch report``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from riskwatch.cli.app import Globals, app
from riskwatch.cli.commands.common import AsOf, Json, day, open_project
from riskwatch.cli.output import print_json, print_text, reporter

LANGUAGES = ("zh", "en")
FORMATS = ("html", "pdf", "docx", "json")


def _chosen(text: str | None, known: tuple[str, ...], option: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """Read a list with commas."""
    if text is None:
        return default
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    wrong = [name for name in names if name not in known]
    if wrong or not names:
        raise typer.BadParameter(f"{option} takes one or more of {', '.join(known)}, with commas between; got {text!r}")
    return names


@app.command()
def report(
    context: typer.Context,
    period: Annotated[str, typer.Option("--period", help="Month 2025-11, quarter 2025Q4 or year 2025.")],
    region: Annotated[str, typer.Option("--region", help="Jurisdiction, a region code; default: everything.")] = "",
    language: Annotated[str | None, typer.Option("--language", help="zh, en or zh,en; default: as config/report.yaml says.")] = None,
    form: Annotated[str | None, typer.Option("--format", help="Of html, pdf, docx, json; default: as config/report.yaml says.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write to; default: var/<profile>/reports.")] = None,
    explain: Annotated[
        str | None, typer.Option("--explain", help="Print where one number comes from instead: R4.2-07, or R4.2-07/ROW for a cell.")
    ] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Write the statistical analysis report on the state of quality of a month, quarter or year.

    The report is read from the store: run a pipeline first. Every number in it carries an id; --explain says where it comes from: records,
    filters, method, parameters. What has not been computed is printed as missing, with its reason.

    Example: riskwatch report --period 2025Q4 --region 220000

    Example: riskwatch report --period 2025-11 --language zh --format pdf,docx --out reports

    Example: riskwatch report --period 2025Q4 --region 220000 --explain R3.1-03
    """
    from riskwatch.reports.explain import explain_trace, find_trace  # noqa: PLC0415 - heavy, and --help must stay quick
    from riskwatch.runner.report_period import parse_period  # noqa: PLC0415
    from riskwatch.runner.reporting import make_report, read_rules, write_report  # noqa: PLC0415

    options: Globals = context.obj
    project = open_project(context)
    wanted = parse_period(period)
    with reporter(quiet=options.quiet) as progress, project.context(as_of=day(as_of), reporter=progress) as ctx:
        rules = read_rules(ctx)
        languages = _chosen(language, LANGUAGES, "--language", rules.languages)
        formats = _chosen(form, FORMATS, "--format", rules.formats)
        if explain is not None:
            made = make_report(ctx, wanted, region)
            if as_json:
                print_json(find_trace(made, explain).model_dump(mode="json"))
            else:
                print_text(explain_trace(made, explain, language=languages[0] if language else "en"))
            return
        made = make_report(ctx, wanted, region, languages=languages)
        paths = write_report(ctx, made, languages=languages, formats=formats, folder=out)
    if as_json:
        print_json(
            {"period": made.header.period, "region": region, "as_of": made.header.as_of, "numbers": len(made.traces), "files": paths}
        )
    else:
        sys.stdout.write("".join(f"{path}\n" for path in paths))
