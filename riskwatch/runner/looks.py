"""How often each series and period was looked at before: what the control of false discoveries spends its error over.

A look is a number of cases, above none, at which a series and period was judged. While a period fills, only new cases can make it more
unusual than it was: with more inspections and the same failures p rises, and without a case nothing can be found. Of all looks at one
number of cases the first is the most unusual, so the error spent on that number is spent once: where inspections come one by one,
P(the k-th case comes so early that its p is at most w) is at most w, whatever looks were taken before.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.runner.context import RunContext

__all__ = ["FIGURES", "KEY", "SeenFigures", "count_looks", "with_looks"]

KEY = ["model", "product", "industry", "region", "stratum", "period_start"]
FIGURES = ["observed"]
DIGITS = 9  # numbers of cases may be estimates: what differs by rounding alone is the same


def with_looks(ctx: RunContext, signals: pd.DataFrame) -> pd.DataFrame:
    """Return ``signals`` with ``looks``: the distinct numbers of cases at which each series and period was judged, this run included.

    Only detections of earlier as-of days count, so a run that is killed and repeated finds the same.
    """
    judged = signals.loc[signals["p_value"].notna()]
    if judged.empty:
        return signals.assign(looks=1)
    since = pd.Timestamp(min(judged["period_start"])).date()
    models = sorted(set(judged["model"]))
    return signals.assign(looks=count_looks(ctx.store.read_looks(models, since=since, before=ctx.as_of), signals))


def count_looks(before: pd.DataFrame, signals: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return for each row of ``signals`` the distinct numbers of cases at which its series and period was judged; at least 1.

    Parameters
    ----------
    before : pandas.DataFrame
        What was judged on earlier days: columns :data:`KEY` and :data:`FIGURES`; repetitions count once.
    signals : pandas.DataFrame
        This day's judgements.
    """
    before, now = before[[*KEY, *FIGURES]].copy(), signals[[*KEY, *FIGURES]].copy()
    for frame in (before, now):
        frame["period_start"] = pd.to_datetime(frame["period_start"]).astype("datetime64[s]")
        for name in KEY[:-1]:
            frame[name] = frame[name].astype("object")
        frame[FIGURES] = frame[FIGURES].astype("float64").round(DIGITS)
    every = pd.concat([before, now], ignore_index=True).drop_duplicates([*KEY, *FIGURES])
    every = every.loc[(every[FIGURES] > 0).all(axis=1)]
    counts = every.groupby(KEY, dropna=False, sort=False).size().rename("looks").reset_index()
    return now.merge(counts, on=KEY, how="left")["looks"].fillna(1).to_numpy(dtype=np.int64)


class SeenFigures:
    """Cases at which the series and periods of one model were judged so far, in few numbers: many days are counted one after the other.

    For each day the same numbers as :func:`count_looks` gives.
    """

    def __init__(self) -> None:
        self._codes: list[dict[str, int]] = [{} for _ in KEY[1:-1]]
        # One row for each series, period and number of cases: codes of the series, day of the period; bits of the number.
        self._cells = np.empty((0, len(KEY) - 1), np.int64)
        self._figures = np.empty(0, np.int64)

    def count(self, signals: pd.DataFrame) -> npt.NDArray[np.int64]:
        """Return the looks at each row of a day's judgements, and remember those with a p-value."""
        judged = signals["p_value"].notna().to_numpy()
        if not judged.any():
            return np.ones(len(signals), np.int64)
        observed = signals[FIGURES[0]].to_numpy(np.float64)
        cells, figures = self._cells_of(signals), _bits(observed)
        # Periods before the oldest judged one are not asked for again: a model's window only moves on.
        kept = self._cells[:, -1] >= cells[judged, -1].min()
        every = np.concatenate([self._cells[kept], cells])
        bits = np.concatenate([self._figures[kept], figures])
        number = _numbered(every)
        order = np.lexsort((bits, number))
        some = np.concatenate([np.ones(int(kept.sum()), np.bool_), np.round(observed, DIGITS) > 0])
        new = some[order]
        new[1:] &= (number[order][1:] != number[order][:-1]) | (bits[order][1:] != bits[order][:-1])
        looks = np.bincount(number[order][new], minlength=int(number.max()) + 1)[number[int(kept.sum()) :]]
        # What a day did not judge is no look of later days.
        lasting = some & np.concatenate([np.ones(int(kept.sum()), np.bool_), judged])
        stays = order[lasting[order]]
        repeated = np.zeros(len(stays), np.bool_)
        repeated[1:] = (number[stays][1:] == number[stays][:-1]) & (bits[stays][1:] == bits[stays][:-1])
        self._cells, self._figures = every[stays[~repeated]], bits[stays[~repeated]]
        return np.maximum(looks, 1).astype(np.int64)

    def _cells_of(self, signals: pd.DataFrame) -> npt.NDArray[np.int64]:
        columns = []
        for known, name in zip(self._codes, KEY[1:-1], strict=True):
            place, texts = pd.factorize(signals[name].astype("object"), use_na_sentinel=False)
            columns.append(np.array([known.setdefault(text, len(known)) for text in texts], np.int64)[place])
        start = pd.to_datetime(signals["period_start"]).to_numpy().astype("datetime64[s]")
        return np.column_stack([*columns, start.astype(np.int64)])


def _numbered(cells: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Return a number for each row, the same for the same row."""
    number = np.zeros(len(cells), np.int64)
    for column in cells.T:
        values, place = np.unique(column, return_inverse=True)
        _, number = np.unique(number * len(values) + place, return_inverse=True)
    return number


def _bits(figures: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return figures, rounded, as whole numbers that are equal where the figures are, or both missing."""
    rounded = np.round(figures, DIGITS) + 0.0  # -0.0 is 0.0
    return np.ascontiguousarray(np.where(np.isnan(rounded), np.nan, rounded)).view(np.int64)
