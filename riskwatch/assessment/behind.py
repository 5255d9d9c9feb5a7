"""The records behind a concern: selected by subject, place and time, without duplicates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.texts import coded
from riskwatch.assessment.types import Subject

__all__ = ["NUMERATOR", "RecordBase", "Window", "drop_duplicates"]

BoolArray = npt.NDArray[np.bool_]
Window = tuple[dt.date, dt.date]

# What each stream counts; "" for its records. Streams that are not here (indicators, enterprises, registers) are no evidence.
NUMERATOR = {
    "spot_check": "failed",
    "injury": "persons",
    "external_notice": "notices",
    "accident": "",
    "complaint": "complaints",
    "recall": "",
    "media": "reports",
    "insurance_claim": "claims",
    "trade_inspection": "refused",
}
PRODUCTS = ("product", "product_2", "product_3")

# The same event in two lists: equal in all of these, none missing.
NATURAL_KEYS: dict[str, tuple[str, ...]] = {
    "spot_check": ("event_date", "product", "producer", "sampled", "product_name", "batch_no", "verdict"),
    "injury": ("event_date", "product", "region", "hospital", "age", "sex", "body_part", "diagnosis", "outcome"),
}


def drop_duplicates(frame: pd.DataFrame, stream: str) -> pd.DataFrame:
    """Return ``frame`` with each event once: by source and key, then by what makes an event the same.

    Rows in which any part of the natural key is missing are never taken for duplicates.
    """
    by = [column for column in ("source", "record_key") if column in frame.columns]
    if "record_key" in by:
        frame = frame.loc[~frame.duplicated(by)]
    natural = NATURAL_KEYS.get(stream, ())
    if natural and all(column in frame.columns for column in natural):
        keys = frame[list(natural)]
        complete = np.logical_and.reduce([_given(keys[name]) for name in natural])
        frame = frame.loc[~(complete & keys.duplicated().to_numpy())]
    return frame.reset_index(drop=True)


def _given(column: pd.Series) -> BoolArray:
    """Return where a column has a value that is not the empty text."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        blank = np.array([*(text == "" for text in column.cat.categories), True], dtype=np.bool_)
        return ~blank[column.cat.codes.to_numpy()]  # -1, missing, reads the last
    given = column.notna().to_numpy()
    return given if column.dtype.kind in "biufM" else given & (column.astype("object") != "").to_numpy()


@dataclass(eq=False)
class _Codes:
    """A column of codes as small integers, with a cache of which codes lie within an ancestor."""

    ids: npt.NDArray[np.intp]
    codes: list[str]
    paths: TreePaths
    cache: dict[str, BoolArray] = field(default_factory=dict)

    @classmethod
    def of(cls, column: pd.Series, paths: TreePaths) -> _Codes:
        found = coded(column)
        order = np.argsort(found.words)
        place = np.empty(len(order), dtype=np.intp)
        place[order] = np.arange(len(order))
        return cls(place[found.ids], found.words[order].tolist(), paths)

    def within(self, ancestor: str) -> BoolArray:
        known = self.cache.get(ancestor)
        if known is None:
            # A missing code lies within "" only: unknown is not everywhere.
            known = np.array([self.paths.within(code, ancestor) for code in self.codes], dtype=np.bool_)
            self.cache[ancestor] = known
        return known[self.ids] if len(known) else np.zeros(len(self.ids), dtype=np.bool_)


