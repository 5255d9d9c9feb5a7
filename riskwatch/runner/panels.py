"""A model's panel as of a day: its records, how complete its newest periods are, and what is known to move it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.calendar import (
    HolidayCalendar,
    completeness,
    concentration,
    delay_distribution,
    last_complete_period,
    level_shift,
    period_bounds,
    period_numbers,
    period_of,
    period_scatter,
    periods_from_numbers,
    reporting_triangle,
    spring_festival,
    workdays,
)
from riskwatch.definitions.types import Delay, LevelShift, ModelDefinition
from riskwatch.detectors import detector_class
from riskwatch.dimensions import Tree
from riskwatch.panel import BuiltPanel, Completeness, Covariates, Geography, Panel, SparseRule, build_panel, series_of_records
from riskwatch.panel.by_item import ITEM, by_item
from riskwatch.runner.borders import borders_of
from riskwatch.runner.context import RunContext
from riskwatch.runner.freshness import ABSENT, Freshness, freshness_by_source
from riskwatch.runner.standards import standard_shifts
from riskwatch.runner.terms import model_terms

__all__ = ["calendar_columns", "heard_until", "model_panel", "needs_geography", "panel_rules", "region_geography", "window"]

_REGRESSORS = {"spring-festival": spring_festival, "workdays": workdays}


def heard_until(ctx: RunContext, model: ModelDefinition, fresh: Mapping[str, Freshness]) -> dt.date:
    """Return the newest day on which any of a model's sources was heard, at most the as-of day.

    Periods ripen by what was heard, not by the calendar: when a source falls silent, the weeks it reported in part stay unripe, and
    their low counts are not taken for a recovery.
    """
    names = model.sources or [name for name, source in ctx.definitions.sources.items() if source.stream == model.stream]
    heard = [day for name in names if (day := fresh.get(name, ABSENT).newest_known) is not None]
    return min(max(heard), ctx.as_of) if heard else ctx.as_of


def window(ctx: RunContext, model: ModelDefinition, fresh: Mapping[str, Freshness]) -> tuple[dt.date, dt.date]:
    """Return the first and the last day of the periods that a model looks at: its history up to the newest ripe period."""
    newest = last_complete_period(heard_until(ctx, model, fresh), model.frequency, ripe_after_days=model.ripe_after_days)
    number = int(period_numbers(pd.PeriodIndex([newest]))[0])
    ends = periods_from_numbers(np.array([number - model.history_periods + 1, number]), model.frequency)
    starts, finishes = period_bounds(ends)
    return starts[0].item(), finishes[1].item()


def model_panel(ctx: RunContext, model: ModelDefinition, fresh: Mapping[str, Freshness] | None = None) -> BuiltPanel:
    """Build a model's panel from what the store knew on the as-of day, up to the newest ripe period.

    With a reporting-delay model the panel carries how complete its newest periods are; with covariates or level shifts, those.

    Raises
    ------
    CalendarError
        If a covariate is asked for and ``config/holidays.yaml`` lacks a year of the panel.
    """
    fresh = freshness_by_source(ctx.store, ctx.as_of) if fresh is None else fresh
    start, until = window(ctx, model, fresh)
    if model.terms is not None:
        return model_terms(ctx, model, (start, until)).built
    frame = ctx.store.read_records(
        model.stream,
        columns=_record_columns(model),
        as_of=ctx.as_of,
        where=model.where or None,
        between=model.between or None,
        sources=model.sources or None,
        since=start,
        until=until,
    )
    first = frame["event_date"].min() if len(frame) else None
    if model.by_item:
        items = ctx.store.read_items(model.stream, as_of=ctx.as_of)
        frame = by_item(frame, items, numerator=model.numerator, product=model.product_fields[0], tree=ctx.trees.get("product"))
    built = build_panel(
        frame,
        trees=ctx.trees,
        # Before the first record the stream did not exist: those periods are missing, not zero.
        start=start if first is None or pd.Timestamp(first).date() <= start + dt.timedelta(days=31) else None,
        until=until,
        **panel_rules(model),
    )
    panel = dataclasses.replace(built.panel, covariates=_covariates(ctx, model, built.panel))
    if needs_geography(model):
        panel = dataclasses.replace(panel, geography=region_geography(panel.index, ctx.trees.get("region"), borders_of(ctx.root)))
    if model.delay is not None:
        heard = heard_until(ctx, model, fresh)
        panel = dataclasses.replace(panel, completeness=_completeness(ctx, model, model.delay, panel=panel, frame=frame, heard=heard))
    return dataclasses.replace(built, panel=panel)


def panel_rules(model: ModelDefinition) -> dict[str, Any]:
    """Return what a model says of its panel, as arguments of :func:`riskwatch.panel.build_panel`."""
    return {
        "levels": [level.model_dump(exclude_none=True) for level in model.levels],
        "frequency": model.frequency,
        "numerator": model.numerator,
        "denominator": model.denominator,
        "product_fields": model.product_fields,
        "stratify": [*model.stratify, *([ITEM] if model.by_item else [])],
        "breakdown": model.breakdown,
        "distinct": None if model.distinct is None else (model.distinct.field, model.distinct.cap),
        "sparse": SparseRule(**model.sparse.model_dump()),
    }


def needs_geography(model: ModelDefinition) -> bool:
    """Tell whether a model's detector compares neighbours."""
    return bool(getattr(detector_class(model.detector), "uses_geography", False))


