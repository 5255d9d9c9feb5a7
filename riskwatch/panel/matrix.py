"""The matrices themselves: observed and exposure, series by period."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.errors import PanelError
from riskwatch.panel.context import Breakdown, Completeness, Covariates, Geography

__all__ = ["Panel", "from_ordinals", "key_frame", "last_days"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_ROUNDING = 1e-9  # relative: measures need not be whole numbers


@dataclass(frozen=True, eq=False)
class Panel:
    """Counts of many series over common periods.

    Parameters
    ----------
    observed : array of float, shape (series, period)
        Counts; NaN is missing, which is not zero.
    index : pandas.Index
        One key per series, unique; a MultiIndex with the dimensions as level names when built from records.
    periods : pandas.PeriodIndex
        Consecutive periods, oldest first.
    exposure : array of float, shape (series, period), optional
        Denominator (samples inspected, hospital days, population), same units along a series; NaN is missing.
    covariates : Covariates, optional
        Known influences by period; detectors that fit a regression take them in, the others leave them aside.
    completeness : Completeness, optional
        How much of each cell was known; without it every cell counts as complete.
    breakdown : Breakdown, optional
        The counts split by laboratory, say; detectors that know effects of its labels take it in, the others leave it aside.
    geography : Geography, optional
        Where the series are; detectors that compare neighbours need it, the others leave it aside.

    Raises
    ------
    PanelError
        If shapes do not fit, keys repeat, periods have gaps, or counts are negative or infinite; the message lists everything found.
    """

    observed: FloatArray
    index: pd.Index[Any]
    periods: pd.PeriodIndex
    exposure: FloatArray | None = None
    covariates: Covariates | None = None
    completeness: Completeness | None = None
    breakdown: Breakdown | None = None
    geography: Geography | None = None

    def __post_init__(self) -> None:
        problems: list[str] = []
        index: Any = self.index
        if not isinstance(index, pd.Index):
            index = pd.Index(index)
        if not isinstance(self.periods, pd.PeriodIndex):
            raise PanelError(
                f"Panel: periods must be a pandas PeriodIndex, got {type(self.periods).__name__}",
                hint="pandas.period_range('2020-01-06', periods=52, freq='W-SUN')",
            )
        shape = (len(index), len(self.periods))
        arrays: dict[str, FloatArray | None] = {"exposure": None}
        for name in ("observed", "exposure"):
            given = getattr(self, name)
            if given is None and name == "exposure":
                continue
            try:
                values = np.asarray(given, dtype=np.float64)
            except (TypeError, ValueError) as error:
                problems.append(f"{name} must be numbers: {error}")
                continue
            if values.shape != shape:
                problems.append(f"{name} must have shape (series, period) = {shape}, got {values.shape}")
                continue
            for what, bad in (("negative", values < 0), ("infinite", np.isinf(values))):
                if bad.any():
                    row, column = np.argwhere(bad)[0]
                    problems.append(
                        f"{name} must be finite and >= 0 or NaN; {int(bad.sum())} {what}, first {values[row, column]:g} "
                        f"for series {index[row]!r} in {self.periods[column]}"
                    )
            arrays[name] = values
        problems += _context_problems(self.covariates, self.completeness, shape)
        if self.breakdown is not None and not problems:
            problems += _breakdown_problems(self.breakdown, arrays)
        if self.geography is not None and self.geography.place.shape != shape[:1]:
            problems.append(f"geography must have one place per series ({shape[0]}), got {len(self.geography.place)}")
        repeated = index.duplicated()
        if repeated.any():
            problems.append(f"index must be unique; {int(repeated.sum())} repeated, first {index[repeated][0]!r}")
        if self.periods.hasnans:
            problems.append("periods must not contain NaT")
        elif len(self.periods) > 1:
            steps = np.diff(self.periods.asi8)
            wrong = np.flatnonzero(steps != _multiple(self.periods))
            if wrong.size:
                at = int(wrong[0])
                problems.append(
                    f"periods must be consecutive, oldest first; {wrong.size} break(s), "
                    f"first between {self.periods[at]} and {self.periods[at + 1]}"
                )
        if problems:
            raise PanelError("Panel: " + "; ".join(problems), hint="missing counts are NaN; absent periods need a column of NaN")
        object.__setattr__(self, "index", index)
        for name, checked in arrays.items():
            object.__setattr__(self, name, checked)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of series and of periods."""
        return (len(self.index), len(self.periods))

    def to_frame(self) -> pd.DataFrame:
        """Return a long frame: the index's levels as columns, ``period``, ``observed`` and, if there is one, ``exposure``."""
        series, periods = self.shape
        frame = key_frame(self.index, periods)
        frame["period"] = self.periods[np.tile(np.arange(periods), series)]
        frame["observed"] = self.observed.ravel()
        if self.exposure is not None:
            frame["exposure"] = self.exposure.ravel()
        return frame

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, keys: Sequence[str] | str | None = None) -> Panel:
        """Build a panel from a long frame as :meth:`to_frame` returns it.

        Parameters
        ----------
        frame : DataFrame
            ``period`` (Period), ``observed``, optionally ``exposure``, and key columns. Cells that are absent become missing (NaN).
        keys : str or sequence of str, optional
            Key columns; by default every other column, in order.

        Raises
        ------
        PanelError
            If a column is absent, ``period`` is not of period type, or a (key, period) pair repeats.
        """
        columns = [keys] if isinstance(keys, str) else list(keys) if keys is not None else []
        if keys is None:
            columns = [str(name) for name in frame.columns if name not in {"period", "observed", "exposure"}]
        absent = [name for name in (*columns, "period", "observed") if name not in frame.columns]
        if absent or not columns:
            raise PanelError(f"Panel.from_frame: needs key columns, 'period' and 'observed'; absent: {absent or 'key columns'}")
        if not isinstance(frame["period"].dtype, pd.PeriodDtype):
            raise PanelError(
                f"Panel.from_frame: 'period' must be of period type, got {frame['period'].dtype}", hint="Series.dt.to_period('W-SUN')"
            )
        when = pd.PeriodIndex(frame["period"])
        step = _multiple(when)
        oldest, newest = (int(when.asi8.min()), int(when.asi8.max())) if len(when) else (0, -1)
        periods = from_ordinals(np.arange(oldest, newest + 1, step), when.freqstr)
        key: pd.Index[Any] = pd.Index(frame[columns[0]], name=columns[0]) if len(columns) == 1 else pd.MultiIndex.from_frame(frame[columns])
        series, found = key.factorize()
        index: Any = found
        if ((when.asi8 - oldest) % step).any():
            raise PanelError(f"Panel.from_frame: the periods do not lie on one grid of {when.freqstr}")
        cell = np.asarray(series, np.int64) * len(periods) + (when.asi8 - oldest) // step
        if len(np.unique(cell)) != len(cell):
            raise PanelError("Panel.from_frame: a (key, period) pair occurs more than once", hint="sum the counts first")
        arrays = []
        for name in ("observed", "exposure"):
            if name in frame.columns:
                values = np.full(len(index) * len(periods), np.nan)
                values[cell] = frame[name].to_numpy(np.float64, na_value=np.nan)
                arrays.append(values.reshape(len(index), len(periods)))
        return cls(arrays[0], index.set_names(columns), periods, arrays[1] if len(arrays) > 1 else None)

    def select(self, which: npt.ArrayLike | Sequence[Hashable] | pd.Index[Any]) -> Panel:
        """Return the panel of some series: a boolean mask over the series, or keys in the order wanted.

        Raises
        ------
        PanelError
            If the mask has the wrong length or a key is unknown.
        """
        mask = np.asarray(which) if not isinstance(which, pd.MultiIndex) else np.empty(0, object)
        if mask.dtype == np.bool_:
            if mask.shape != (len(self.index),):
                raise PanelError(f"Panel.select: the mask must have length {len(self.index)}, got shape {mask.shape}")
            rows = np.flatnonzero(mask)
        else:
            wanted = list(which)  # type: ignore[arg-type]  # a sequence of keys: the mask case is above
            keys: pd.Index[Any] = pd.MultiIndex.from_tuples(wanted) if isinstance(self.index, pd.MultiIndex) else pd.Index(wanted)
            rows = self.index.get_indexer(keys)
            if (rows < 0).any():
                unknown = wanted[int(np.flatnonzero(rows < 0)[0])]
                raise PanelError(f"Panel.select: no series {unknown!r} among {len(self.index)}")
        return self._cut(rows, slice(None))

    def head(self, until: pd.Period | dt.date | str) -> Panel:
        """Return the panel up to and including the period ``until`` (or the last period that ends by the day ``until``)."""
        if isinstance(until, pd.Period):
            keep = int((self.periods.asi8 <= until.ordinal).sum())
        else:
            keep = int((last_days(self.periods) <= np.datetime64(pd.Timestamp(until), "D")).sum())
        return self._cut(slice(None), slice(keep))

    def _cut(self, rows: npt.NDArray[np.intp] | slice, columns: slice) -> Panel:
        influences, complete = self.covariates, self.completeness
        if influences is not None:
            applies = None if influences.applies is None else influences.applies[:, rows]
            influences = Covariates(influences.names, influences.values[:, columns], applies)
        if complete is not None:
            complete = Completeness(complete.share[rows, columns], complete.error[rows, columns])
        parts = self.breakdown
        if parts is not None:
            inspected = None if parts.exposure is None else parts.exposure[:, rows, columns]
            parts = Breakdown(parts.field, parts.labels, parts.observed[:, rows, columns], inspected)
        exposure = None if self.exposure is None else self.exposure[rows, columns]
        where = None if self.geography is None else self.geography.take(rows)
        return Panel(self.observed[rows, columns], self.index[rows], self.periods[columns], exposure, influences, complete, parts, where)