class RecordBase:
    """Records of all streams, indexed for quick selection along the trees.

    Parameters
    ----------
    records : mapping of str to pandas.DataFrame
        Stream -> rows known on the as-of day with event dates in the recent window; streams that :data:`NUMERATOR` does not name are
        left aside.
    items : pandas.DataFrame
        Test items: ``record_key``, ``item``, ``verdict`` and, where sources may share keys, ``source``.
    paths : mapping of str to TreePaths
        ``product``, ``industry``, ``region``.
    """

    def __init__(self, records: Mapping[str, pd.DataFrame], items: pd.DataFrame, paths: Mapping[str, TreePaths]) -> None:
        self.paths = paths
        self.frames: dict[str, pd.DataFrame] = {}
        self.duplicates: dict[str, int] = {}
        self._codes: dict[tuple[str, str], _Codes] = {}
        self._dates: dict[str, npt.NDArray[np.datetime64]] = {}
        self._counts: dict[str, npt.NDArray[np.float64]] = {}
        self._counted: dict[tuple[str, str, str, str, Window | None], float] = {}
        for stream in sorted(records):
            # Figures of indicators, classes and licences of enterprises, recalls and plans of other states are context: neither evidence
            # nor part of a count.
            if stream in NUMERATOR:
                self._add(stream, records[stream])
        self.items = items
        self._sample_of_item = self._join(items)

    def _join(self, items: pd.DataFrame) -> npt.NDArray[np.intp]:
        """Return the row of the spot checks that each test item belongs to, -1 for none."""
        rows = self.frames.get("spot_check")
        if rows is None or items.empty or "record_key" not in rows.columns or "record_key" not in items.columns:
            return np.full(len(items), -1, dtype=np.intp)
        by = ["source", "record_key"] if "source" in items.columns and "source" in rows.columns else ["record_key"]
        place = rows[by].astype("object").drop_duplicates().reset_index(names="_row")
        joined = items[by].astype("object").reset_index(drop=True).merge(place, on=by, how="left")
        return np.asarray(joined["_row"].fillna(-1), dtype=np.intp)

    def _add(self, stream: str, frame: pd.DataFrame) -> None:
        order = [column for column in ("event_date", "source", "record_key") if column in frame.columns]
        known = drop_duplicates(frame.sort_values(order, kind="stable") if order else frame, stream)
        self.frames[stream] = known
        self.duplicates[stream] = len(frame) - len(known)
        self._dates[stream] = pd.to_datetime(known["event_date"]).to_numpy().astype("datetime64[D]")
        counted = NUMERATOR.get(stream, "")
        values = known[counted] if counted in known.columns else pd.Series(1.0, index=known.index)
        self._counts[stream] = np.asarray(values.astype(np.float64).fillna(0.0), dtype=np.float64)
        for column in (*PRODUCTS, "industry", "region"):
            if column in known.columns:
                tree = "product" if column in PRODUCTS else column
                self._codes[stream, column] = _Codes.of(known[column], self.paths[tree])

    def _within(self, stream: str, columns: Iterable[str], ancestor: str) -> BoolArray:
        hit = np.zeros(len(self.frames[stream]), dtype=np.bool_)
        if not ancestor:
            return ~hit
        for column in columns:
            codes = self._codes.get((stream, column))
            if codes is not None:
                hit |= codes.within(ancestor)
        return hit

    def mask(self, stream: str, *, product: str = "", industry: str = "", region: str = "", window: Window | None = None) -> BoolArray:
        """Return which rows of ``stream`` lie within the codes ("" for all) and the window (both days included)."""
        found = self._within(stream, PRODUCTS, product) & self._within(stream, ("industry",), industry)
        found &= self._within(stream, ("region",), region)
        if window is not None:
            dates = self._dates[stream]
            found &= (dates >= np.datetime64(window[0])) & (dates <= np.datetime64(window[1]))
        return found

    def count(self, stream: str, *, product: str = "", industry: str = "", region: str = "", window: Window | None = None) -> float:
        """Return the sum of what the stream counts (failures, persons, notices)."""
        if stream not in self.frames:
            return 0.0
        asked = (stream, product, industry, region, window)
        if asked not in self._counted:
            chosen = self.mask(stream, product=product, industry=industry, region=region, window=window)
            self._counted[asked] = float(self._counts[stream][chosen].sum())
        return self._counted[asked]

    def about(self, stream: str, subject: Subject, *, window: Window | None, region: str | None = None) -> BoolArray:
        """Return which rows of ``stream`` are about ``subject``, by default within its anchor region."""
        codes = {"product": "", "industry": "", "region": subject.region if region is None else region}
        if subject.kind != "region":
            codes[subject.kind] = subject.code
        return self.mask(stream, **codes, window=window)

    def select(self, stream: str, subject: Subject, *, window: Window | None, region: str | None = None) -> pd.DataFrame:
        """Return the rows of ``stream`` about ``subject``, by default within its anchor region."""
        return self.frames[stream].loc[self.about(stream, subject, window=window, region=region)]

    def counts_by_region(self, stream: str, rows: pd.DataFrame) -> dict[str, float]:
        """Return region -> count over ``rows`` of ``stream``, rows without a region left out."""
        codes = self._codes.get((stream, "region"))
        if rows.empty or codes is None:
            return {}
        at = rows.index.to_numpy(dtype=np.intp)
        ids = codes.ids[at]
        totals = np.bincount(ids, weights=self._counts[stream][at], minlength=len(codes.codes))
        there = np.bincount(ids, minlength=len(codes.codes)) > 0
        return {code: float(total) for code, total, seen in zip(codes.codes, totals, there, strict=True) if code and seen}

    def items_of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the test items of ``rows`` of the spot checks, with ``sample``: the row that each belongs to."""
        wanted = np.zeros(len(self.frames.get("spot_check", ())) + 1, dtype=np.bool_)
        wanted[rows.index.to_numpy(dtype=np.intp)] = True
        chosen = wanted[self._sample_of_item]  # -1 reads the last place, which is never wanted
        return self.items.loc[chosen].assign(sample=self._sample_of_item[chosen])
