"""Coverage of the key-product catalogue and sampling plans of a project: records from the store, rules from the definitions."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pandas as pd

from riskwatch.coverage import CatalogueFile, CatalogueVersion, CoverageSummary, coverage, summarise, unknown_codes
from riskwatch.coverage.advisor import Objective, advise
from riskwatch.coverage.grid import COLUMNS
from riskwatch.coverage.priors import cell_counts, priors_by_moments
from riskwatch.errors import ProjectError
from riskwatch.runner.context import RunContext

__all__ = ["Watched", "catalogue_of", "centre_summaries", "sampling_plan", "watched_cells"]


@dataclass(frozen=True)
class Watched:
    """Coverage as of a day.

    Attributes
    ----------
    frame : DataFrame
        Cells (:data:`riskwatch.coverage.gaps.FRAME`).
    rules : CatalogueFile
    catalogue : CatalogueVersion
        The version in force.
    unknown : tuple of str
        Its codes that the product tree in force does not know: they have no cells.
    window_days : int
    """

    frame: pd.DataFrame
    rules: CatalogueFile
    catalogue: CatalogueVersion
    unknown: tuple[str, ...]
    window_days: int

    @property
    def level(self) -> str:
        """The finest level, on which summaries count."""
        return self.rules.coverage.levels[0]


def catalogue_of(ctx: RunContext) -> tuple[CatalogueFile, CatalogueVersion] | None:
    """Return the catalogue's rules and the version in force on the context's day; None where there is none."""
    content = ctx.definitions.catalogue("catalogue")
    if not content:
        return None
    rules = CatalogueFile.model_validate(content)
    version = rules.in_force(ctx.as_of)
    return None if version is None else (rules, version)


def _wanted(ctx: RunContext) -> tuple[CatalogueFile, CatalogueVersion]:
    found = catalogue_of(ctx)
    if found is None:
        raise ProjectError(
            f"no key-product catalogue is in force on {ctx.as_of}",
            hint="config/catalogue.yaml needs a version whose in_force_from is not later than that day",
        )
    return found


def _records(ctx: RunContext, days: int) -> pd.DataFrame:
    since = ctx.as_of - dt.timedelta(days=days - 1)
    return ctx.store.read_records("spot_check", columns=list(COLUMNS), as_of=ctx.as_of, since=since, until=ctx.as_of)


def watched_cells(ctx: RunContext, *, window_days: int | None = None) -> Watched:
    """Return coverage as of the context's day.

    Raises
    ------
    ProjectError
        If no catalogue is in force on that day.
    """
    rules, version = _wanted(ctx)
    days = rules.coverage.window_days if window_days is None else window_days
    frame = coverage(_records(ctx, days), ctx.trees, version, as_of=ctx.as_of, rules=rules.coverage, window_days=days)
    return Watched(frame, rules, version, unknown_codes(version, ctx.trees.get("product")), days)


def centre_summaries(ctx: RunContext) -> dict[str, CoverageSummary | None]:
    """Return what each centre's digest says about coverage, for its own region; nothing where no catalogue is in force."""
    if catalogue_of(ctx) is None:
        return {}
    found = watched_cells(ctx)
    return {
        name: summarise(
            found.frame,
            ctx.trees,
            found.catalogue,
            as_of=ctx.as_of,
            window_days=found.window_days,
            level=found.level,
            region=centre.region,
            top=found.rules.coverage.top,
        )
        for name, centre in ctx.definitions.centres.items()
    }


def sampling_plan(ctx: RunContext, *, samples: int, objective: Objective, mixture: float | None = None) -> pd.DataFrame:
    """Return where the next samples tell most, as of the context's day (:func:`riskwatch.coverage.advisor.advise`).

    Raises
    ------
    ProjectError
        If no catalogue is in force, or none of its products and regions is in the trees.
    """
    rules, version = _wanted(ctx)
    records = _records(ctx, max(rules.advice.history_days, rules.coverage.window_days))
    cells = cell_counts(records, ctx.trees, version, as_of=ctx.as_of, coverage=rules.coverage, advice=rules.advice)
    if cells.empty:
        raise ProjectError(
            f"catalogue {version.version} has no product and region that the trees of this profile know",
            hint="riskwatch coverage lists the unknown codes; put a catalogue with this profile's codes into config/catalogue.yaml",
        )
    frame = coverage(records, ctx.trees, version, as_of=ctx.as_of, rules=rules.coverage)
    priors = priors_by_moments(cells, ctx.trees["product"], strength=rules.advice.strength)
    return advise(
        cells,
        frame,
        priors,
        ctx.trees,
        version,
        rules=rules.advice,
        samples=samples,
        objective=objective,
        mixture=mixture,
        as_of=ctx.as_of,
    )