def _context_problems(covariates: Covariates | None, completeness: Completeness | None, shape: tuple[int, int]) -> list[str]:
    problems = []
    if covariates is not None and covariates.values.shape[1] != shape[1]:
        problems.append(f"covariates must have a value per period ({shape[1]}), got {covariates.values.shape[1]}")
    if covariates is not None and covariates.applies is not None and covariates.applies.shape[1] != shape[0]:
        problems.append(f"covariates.applies must have a column per series ({shape[0]}), got {covariates.applies.shape[1]}")
    if completeness is not None and completeness.share.shape != shape:
        problems.append(f"completeness must have shape (series, period) = {shape}, got {completeness.share.shape}")
    return problems


def _breakdown_problems(breakdown: Breakdown, arrays: Mapping[str, FloatArray | None]) -> list[str]:
    """Compare the sums over the labels with the panel's counts; a missing count needs no sum."""
    problems = []
    for name, whole in arrays.items():
        parts = getattr(breakdown, name)
        if (parts is None) != (whole is None):
            problems.append(f"breakdown.{name} must be there if and only if {name} is")
        elif parts is not None and whole is not None and parts.shape[1:] != whole.shape:
            problems.append(f"breakdown.{name} must have shape (label, series, period) = (any, {whole.shape}), got {parts.shape}")
        elif parts is not None and whole is not None:
            total = parts.sum(axis=0)
            wrong = np.abs(total - np.nan_to_num(whole)) > _ROUNDING * np.maximum(total, 1.0)
            if wrong.any():
                row, column = np.argwhere(wrong)[0]
                problems.append(
                    f"breakdown.{name} must add up to {name}; {int(wrong.sum())} cells do not, first {total[row, column]:g} "
                    f"of {whole[row, column]:g}"
                )
    return problems


