"""The report of a period: gather its inputs from the store, build it, write its files whole or not at all.

Each part of the inputs is filled by one function of :data:`FILLERS`, which takes a :class:`Scope` and returns inputs by name (those of
:class:`~riskwatch.reports.inputs.ReportInputs`). A part that no function fills is printed as missing, with its reason.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from riskwatch import __version__
from riskwatch.digest import Trees
from riskwatch.errors import AsOfError, ProjectError, RiskwatchError, StoreError
from riskwatch.reports.build import build_report
from riskwatch.reports.docx import render_docx
from riskwatch.reports.html import render_html
from riskwatch.reports.inputs import Input, Missing, ReportInputs, ReportPeriod
from riskwatch.reports.model import Report, Text, render_json
from riskwatch.reports.pdf import render_pdf
from riskwatch.reports.rules import ReportRules
from riskwatch.runner import (
    report_anomalies,
    report_coverage,
    report_enterprises,
    report_indicators,
    report_items,
    report_laboratories,
    report_outlook,
    report_rates,
    report_records,
    report_scorecard,
    report_trends,
    report_warnings,
)
from riskwatch.runner.context import RunContext
from riskwatch.runner.outlines import read_outlines
from riskwatch.runner.report_scope import Scope

__all__ = ["COMBINERS", "FILLERS", "build_inputs", "make_report", "read_rules", "render_forms", "report_folder", "write_report"]

Filled = Mapping[str, "Input | Missing"]
Filler = Callable[[Scope], Filled]

FILLERS: tuple[tuple[tuple[str, ...], Filler], ...] = (
    (("sources",), report_records.sources),
    (("strata", "overall", "coverage_cells"), report_records.spot_checks),
    ((), report_rates.like_for_like),
    (("rates_region", "rates_product", "rates_industry"), report_rates.rates),
    (("change_region", "change_product", "change_industry"), report_rates.changes),
    (("items",), report_items.items),
    (("standard_effect",), report_items.standards),
    (("enterprises", "closure"), report_enterprises.enterprises),
    (("coverage_region", "coverage_product", "gaps"), report_coverage.coverage),
    (("sampling",), report_coverage.sampling),
    (("trends",), report_trends.trends),
    (("trend_series",), report_trends.series),
    (("laboratories",), report_laboratories.laboratories),
    (("anomalies",), report_anomalies.anomalies),
    (("indicators",), report_indicators.indicators),
    (("injuries",), report_records.injuries),
    (("notices",), report_records.notices),
    (("warnings", "events", "actions"), report_warnings.warnings),
    (("outlook",), report_outlook.outlook),
)
"""Inputs -> function that fills them; without names it refines what is there already. A room that computes more adds one line here."""

COMBINERS: tuple[tuple[tuple[str, ...], Callable[[Scope, Filled], Filled]], ...] = ((("funnel", "scorecard"), report_scorecard.regions),)
"""Inputs -> function that makes them from inputs that are filled already."""


def read_rules(ctx: RunContext) -> ReportRules:
    """Return ``config/report.yaml``.

    Raises
    ------
    ProjectError
        If the project has none.
    """
    content = ctx.definitions.catalogue("report")
    if not content:
        raise ProjectError(
            "report: the project has no config/report.yaml", hint="copy it from a fresh project: `riskwatch init DIR` makes one"
        )
    return ReportRules.model_validate(content)


def build_inputs(ctx: RunContext, period: ReportPeriod, region: str = "") -> ReportInputs:
    """Gather everything that the report of a period and jurisdiction is made from, as known on the context's day.

    Raises
    ------
    AsOfError
        If the day lies before the period.
    DimensionError
        If the region is in no tree.
    ProjectError
        If the project has no ``config/report.yaml``, or an outline file cannot be read.
    """
    if ctx.as_of < period.first:
        raise AsOfError(
            f"report {period.key}: the period begins on {period.first}, after the as-of day {ctx.as_of}",
            hint="name an earlier period, or a later day with --as-of",
        )
    rules = read_rules(ctx)
    tree = ctx.trees.get("region")
    if region and tree is not None:
        tree.level_of(region)  # an unknown code is an error with a suggestion
    outlines = read_outlines(ctx, rules, region)
    scope = Scope(ctx=ctx, period=period, region=region, rules=rules)
    found: dict[str, Input | Missing] = {}
    with ctx.reporter.task("report inputs", total=len(FILLERS) + len(COMBINERS)) as task:
        for names, fill in FILLERS:
            found.update(_filled(names, functools.partial(fill, scope)))
            task.advance()
        for names, combine in COMBINERS:
            found.update(_filled(names, functools.partial(combine, scope, dict(found))))
            task.advance()
    levels = {
        str(name): Text(zh=f"{level.label.zh}（{level.colour.zh}）", en=f"{level.label.en} ({level.colour.en})")
        for name, level in ctx.grading.levels.items()
    }
    settings = ctx.definitions.settings
    return ReportInputs(
        period=period,
        region=region,
        as_of=ctx.as_of,
        trees=Trees(product=ctx.trees.get("product"), industry=ctx.trees.get("industry"), region=tree),
        rules=rules,
        project=Text(zh=settings.name.zh, en=settings.name.en),
        version=__version__,
        definitions=hashlib.sha256(
            "\n".join(f"{key} {value}" for key, value in sorted(ctx.definitions.hashes.items())).encode()
        ).hexdigest()[:16],
        simulated=settings.simulated,
        grades=levels,
        hazards={name: Text(zh=hazard.label.zh, en=hazard.label.en) for name, hazard in ctx.hazards.classes.items()},
        **report_indicators.words(ctx),
        geometries=outlines,
        **found,  # type: ignore[arg-type] # names of inputs only: a wrong one is a TypeError at once
    )


def _filled(names: Sequence[str], fill: Callable[[], Filled]) -> Filled:
    """Return what a function fills; where its room refuses, its inputs are missing with the room's reason and the report goes on."""
    try:
        return fill()
    except StoreError:
        raise  # the records themselves cannot be read: there is no report
    except RiskwatchError as error:
        return dict.fromkeys(names, Missing(Text(zh=f"无法计算（{error.message}）", en=error.message)))


