"""Shares worked out from this system's own records by a declared form; labelled as such, never a figure of an official survey."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.indicators.forms import Derived
from riskwatch.indicators.periods import PER_YEAR, last_day, numbers
from riskwatch.indicators.values import RECORD_COLUMNS

__all__ = ["DERIVED_SOURCE", "derive", "fields_of"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

DERIVED_SOURCE = "riskwatch"


def fields_of(form: Derived) -> list[str]:
    """Return the fields of the stream that a form reads."""
    numerator = form.numerator
    names = [form.dated_by, *form.where, *form.present, *form.absent, *numerator.where, "region"]
    names += [name for name in (form.denominator, numerator.sum, numerator.less) if name is not None]
    names += [numerator.within.since, numerator.within.until] if numerator.within is not None else []
    return list(dict.fromkeys(names))


def derive(
    records: pd.DataFrame,
    code: str,
    form: Derived,
    *,
    regions: Mapping[str, Collection[str]],
    periods: Sequence[str],
    as_of: dt.date,
    first_year: int,
) -> pd.DataFrame:
    """Return the values of a derived indicator.

    Parameters
    ----------
    records : DataFrame
        Records of ``form.stream`` as known on the day, with :func:`fields_of`.
    code : str
        Indicator.
    form : Derived
    regions : mapping of str to collection of str
        Region -> codes of records that belong to it, itself and all below it.
    periods : sequence of str
        Lengths of period. A period that has not ended by the day is left out; one whose records are still coming in is not held back:
        its n says how many there are.
    as_of : date
    first_year : int
        Earlier periods are left out: where the records of a system begin, its first year is not whole.

    Returns
    -------
    DataFrame
        ``RECORD_COLUMNS`` and ``source``, ``known_at``, with ``numerator`` and ``n`` counts; no row where there was nothing to count.
    """
    kept, total, counted = _counts(records, form, as_of)
    dates = pd.to_datetime(kept[form.dated_by])
    codes, at = np.unique(kept["region"].astype("object").where(kept["region"].notna(), "").to_numpy().astype(str), return_inverse=True)
    inside = {place: np.isin(codes, sorted(below))[at] for place, below in regions.items()}
    frames = []
    for kind in periods:
        number = numbers(dates, pd.Series(kind, index=kept.index, dtype="object"))
        present = np.unique(number)
        ended = present[[last_day(value, kind) < as_of for value in present.tolist()]]
        whole = np.isin(number, ended) & (number >= first_year * PER_YEAR[kind])
        for place, within in inside.items():
            here = whole & within
            if here.any():
                frames.append(_sums(number[here], total[here], counted[here]).assign(region=place, period_type=kind))
    if not frames:
        return pd.DataFrame(columns=[*RECORD_COLUMNS, "source", "known_at"])
    found = pd.concat(frames, ignore_index=True)
    found["event_date"] = pd.to_datetime(
        [last_day(number, kind) for number, kind in zip(found["number"], found["period_type"], strict=True)]
    )
    found["value"] = form.scale * found["numerator"] / found["n"]
    found = found.assign(indicator=code, standard_error=np.nan, status="", source=DERIVED_SOURCE, known_at=pd.Timestamp(as_of))
    return found[[*RECORD_COLUMNS, "source", "known_at"]].sort_values(["region", "period_type", "event_date"], ignore_index=True)


def _counts(records: pd.DataFrame, form: Derived, as_of: dt.date) -> tuple[pd.DataFrame, FloatArray, FloatArray]:
    """Return the records that count, with what each adds to the denominator and to the numerator."""
    keep = np.array(records[form.dated_by].notna(), dtype=np.bool_)
    for name, allowed in form.where.items():
        keep &= _is_one_of(records[name], allowed)
    for name in form.present:
        keep &= _given(records[name])
    for name in form.absent:
        keep &= ~_given(records[name])
    within = form.numerator.within
    if within is not None:
        term = pd.to_datetime(records[within.since]) + pd.Timedelta(days=within.days)
        # A term that still runs is neither kept nor missed.
        keep &= (term < pd.Timestamp(as_of)).to_numpy(dtype=np.bool_)
    kept = records.loc[keep].reset_index(drop=True)
    total = np.ones(len(kept)) if form.denominator is None else _filled(kept[form.denominator])
    if form.numerator.less is not None:
        counted: FloatArray = total - _filled(kept[form.numerator.less])
    elif form.numerator.sum is not None:
        counted = _filled(kept[form.numerator.sum])
    elif within is not None:
        done = pd.to_datetime(kept[within.until]) <= pd.to_datetime(kept[within.since]) + pd.Timedelta(days=within.days)
        counted = np.where(done.to_numpy(dtype=np.bool_), total, 0.0)
    else:
        hit = np.ones(len(kept), dtype=np.bool_)
        for name, allowed in form.numerator.where.items():
            hit &= _is_one_of(kept[name], allowed)
        counted = np.where(hit, total, 0.0)
    return kept, total, counted


def _filled(column: pd.Series) -> FloatArray:
    return np.asarray(column.astype(np.float64).fillna(0.0).to_numpy(), dtype=np.float64)


def _is_one_of(column: pd.Series, allowed: Collection[str]) -> BoolArray:
    return np.asarray(column.astype("object").isin(list(allowed)).to_numpy(), dtype=np.bool_)


def _given(column: pd.Series) -> BoolArray:
    values = column.astype("object")
    return np.asarray((values.notna() & (values != "")).to_numpy(), dtype=np.bool_)


def _sums(number: npt.NDArray[np.int64], total: FloatArray, counted: FloatArray) -> pd.DataFrame:
    """Return sums by period; counts are whole numbers, so that the order of adding does not matter."""
    periods, at = np.unique(number, return_inverse=True)
    sums = {name: np.bincount(at, weights=part, minlength=len(periods)) for name, part in (("numerator", counted), ("n", total))}
    frame = pd.DataFrame({"number": periods, **sums})
    return frame.loc[frame["n"] > 0]