def region_geography(index: pd.Index[Any], tree: Tree | None, borders: Iterable[tuple[str, str]] = ()) -> Geography | None:
    """Return where the regions of the series are: the tree's own coordinates, a tier for each of its levels, and who borders on whom.

    Parameters
    ----------
    index : pandas.Index
        Keys of the series.
    tree : Tree or None
        The region tree, with attributes ``longitude`` and ``latitude`` in degrees; a region without has no place. Those of a region above
        do not stand in: places on one spot would always join together.
    borders : iterable of (str, str)
        Codes of neighbouring regions. Pairs with a region that has no place here, or of two tiers, are left out.

    Returns
    -------
    Geography or None
        None without a region tree, or where the series name no regions. Its ``borders`` are None where no pair is of its places.
    """
    if tree is None or not isinstance(index, pd.MultiIndex) or "region" not in index.names:
        return None
    regions = index.get_level_values("region").astype(str)
    codes = np.asarray(sorted(set(regions)), dtype=object)
    east, north = (
        pd.to_numeric(pd.Series(tree.attribute(codes, name, inherit=False), dtype=object), errors="coerce").to_numpy(np.float64)
        for name in ("longitude", "latitude")
    )
    placed = np.isfinite(east) & np.isfinite(north)
    known = codes[placed]
    levels = pd.Index(["", *tree.levels]).get_indexer(pd.Index(np.asarray(tree.level_of(known), dtype=object)))
    return Geography(
        places=tuple(known.tolist()),
        coordinates=np.column_stack([east[placed], north[placed]]),
        place=np.asarray(pd.Index(known).get_indexer(regions), dtype=np.int64),
        tier=np.asarray(levels, dtype=np.int64),
        borders=_border_positions(known, levels, borders),
    )


def _border_positions(
    known: npt.NDArray[np.object_], tier: npt.NDArray[np.intp], borders: Iterable[tuple[str, str]]
) -> npt.NDArray[np.int64] | None:
    """Return pairs of positions in ``known``, each pair once and in rising order; None where there is none."""
    at = {str(code): position for position, code in enumerate(known)}
    pairs = {(min(at[a], at[b]), max(at[a], at[b])) for a, b in borders if a in at and b in at and a != b}
    kept = sorted(pair for pair in pairs if tier[pair[0]] == tier[pair[1]])
    return np.asarray(kept, dtype=np.int64) if kept else None


def _record_columns(model: ModelDefinition) -> list[str]:
    dimensions = {name for level in model.levels for name in ("product", "industry", "region") if getattr(level, name) is not None}
    columns = ["event_date", model.numerator, *(dimensions - {"product"}), *model.stratify]
    if "product" in dimensions:
        columns.extend(model.product_fields)
    if model.denominator:
        columns.append(model.denominator)
    if model.by_item:
        columns += ["record_id", *model.product_fields]
    if model.breakdown:
        columns.append(model.breakdown)
    if model.distinct:
        columns.append(model.distinct.field)
    if model.delay is not None:
        columns.extend(["known_at", "key_hash"])
    return list(dict.fromkeys(columns))