def make_report(ctx: RunContext, period: ReportPeriod, region: str = "", *, languages: Sequence[str] = ()) -> Report:
    """Return the report; pictures are drawn for ``languages``, and for none if it is empty (enough for tables and traces)."""
    inputs = build_inputs(ctx, period, region)
    with ctx.reporter.task("report", total=1) as task:
        made = build_report(inputs, languages=languages, issued=ctx.as_of)
        task.advance()
    return made


def render_forms(report: Report, languages: Sequence[str], formats: Sequence[str]) -> dict[str, bytes]:
    """Return the files by ending: ``zh.html``, ``zh.pdf``, ``zh.docx``, … and ``json``."""
    makers: dict[str, Callable[[Report, str], bytes]] = {
        "html": lambda made, language: render_html(made, language).encode(),
        "pdf": render_pdf,
        "docx": render_docx,
    }
    forms = {f"{language}.{kind}": makers[kind](report, language) for language in languages for kind in formats if kind != "json"}
    if "json" in formats:
        forms["json"] = render_json(report).encode()
    return forms


def report_folder(ctx: RunContext) -> Path:
    """Return the folder of reports of the profile in force."""
    return ctx.definitions.var / "reports"


def write_report(
    ctx: RunContext, report: Report, *, languages: Sequence[str], formats: Sequence[str], folder: Path | None = None
) -> list[Path]:
    """Write the report's files: all are set before the first is written, and each appears whole.

    A file that is already there with the same content is left alone.

    Raises
    ------
    ProjectError
        If the folder cannot be written.
    """
    target = folder or report_folder(ctx)
    stem = f"report-{report.header.period}" + (f"-{report.header.region}" if report.header.region else "")
    stem = "".join(char if char.isalnum() or char in "-_" else "_" for char in stem)
    with ctx.reporter.task("render report", total=1) as task:
        forms = render_forms(report, languages, formats)
        task.advance()
    paths = [target / f"{stem}.{form}" for form in forms]
    parts: list[Path] = []
    try:
        target.mkdir(parents=True, exist_ok=True)
        for path, content in zip(paths, forms.values(), strict=True):
            if path.is_file() and path.read_bytes() == content:
                continue
            parts.append(path.with_name(path.name + ".part"))
            parts[-1].write_bytes(content)
        for part in parts:
            part.replace(part.with_suffix(""))
    except OSError as error:
        raise ProjectError(f"report: cannot write to {target}: {error.strerror or error}", hint="name another folder with --out") from error
    finally:
        # Those that took their place are no longer there; the others are halves.
        with contextlib.suppress(OSError):
            for part in parts:
                part.unlink(missing_ok=True)
    return paths
