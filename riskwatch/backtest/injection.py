"""Outbreaks of a stated size and length put into real history, and which of them a model would have seen."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.calendar import period_bounds
from riskwatch.detectors import Signals
from riskwatch.errors import ProjectError
from riskwatch.panel import Panel

__all__ = ["Outbreak", "injected", "shares_of", "trials"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_HIGHEST = 0.95  # no outbreak makes more than so many of a hundred samples fail
TRIAL_COLUMNS = ("series", "onset", "expected", "judged", "found", "days", "before")


@dataclass(frozen=True, slots=True)
class Outbreak:
    """So many times the usual number of cases (or the usual share of failures), for so many days."""

    effect: float
    days: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.effect) and self.effect > 1):
            raise ProjectError(f"an outbreak multiplies what is usual: effect must be above 1, got {self.effect:g}")
        if self.days < 1:
            raise ProjectError(f"an outbreak lasts a day at the least, got {self.days}")


def shares_of(periods: pd.PeriodIndex, days: int) -> FloatArray:
    """Return which share of each period an outbreak covers that begins on the first day of the first, shape (period,)."""
    starts, ends = period_bounds(periods)
    length = (ends - starts).astype("timedelta64[D]").astype(np.int64) + 1
    before = (starts - starts[0]).astype("timedelta64[D]").astype(np.int64)
    return np.asarray(np.clip(days - before, 0, length) / length, dtype=np.float64)


def injected(panel: Panel, onset: int, expected: FloatArray, outbreak: Outbreak, rng: np.random.Generator) -> Panel:
    """Return the panel with an outbreak in every series from the period ``onset`` on.

    Counts: Poisson with (effect - 1) times what is expected, by the share of the period that the outbreak covers. Shares: each sample that
    passed fails with the probability that makes the share ``effect`` times the expected one, 95 % at most; how many are sampled stays.

    Parameters
    ----------
    panel : Panel
        Its last periods are those of the outbreak and after.
    onset : int
        Position of the first period of the outbreak.
    expected : array, shape (series, period from onset)
        What is usual in those periods; NaN: nothing is added.
    outbreak : Outbreak
    rng : numpy.random.Generator
    """
    covered = shares_of(panel.periods[onset:], outbreak.days)
    usual = np.where(np.isfinite(expected), expected, 0.0)
    observed = panel.observed.copy()
    here = observed[:, onset:]
    if panel.exposure is None:
        extra = rng.poisson((outbreak.effect - 1.0) * usual * covered).astype(np.float64)
        observed[:, onset:] = here + np.where(np.isfinite(here), extra, 0.0)
        return dataclasses.replace(panel, observed=observed, breakdown=None)
    exposure = np.nan_to_num(panel.exposure[:, onset:])
    share = np.divide(usual, exposure, out=np.zeros_like(usual), where=exposure > 0)
    raised = np.minimum(share * (1.0 + (outbreak.effect - 1.0) * covered), np.maximum(share, _HIGHEST))
    turned = np.divide(raised - share, 1.0 - share, out=np.zeros_like(share), where=share < 1)
    parts = panel.breakdown
    if parts is None or parts.exposure is None:
        passed = np.maximum(np.nan_to_num(exposure - here), 0.0)
        observed[:, onset:] = here + rng.binomial(np.rint(passed).astype(np.int64), turned)
        return dataclasses.replace(panel, observed=observed)
    split = parts.observed.copy()
    passed = np.maximum(parts.exposure[:, :, onset:] - split[:, :, onset:], 0.0)
    extra = rng.binomial(np.rint(passed).astype(np.int64), turned[None, :, :]).astype(np.float64)
    extra = np.where(np.isfinite(here)[None, :, :], extra, 0.0)
    split[:, :, onset:] += extra
    observed[:, onset:] = here + extra.sum(axis=0)
    return dataclasses.replace(panel, observed=observed, breakdown=dataclasses.replace(parts, observed=split))


def trials(
    panel: Panel,
    judge: Callable[[Panel, pd.PeriodIndex], Signals],
    alarms: Callable[[Signals], BoolArray],
    *,
    onsets: Sequence[int],
    outbreak: Outbreak,
    rng: np.random.Generator,
    later: int = 1,
    advance: Callable[[], object] = lambda: None,
) -> pd.DataFrame:
    """Put an outbreak into every series at each onset and judge the periods that it touches, and ``later`` ones after.

    Parameters
    ----------
    panel : Panel
    judge : callable
        Judges periods of a panel; each by what lies before it.
    alarms : callable
        Which judgements are alarms, shape (series, judged period).
    onsets : sequence of int
        Positions of first periods.
    outbreak : Outbreak
    rng : numpy.random.Generator
    later : int
        Periods after the outbreak in which it may still be found.
    advance : callable
        Told of each onset that is done.

    Returns
    -------
    pandas.DataFrame
        One row for each onset and series that had no missing period: position of the ``series``, ``onset``; ``expected`` cases in a period;
        ``judged``: whether the model judged the first; ``found``: whether an alarm came that would not have come without the outbreak;
        ``days`` from its first day to the end of the period that alarmed (NaN: never); ``before``: whether it would have alarmed anyway.
    """
    rows: list[pd.DataFrame] = []
    for onset in onsets:
        span = int((shares_of(panel.periods[onset:], outbreak.days) > 0).sum()) + later
        part = panel.head(panel.periods[min(onset + span, len(panel.periods)) - 1])
        looked = part.periods[onset:]
        usual = judge(part, looked)
        there = alarms(usual)
        made = alarms(judge(injected(part, onset, usual.expected, outbreak, rng), looked))
        new = made & ~there
        found = new.any(axis=1)
        ends = period_bounds(looked)[1]
        days = (ends - period_bounds(looked)[0][0]).astype("timedelta64[D]").astype(np.float64) + 1.0
        whole: BoolArray = np.asarray(np.isfinite(part.observed[:, onset:]).any(axis=1), dtype=np.bool_)
        made_rows = pd.DataFrame(
            {
                "series": np.arange(len(panel.index)),
                "onset": onset,
                "expected": usual.expected[:, 0],
                "judged": usual.reason[:, 0] == 0,
                "found": found,
                "days": np.where(found, days[new.argmax(axis=1)], np.nan),
                "before": there.any(axis=1),
            }
        )
        rows.append(made_rows.loc[whole])
        advance()
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=list(TRIAL_COLUMNS))