def calendar_columns(
    model: ModelDefinition, periods: pd.PeriodIndex, calendar: HolidayCalendar
) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Return names and values, shape (covariate, period), of the calendar regressors that a model asks for.

    Raises
    ------
    CalendarError
        If a year of the periods has no holiday data.
    """
    made = [_REGRESSORS[asked](periods, calendar) for asked in model.covariates]
    names = tuple(name for found, _ in made for name in found)
    return names, np.concatenate([np.empty((0, len(periods))), *(values for _, values in made)])


def _covariates(ctx: RunContext, model: ModelDefinition, panel: Panel) -> Covariates | None:
    names, values = calendar_columns(model, panel.periods, ctx.holidays)
    shifts = [(f"level-shift-{number}-{shift.since}", shift) for number, shift in enumerate(model.level_shifts, start=1)]
    shifts += standard_shifts(ctx.definitions, model, panel.periods)
    names += tuple(name for name, _ in shifts)
    if not names:
        return None
    values = np.concatenate([values, *(level_shift(panel.periods, shift.since)[None, :] for _, shift in shifts)])
    applies = np.ones((len(names), len(panel.index)), np.bool_)
    for number, (_, shift) in enumerate(shifts, start=len(names) - len(shifts)):
        applies[number] = _shifted(shift, panel.index, ctx.trees)
    return Covariates(names, values, applies)


def _shifted(shift: LevelShift, index: pd.Index[Any], trees: Mapping[str, Tree]) -> npt.NDArray[np.bool_]:
    """Tell which series a level shift acts on: in every dimension named, of one of the codes or below it."""
    inside = np.ones(len(index), np.bool_)
    for dimension, codes in shift.where.items():
        keys = index.get_level_values(dimension)
        inside &= np.logical_or.reduce([trees[dimension].is_within(keys, code) for code in codes])
    return inside


def _completeness(
    ctx: RunContext, model: ModelDefinition, delay: Delay, *, panel: Panel, frame: pd.DataFrame, heard: dt.date
) -> Completeness:
    """Learn from the records how complete the panel's newest periods are on the day that was heard last."""
    now, longest = heard.toordinal(), delay.max_delay_days
    finish = _ordinals(period_bounds(panel.periods)[1])
    known = frame["known_at"].to_numpy("datetime64[D]")
    corrected = ctx.store.first_known(model.stream, model.sources or None, ctx.as_of)
    place = pd.Index(corrected["key_hash"]).get_indexer(pd.Index(frame["key_hash"]))
    known = np.where(place >= 0, np.append(corrected["first_known"].to_numpy("datetime64[D]"), np.datetime64("NaT"))[place], known)
    known = _ordinals(known)
    number = period_of(frame["event_date"].to_numpy(), model.frequency) - int(period_numbers(panel.periods[:1])[0])
    inside = (number >= 0) & (number < len(panel.periods)) & (frame[model.numerator].to_numpy(np.float64) > 0)
    end = finish[np.where(inside, number, 0)]
    # Periods that ended before anything was heard came as an archive: they say nothing about delays.
    inside &= end >= max(now - delay.history_days, int(known.min(initial=now)))
    chosen = np.flatnonzero(inside)
    record, series = series_of_records(
        frame.iloc[chosen],
        panel.index,
        levels=[level.model_dump(exclude_none=True) for level in model.levels],
        trees=ctx.trees,
        product_fields=model.product_fields,
        stratify=model.stratify,
        roll_up=model.sparse.roll_up,
    )
    one = np.zeros(len(chosen), np.int64)
    everything = reporting_triangle(end[chosen], known[chosen], one, n_series=1, now=now, max_delay=longest)
    cdf = delay_distribution(everything)
    end, known = end[chosen][record], known[chosen][record]
    triangle = reporting_triangle(end, known, series, n_series=len(panel.index), now=now, max_delay=longest)
    alpha0 = min(concentration(triangle, cdf), max(float(everything.reported.sum()), 1.0))
    unripe = np.flatnonzero(now - finish < longest)
    ages = now - finish[unripe]
    share, error = np.ones(panel.shape), np.zeros(panel.shape)
    part, doubt = completeness(triangle, ages, cdf, alpha0)
    rho = period_scatter(end, known, series, now=now, max_delay=longest, ages=ages, share=part)
    share[:, unripe] = part
    error[:, unripe] = np.sqrt(doubt**2 + rho * part * (1.0 - part))
    return Completeness(share, error)


def _ordinals(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """Return proleptic ordinals, as ``date.toordinal``."""
    return np.asarray(days.astype("datetime64[D]").astype(np.int64) + dt.date(1970, 1, 1).toordinal())