def key_frame(index: pd.Index[Any], repeats: int) -> pd.DataFrame:
    """Return the levels of ``index`` as columns, each row ``repeats`` times; an unnamed index becomes ``series``."""
    rows = np.repeat(np.arange(len(index)), repeats)
    if isinstance(index, pd.MultiIndex):
        names = [str(name) if name is not None else f"level_{at}" for at, name in enumerate(index.names)]
        return pd.DataFrame({name: index.get_level_values(at).take(rows) for at, name in enumerate(names)})
    return pd.DataFrame({str(index.name) if index.name is not None else "series": index.take(rows)})


def _multiple(periods: pd.PeriodIndex) -> int:
    """Return how many base units one period has (4 for '4W-SUN')."""
    freq: Any = periods.freq
    return int(freq.n)


def from_ordinals(ordinals: IntArray, freq: str) -> pd.PeriodIndex:
    """Return the periods with these pandas ordinals (weeks or days since 1970, months since January 1970)."""
    made: pd.PeriodIndex = pd.PeriodIndex.from_ordinals(ordinals, freq=freq)  # type: ignore[attr-defined]  # missing in the stubs
    return made


def last_days(periods: pd.PeriodIndex) -> npt.NDArray[np.datetime64]:
    """Return the last day of each period."""
    return np.asarray(periods.end_time.to_numpy()).astype("datetime64[D]")
