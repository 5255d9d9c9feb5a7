"""The step ``report`` of a pipeline: reports of the periods that have just ended, for the centres that get them.

The period is the last full month: the month of the as-of day if that is its last day, otherwise the month before. A month that ends a
quarter brings the quarter, December also the year. Results of the last weeks of a month are still arriving then; the report compares it
with past months as they were known at the same age.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

from riskwatch.definitions.suggest import unknown
from riskwatch.definitions.types import Centre
from riskwatch.errors import ProjectError
from riskwatch.reports.inputs import ReportPeriod
from riskwatch.reports.rules import ReportRules
from riskwatch.runner.context import RunContext
from riskwatch.runner.report_period import parse_period
from riskwatch.runner.reporting import make_report, read_rules, report_folder, write_report

__all__ = ["due_periods", "report_basis", "report_centres", "write_reports"]


def due_periods(as_of: dt.date) -> list[ReportPeriod]:
    """Return the last full month, and the quarter and year that end with it."""
    after = as_of + dt.timedelta(days=1)
    last = as_of if after.day == 1 else as_of.replace(day=1) - dt.timedelta(days=1)
    names = [f"{last:%Y-%m}"]
    if last.month % 3 == 0:
        names.append(f"{last.year}Q{last.month // 3}")
    if last.month == 12:
        names.append(str(last.year))
    return [parse_period(name) for name in names]


def report_centres(ctx: RunContext, rules: ReportRules) -> list[Centre]:
    """Return the centres that get reports: those that ``centres`` names, or those whose jurisdiction lies within no other's.

    Raises
    ------
    ProjectError
        If a centre named is not in force, or none is.
    """
    known = ctx.definitions.centres
    for place, name in enumerate(rules.centres):
        if name not in known:
            raise ProjectError(f"report: centres[{place}]: {unknown('centre', name, known)}", hint="centres stand in config/centres.yaml")
    chosen = [known[name] for name in rules.centres] or [centre for centre in known.values() if _is_top(ctx, centre)]
    if not chosen:
        raise ProjectError("report: no centre is in force to write a report for", hint="add one to config/centres.yaml")
    # Centres that share a jurisdiction share its report.
    return list({centre.region: centre for centre in reversed(chosen)}.values())[::-1]


def _is_top(ctx: RunContext, centre: Centre) -> bool:
    tree = ctx.trees.get("region")
    others = {other.region for other in ctx.definitions.centres.values()} - {centre.region}
    if not centre.region:
        return True
    return not any(not other or (tree is not None and bool(tree.is_within([centre.region], other)[0])) for other in others)


def report_basis(ctx: RunContext, pipeline: str) -> dict[str, object]:
    """Return what reports rest on beyond records and definitions: the runs that decided warnings, and the outlines of maps."""
    rules = read_rules(ctx)
    runs = [
        (str(run["pipeline"]), str(run["as_of"]), str((run["counts"] or {}).get("basis", "")))
        for run in ctx.store.read_runs(limit=1000)
        if run["state"] == "done" and run["pipeline"] != pipeline and run["as_of"] <= ctx.as_of
    ]
    files = {outline.path: ctx.definitions.path(outline.path) for outline in rules.outlines}
    return {
        "runs": sorted(runs),
        "outlines": {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sorted(files.items()) if path.is_file()},
    }


def write_reports(ctx: RunContext) -> list[Path]:
    """Write the reports that are due under ``reports/<period>/``; a dry run writes them under ``dry-run/reports/<period>/``.

    A file whose content is already there is left alone.

    Raises
    ------
    ProjectError
        If the rules or a centre are wrong, or the folder cannot be written.
    """
    rules = read_rules(ctx)
    base = ctx.out / "reports" if ctx.dry_run else report_folder(ctx)
    wanted = [(period, centre) for period in due_periods(ctx.as_of) for centre in report_centres(ctx, rules)]
    paths: list[Path] = []
    with ctx.reporter.task("reports", total=len(wanted)) as task:
        for period, centre in wanted:
            ctx.heartbeat()
            made = make_report(ctx, period, centre.region, languages=rules.languages)
            ctx.heartbeat()
            paths += write_report(ctx, made, languages=rules.languages, formats=rules.formats, folder=base / period.key)
            task.advance()
    return paths
