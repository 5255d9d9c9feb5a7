"""From a panel to judgements by a regression on the same season of past years: what both Farrington methods share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.detectors import baselines, thresholds
from riskwatch.detectors.baselines import BaselineDesign
from riskwatch.detectors.blocks import over_blocks
from riskwatch.detectors.farrington_fit import Prediction, Rules, predict
from riskwatch.detectors.parts import Counts, Layout
from riskwatch.detectors.signals import REASONS, Signals
from riskwatch.detectors.support import empty_signals, positions_of
from riskwatch.panel import Panel

__all__ = ["Method", "judge"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_REASON = {text: number for number, text in enumerate(REASONS)}
_BLOCK = 1024  # series worked on at a time: enough that numpy's calls cost little, few enough for the processor's cache


@dataclass(frozen=True)
class Method:
    """A Farrington method, with every default filled in.

    Parameters
    ----------
    years, min_years, half_window, guard, levels : int
        Baseline; see :func:`riskwatch.detectors.baselines.seasonal_baseline`.
    year_match : {"calendar", "fixed"}
        Of the anniversaries.
    time_match : {"calendar", "fixed"}
        Of the trend's time axis; see :func:`riskwatch.detectors.baselines.time_axis`.
    rules : Rules
        Of the regression.
    limits : callable
        (count, expected, phi, standard error of the log mean) -> lower limit, upper limit, p-value.
    limit_cases, limit_periods : int
    zero_floor, min_share : float
    population_offset : bool
    """

    years: int
    min_years: int
    half_window: int
    guard: int
    levels: int
    year_match: str
    time_match: str
    rules: Rules
    limits: Callable[[FloatArray, FloatArray, FloatArray, FloatArray], tuple[FloatArray, FloatArray, FloatArray]]
    limit_cases: int
    limit_periods: int
    zero_floor: float
    min_share: float
    population_offset: bool


@dataclass(frozen=True, eq=False)
class _Block:
    """Some series, arrays (period, series) from the first period that matters."""

    observed: FloatArray
    usable: BoolArray | None
    exposure: FloatArray | None
    share: FloatArray | None
    error: FloatArray | None


@dataclass(frozen=True, eq=False)
class _Target:
    """A judged period; positions count from the first period of a block."""

    now: int
    rows: npt.NDArray[np.intp]
    windows: list[slice]
    season: slice
    layout: Layout

    @classmethod
    def of(cls, design: BaselineDesign, time: FloatArray, first: int) -> _Target:
        layout = Layout.of(design.starts, time[design.rows] - time[design.now])
        windows = [slice(window.start - first, window.stop - first) for window in design.windows]
        season = slice(int(design.starts[-1]) if len(design.starts) else 0, None)
        return cls(design.now - first, design.rows - first, windows, season, layout)


@dataclass(frozen=True, eq=False)
class _Now:
    """What is known of the judged period, arrays (series,)."""

    y: FloatArray
    exposure: FloatArray | None
    share: FloatArray | None
    error: FloatArray | None


def judge(panel: Panel, periods: pd.PeriodIndex | None, name: str, fingerprint: str, method: Method) -> Signals:
    """Judge each of ``periods`` (default: the newest) with what came before it.

    Parameters
    ----------
    panel : Panel
    periods : PeriodIndex or None
    name, fingerprint : str
        Of the detector.
    method : Method

    Returns
    -------
    Signals

    Raises
    ------
    DetectorError
        If a period is not in the panel or its frequency is not supported.
    """
    judged = positions_of(panel, periods, name)
    out = empty_signals(panel, judged, name, fingerprint)
    time = baselines.time_axis(panel.periods, method.time_match)
    designs = [
        baselines.seasonal_baseline(
            now,
            baselines.reference_positions(panel.periods, now, method.years, method.year_match),
            half_window=method.half_window,
            guard=method.guard,
            levels=method.levels,
        )
        for now in judged.tolist()
    ]
    # Only the panel's columns from the first to the last that matter are read.
    first = min((at for design in designs for at in _oldest(design, method)), default=0)
    last = int(judged.max(initial=-1)) + 1
    targets = [_Target.of(design, time, first) for design in designs]

    def work(where: slice) -> list[npt.NDArray[np.float64] | npt.NDArray[np.uint8]]:
        block = _block(panel, where, slice(first, last), offset=method.population_offset)
        columns = [_judge(block, target, method) for target in targets]
        return [np.column_stack(part) for part in zip(*columns, strict=True)]

    if len(judged):
        over_blocks(work, len(panel.index), (out.expected, out.lower, out.upper, out.p_value, out.reason), _BLOCK)
    with np.errstate(invalid="ignore"):
        out.alarm[...] = out.observed > out.upper
    return out


def _oldest(design: BaselineDesign, method: Method) -> list[int]:
    """Return the oldest positions that each rule looks at."""
    recent = max(design.now - method.limit_periods + 1, 0)
    return [recent, int(design.rows.min(initial=design.now)), *(window.start for window in design.windows)]


def _block(panel: Panel, where: slice, span: slice, *, offset: bool) -> _Block:
    """Cut a block out of the panel, periods first."""
    observed = np.ascontiguousarray(panel.observed[where, span].T)
    usable = np.isfinite(observed)
    exposure = share = error = None
    if offset and panel.exposure is not None:
        exposure = np.ascontiguousarray(panel.exposure[where, span].T)
        usable &= exposure > 0
    if panel.completeness is not None:
        share = np.ascontiguousarray(panel.completeness.share[where, span].T)
        error = np.ascontiguousarray(panel.completeness.error[where, span].T)
        usable &= share >= 1.0  # a period that is still filling up is no baseline
    return _Block(observed, None if usable.all() else usable, exposure, share, error)


def _judge(block: _Block, target: _Target, method: Method) -> tuple[FloatArray | npt.NDArray[np.uint8], ...]:
    """Judge one period of a block; return expected, lower, upper, p-value and reason."""
    now = target.now
    observed, usable, exposure, share = block.observed, block.usable, block.exposure, block.share
    series = observed.shape[1]
    y_now = observed[now]
    reason = np.zeros(series, np.uint8)
    if exposure is not None:
        reason[exposure[now] == 0] = _REASON["no-exposure"]
        reason[np.isnan(exposure[now])] = _REASON["missing"]
    reason[np.isnan(y_now) & (reason == 0)] = _REASON["missing"]
    if share is not None:
        reason[(share[now] < method.min_share) & (reason == 0)] = _REASON["unripe"]
    recent = np.add.reduce(np.nan_to_num(observed[max(now - method.limit_periods + 1, 0) : now + 1]), axis=0)
    reason[(recent < method.limit_cases) & (reason == 0)] = _REASON["too-few-cases"]
    if usable is None:
        years = np.full(series, sum(window.stop > window.start for window in target.windows))
        season = np.full(series, target.rows.size > 0)
    else:
        years = np.zeros(series, np.int64)
        for window in target.windows:
            years += usable[window].any(axis=0)
        season = np.zeros(series, np.bool_)
        if target.rows.size:
            season |= usable[target.rows[target.season]].any(axis=0)
    # Too short a history outranks too few cases: it says what will not change by waiting for the next case.
    waiting = (reason == 0) | (reason == _REASON["too-few-cases"]) | (reason == _REASON["unripe"])
    reason[((years < method.min_years) | ~season) & waiting] = _REASON["too-short"]

    results = tuple(np.full(series, np.nan) for _ in range(4))
    todo = np.flatnonzero(reason == 0)
    if not target.rows.size or not todo.size:
        return (*results, reason)
    if usable is None:
        groups = [(todo, False)]
    else:
        # Series with gaps take another way to the same sums; a series' own gaps, not its neighbours', decide which.
        gaps = ~np.logical_and.reduce(usable[target.rows], axis=0)[todo]
        groups = [(todo[~gaps], False), (todo[gaps], True)]
    for group, gappy in groups:
        if not group.size:
            continue
        chosen = np.concatenate([group, np.full(-group.size % 8, group[0], dtype=group.dtype)])
        judgement, failed = _judge_group(block, target, method, (chosen, years[chosen]), gappy=gappy)
        reason[chosen[failed]] = _REASON["no-convergence"]
        for result, values in zip(results, judgement, strict=True):
            result[chosen] = np.where(failed, np.nan, values)
    return (*results, reason)


def _judge_group(
    block: _Block, target: _Target, method: Method, group: tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]], *, gappy: bool
) -> tuple[tuple[FloatArray, ...], BoolArray]:
    """Judge some series of a block (positions, years); return expected, lower, upper and p-value, and where no fit was found."""
    chosen, years = group
    whole = chosen.size == block.observed.shape[1] and bool((np.diff(chosen) == 1).all())

    def cut(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        part = np.take(values, target.rows, axis=0)
        return part if whole else np.take(part, chosen, axis=1)

    y, present = cut(block.observed), None
    exposure = None if block.exposure is None else cut(block.exposure)
    if gappy and block.usable is not None:
        here = cut(block.usable)
        present, y = here.astype(np.float64), np.where(here, y, 0.0)
        exposure = None if exposure is None else np.where(here, exposure, 1.0)
    counts = Counts.of(target.layout, y, present, exposure)
    known = (None if part is None else part[target.now, chosen] for part in (block.exposure, block.share, block.error))
    now = _Now(block.observed[target.now, chosen], *known)
    prediction = predict(counts, method.rules, now.exposure, years)
    judgement = _limits(prediction, counts, now, method)
    failed = ~np.isfinite(prediction.eta + prediction.error + prediction.phi) | ~np.isfinite(judgement[2] + judgement[3])
    return judgement, failed


def _limits(prediction: Prediction, counts: Counts, now: _Now, method: Method) -> tuple[FloatArray, ...]:
    """Return expected count, limits and p-value."""
    error, phi = prediction.error, prediction.phi
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        expected = np.exp(np.minimum(prediction.eta, 700.0))
        if method.zero_floor:
            size = _season_size(counts, now.exposure)
            thin = expected < method.zero_floor / size
            expected = np.where(thin, method.zero_floor / size, expected)
            # A season without cases has an unbounded error of its log mean; that of the floor's cases stands in for it.
            error = np.where(thin, np.fmin(error, np.sqrt(phi / method.zero_floor)), error)
        if now.share is not None and now.error is not None:
            expected, phi = thresholds.thinned(expected, phi, now.share, now.error)
        return expected, *method.limits(now.y, expected, phi, error)


def _season_size(counts: Counts, exposure_now: FloatArray | None) -> FloatArray:
    """Return how many judged periods the season's baseline is worth."""
    size = counts.sums.size[-1]
    return np.asarray(size if exposure_now is None else size / exposure_now)
