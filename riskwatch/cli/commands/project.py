"""``riskwatch init | check | explain | simulate | doctor``."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskwatch.cli.app import Globals, app
from riskwatch.cli.commands.common import Json, day, open_project
from riskwatch.cli.output import print_json, print_table
from riskwatch.errors import DefinitionError, Problem

if TYPE_CHECKING:
    from riskwatch.api import Project


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder to make; must be empty or absent.")],
    demo_data: Annotated[bool, typer.Option(help="Also write the simulated province into FOLDER/data.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Copy into a folder that is not empty, over files of the same name.")] = False,
) -> None:
    """Make a project: models/, pipelines/ and config/ to edit, with a simulated province to try them on.

    Example: riskwatch init demo && cd demo && riskwatch check && riskwatch run daily
    """
    from riskwatch.project import init_project  # noqa: PLC0415

    init_project(folder, force=force)
    sys.stdout.write(f"project made in {folder}\n")
    if demo_data:
        _simulate(folder / "data", seed=1, scale=1.0)
    sys.stdout.write(f"next: cd {folder} && riskwatch check && riskwatch run daily\n")


def _simulate(folder: Path, *, seed: int, scale: float, end: dt.date | None = None) -> None:
    from riskwatch.datasets import simulate_province  # noqa: PLC0415

    province = simulate_province(seed=seed, scale=scale) if end is None else simulate_province(seed=seed, scale=scale, end=end)
    province.write(folder)
    sys.stdout.write(
        f"simulated data 模拟数据 in {folder / 'demo'}: {len(province.spot_checks):,} spot checks, {len(province.injuries):,} injuries, "
        f"{len(province.notices):,} notices; ground truth apart in {folder / 'demo_truth'}\n"
    )


@app.command()
def simulate(
    folder: Annotated[Path, typer.Argument(help="Data folder; files go to FOLDER/demo and FOLDER/demo_truth.")],
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 1,
    scale: Annotated[float, typer.Option(min=0.01, help="How many times the usual number of rows.")] = 1.0,
    end: Annotated[str | None, typer.Option(help="Last day, YYYY-MM-DD.")] = None,
) -> None:
    """Write the simulated province (模拟数据): five years of spot checks, injuries and notices with known hazards.

    Example: riskwatch simulate data --seed 7
    """
    _simulate(folder, seed=seed, scale=scale, end=day(end))


@app.command()
def check(
    context: typer.Context,
    test: Annotated[bool, typer.Option("--test", help="Also run the tests beside the models (tests: in models/*.yaml).")] = False,
    as_json: Json = False,
) -> None:
    """Check all definitions; print every problem as file:line:column and end with 2 if there is any.

    With --test, series such as 4x40 9 are judged and graded by the models; ends with 1 if one is not judged as its test expects.

    Sound definitions are then held against the store and the calendar: a model that asks for more history than its stream has gets a
    warning (nothing is judged until it has come), one whose covariates lack a year of holidays a problem.

    Example: riskwatch check --json
    """
    from riskwatch.definitions import check as check_definitions  # noqa: PLC0415
    from riskwatch.project import find_project  # noqa: PLC0415
    from riskwatch.sources import ADAPTERS  # noqa: PLC0415

    options: Globals = context.obj
    root = find_project(options.project)
    problems = check_definitions(root, profile=options.profile, overrides=options.settings, adapters=ADAPTERS)
    warnings: list[Problem] = []
    if not problems:
        from riskwatch.runner.outlook import outlook  # noqa: PLC0415

        project = open_project(context)
        problems, warnings = outlook(project.definitions, today=project.day())
    if as_json:
        fields = ("file", "line", "column", "message")
        listed = [(problem, "problem") for problem in problems] + [(problem, "warning") for problem in warnings]
        print_json(
            [{**{name: getattr(problem, name) for name in fields}, "severity": severity} for problem, severity in listed], internal=True
        )
    else:
        sys.stdout.write("".join(f"{problem}\n" for problem in problems))
        sys.stderr.write("".join(f"{warning} (warning)\n" for warning in warnings))
    if problems:
        raise typer.Exit(DefinitionError.exit_code)
    failed = _run_model_tests(project, as_json=as_json) if test else 0
    if not as_json:
        found = project.definitions
        sys.stdout.write(
            f"{'all well' if not warnings else f'sound, with {len(warnings)} warnings'}: {len(found.models)} models, {len(found.sources)} "
            f"sources, {len(found.pipelines)} pipelines, {len(found.centres)} centres in force for profile {found.settings.profile}\n"
        )
    if failed:
        raise typer.Exit(1)


def _run_model_tests(project: Project, *, as_json: bool) -> int:
    """Run the tests of the models in force, say what they found, and return how many failed."""
    from riskwatch.runner.model_tests import run_tests  # noqa: PLC0415 - heavy, and --help must stay quick

    verdicts = run_tests(project.definitions, project.trees)
    if as_json:
        print_json([{"test": one.test, "model": one.model, "passed": one.passed, "said": one.said} for one in verdicts], internal=True)
    for one in () if as_json else verdicts:
        sys.stdout.write(f"{'ok    ' if one.passed else 'FAILED'}  {one.model}: {one.test}\n")
        sys.stdout.write("".join(f"        {line}\n" for line in one.said))
    failed = sum(not one.passed for one in verdicts)
    if not as_json:
        sys.stdout.write(f"{len(verdicts)} tests of models, {failed} failed\n")
    return failed


@app.command()
def explain(
    context: typer.Context,
    path: Annotated[str, typer.Argument(help="Dotted path, for example models.injury-counts.parameters.alpha.")],
    product: Annotated[str, typer.Option(help="The value for this product's series of a model.")] = "",
    industry: Annotated[str, typer.Option(help="The value for this industry's series of a model.")] = "",
    region: Annotated[str, typer.Option(help="The value for this region's series of a model.")] = "",
    stratum: Annotated[str, typer.Option(help="The value for this stratum's series of a model, as in selection=random.")] = "",
    as_json: Json = False,
) -> None:
    """Print a value and where it comes from: file:line, the command line, the environment, or a built-in default.

    A model's thresholds may differ by product, industry, region and stratum (overrides): name a series to see what holds for it.

    Examples: riskwatch explain settings.database; riskwatch explain models.injury-counts.parameters.alpha --product P0302 --region 220100
    """
    project = open_project(context)
    found = project.explain_value(path, product=product, industry=industry, region=region, stratum=stratum)
    if as_json:
        print_json(found, internal=True)
    else:
        sys.stdout.write(f"{found}\n")


@app.command()
def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Look at definitions, database, disk, fonts, sources, runs, schedule, clock and mail, and say how to mend what is wrong.

    Ends with 1 if anything is wrong. Example: riskwatch doctor
    """
    from riskwatch.runner.doctor import broken_definitions, examine  # noqa: PLC0415
    from riskwatch.scheduling.status import schedule_findings  # noqa: PLC0415

    try:
        project = open_project(context)
        findings = examine(project.definitions, project.trees, today=project.day(), now=project.clock())
        if not any(found.mark == "wrong" and found.what == "database" for found in findings):
            findings += schedule_findings(project)
    except DefinitionError as error:
        findings = broken_definitions(error)
    if as_json:
        print_json(findings, internal=True)
    else:
        print_table(("", "what", "found", "what to do"), [(f.mark, f.what, f.found, f.remedy) for f in findings], internal=True)
    raise typer.Exit(1 if any(f.mark == "wrong" for f in findings) else 0)
