"""What control charts of counts share: the periods they look at, and the in-control mean and dispersion of those periods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from riskwatch.detectors import in_control, thresholds
from riskwatch.detectors.baselines import PERIODS_PER_YEAR, frequency_of
from riskwatch.detectors.signals import REASONS
from riskwatch.panel import Panel

__all__ = ["DEFAULTS", "Window", "settings", "window"]

FloatArray = npt.NDArray[np.float64]

REASON = {text: number for number, text in enumerate(REASONS)}
_CALENDAR_YEAR = {"day": 365.25, "week": 365.25 / 7.0, "4-week": 365.25 / 28.0, "month": 12.0}
# Baseline, shortest baseline and charted periods by frequency: five years (two of days), two years (one of days), about a season.
DEFAULTS = {"day": (730, 365, 28), "week": (260, 104, 12), "4-week": (65, 26, 6), "month": (60, 24, 6)}


@dataclass(frozen=True, eq=False)
class Window:
    """The charted periods of some series, the judged one last.

    Attributes
    ----------
    counts, mean : array, shape (series, period)
        Counts (NaN: carried over) and in-control means of what should have been reported of them.
    phi, error : array, shape (series,)
        Variance over mean, and standard error of the log mean of the judged period.
    alpha : array, shape (series,)
        Negative binomial dispersion by maximum likelihood; NaN where it was not asked for.
    reason : array of uint8, shape (series,)
        Why the judged cell is refused; 0 where it is not.
    """

    counts: FloatArray
    mean: FloatArray
    phi: FloatArray
    error: FloatArray
    alpha: FloatArray
    reason: npt.NDArray[np.uint8]


def settings(chart: Any, frequency: str, run_ins: dict[str, int] | None = None) -> tuple[int, int, int]:
    """Return baseline, shortest baseline and charted periods (by default those of ``run_ins``) of ``chart`` at a frequency."""
    run_in = chart.run_in if chart.run_in is not None or run_ins is None else run_ins[frequency]
    given = (chart.baseline_periods, chart.min_baseline, run_in)
    baseline, shortest, run_in = (d if g is None else g for g, d in zip(given, DEFAULTS[frequency], strict=True))
    return baseline, min(shortest, baseline), run_in


def window(chart: Any, panel: Panel, rows: slice, now: int, *, first: int, run_ins: dict[str, int] | None = None) -> Window:
    """Estimate the in-control mean for the charted periods that end at ``now``.

    Parameters
    ----------
    chart : Cusum or Glr
        Gives the settings.
    panel : Panel
    rows : slice
        Series.
    now, first : int
        Positions of the judged period and of the first judged period of the call (where the chart begins with start="first-judged").
    run_ins : dict, optional
        Charted periods by frequency, where the chart does not set them.
    """
    frequency = frequency_of(panel.periods)
    length, shortest, run_in = settings(chart, frequency, run_ins)
    begin = first if chart.start == "first-judged" else max(now - run_in + 1, 0)
    end = begin if chart.start == "first-judged" else max(begin - chart.guard_periods, 0)
    if chart.start == "first-judged" and chart.baseline_periods is None:
        length = end
    base, span = slice(max(end - length, 0), end), slice(begin, now + 1)
    counts, past = panel.observed[rows, span].copy(), panel.observed[rows, base].T.copy()
    prior = np.isfinite(past)
    offset_past, offset = None, np.zeros(counts.shape)
    reason = np.zeros(len(counts), np.uint8)
    if chart.population_offset and panel.exposure is not None:
        with np.errstate(divide="ignore"):
            offset_past, offset = np.log(panel.exposure[rows, base].T), np.log(panel.exposure[rows, span])
        prior &= np.isfinite(offset_past)
        offset_past = np.where(prior, offset_past, 0.0)
        reason[~np.isfinite(offset[:, -1])] = REASON["no-exposure"]
        counts[~np.isfinite(offset)] = np.nan
        offset = np.where(np.isfinite(offset), offset, 0.0)
    share, error_of_share = np.ones(counts.shape), np.zeros(counts.shape)
    if panel.completeness is not None:
        share, error_of_share = panel.completeness.share[rows, span], panel.completeness.error[rows, span]
        prior &= panel.completeness.share[rows, base].T >= 1.0
        counts[share < chart.min_share] = np.nan
    known = prior.sum(axis=0)
    reason[known < shortest] = REASON["too-short"]
    reason[np.isnan(panel.observed[rows, now])] = REASON["missing"]
    if panel.completeness is not None:
        reason[(share[:, -1] < chart.min_share) & (reason == 0)] = REASON["unripe"]
    shape = (len(counts), counts.shape[1])
    mean, phi, error, alpha = np.full(shape, np.nan), *(np.full(len(counts), np.nan) for _ in range(3))
    todo = np.flatnonzero(reason == 0)
    if todo.size:
        y = np.where(prior, past, 0.0)[:, todo]
        weight = prior[:, todo].astype(np.float64)
        # A series without a single case counts as having had half a case in all.
        y = np.where((y.max(axis=0) == 0) & (weight > 0), 0.5 / known[todo], y)
        year = _CALENDAR_YEAR[frequency] if chart.year_match == "calendar" else float(PERIODS_PER_YEAR[frequency])
        scale = {"trend": chart.trend, "centre": float(end), "scale": float(max(end - base.start, 1))}
        x, x_span = (in_control.design(np.arange(part.start, part.stop) + 1.0, year, chart.harmonics, **scale) for part in (base, span))
        offsets = None if offset_past is None else offset_past[:, todo]
        if chart.dispersion == "ml":
            found = in_control.fit_negative_binomial(y, weight, x, offset=offsets)
            alpha[todo] = found.alpha
        else:
            given = np.full(todo.size, chart.nb_alpha) if chart.dispersion == "given" else None
            penalty = None
            if chart.coefficient_sd is not None:
                penalty = np.full(x.shape[1], chart.coefficient_sd**-2.0)
                penalty[0] = 0.0
            found = in_control.fit(y, weight, x, offset=offsets, penalty=penalty, alpha=given)
            alpha[todo] = np.nan if given is None else given
        predicted, standard = found.predict(x_span, offset[todo].T)
        inflation = np.ones(todo.size)  # of the covariance: one that rests on alpha holds the spread already
        if chart.dispersion in {"ml", "given"}:
            spread = 1.0 + found.alpha * predicted[-1]
        elif chart.dispersion == "poisson":
            spread = inflation
        else:
            spread = in_control.dispersion(y, weight, found.mean, x.shape[1])
            spread = inflation = spread + in_control.dispersion_allowance(spread, in_control.total_by_series(y), known[todo])
        failed = ~found.ok | ~np.isfinite(standard[-1] + spread) | (predicted.max(axis=0) > 1e15)
        reason[todo[failed]] = REASON["no-convergence"]
        phi[todo], error[todo] = spread, standard[-1] * np.sqrt(inflation)
        complete = np.maximum(predicted.T, 1e-9)
        mean[todo], reported = thresholds.thinned(complete, spread[:, None], np.maximum(share, 1e-9)[todo], error_of_share[todo])
        used = np.isfinite(counts[todo])
        more = np.where(used, reported - spread[:, None], 0.0)
        phi[todo] += sum(more[:, at] for at in range(more.shape[1])) / np.maximum(used.sum(axis=1), 1)
    return Window(counts, mean, phi, error, alpha, reason)
