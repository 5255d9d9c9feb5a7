"""The judged table of a run by row number: what every concern asks of it is found once, not by searching all of it again."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.assessment.texts import Coded, coded, joined
from riskwatch.assessment.types import Evidence

__all__ = ["Candidate", "Lookups", "span"]

Ids = npt.NDArray[np.int64]
_EVIDENCE = tuple(item.name for item in dataclasses.fields(Evidence))  # columns of the judged table
_PLACED = [
    "stream", "model", "stratum", "region", "product", "industry", "period_start", "period_end", "evidence_start", "observed", "expected",
    "q_value", "p_value",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """One alarm that is worth a look.

    Attributes
    ----------
    evidence : Evidence
    newest : bool
        Whether it is its series' newest judged period.
    since : date
        First day of the periods in which its evidence lies.
    rank : int
        Its place among all of the run, strongest first.
    """

    evidence: Evidence
    newest: bool
    since: dt.date
    rank: int


class Lookups:
    """Rows of a judged table by what they are about.

    Parameters
    ----------
    table : pandas.DataFrame
        Judged series-periods, numbered from 0 on, as made by :func:`riskwatch.assessment.discovery.judge`.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table
        self._texts: dict[str, Coded] = {}
        self._by_code: dict[str, dict[str, Ids]] = {}

    @cached_property
    def candidates(self) -> Mapping[int, Candidate]:
        """The rows marked ``candidate`` as evidence, in the order of the table."""
        rows = np.flatnonzero(self.table["candidate"].to_numpy(bool))
        part = self.table.take(rows)
        columns = {name: part[name].tolist() for name in _EVIDENCE}
        for name in ("period_start", "period_end"):
            columns[name] = [day.date() for day in columns[name]]
        columns["exposure"] = [None if math.isnan(value) else value for value in columns["exposure"]]
        found = [Evidence(*values) for values in zip(*columns.values(), strict=True)]
        ranks = {at: rank for rank, at in enumerate(sorted(range(len(found)), key=lambda at: _strength(found[at])))}
        others = zip(part["newest"].tolist(), part["evidence_start"].tolist(), strict=True)
        return {
            row: Candidate(evidence, bool(newest), since.date(), ranks[at])
            for at, (row, evidence, (newest, since)) in enumerate(zip(rows.tolist(), found, others, strict=True))
        }

    @cached_property
    def alarms(self) -> pd.DataFrame:
        """The rows in alarm."""
        return self.table.take(np.flatnonzero(self.table["alarm"].to_numpy(bool)))

    @cached_property
    def placed(self) -> pd.DataFrame:
        """All rows, in the columns that tell where and when."""
        return self.table[_PLACED]

    @cached_property
    def moments(self) -> Ids:
        """The number of each row's model, stratum and period, shape (rows,)."""
        starts = pd.factorize(self.table["period_start"].to_numpy())[0].astype(np.int64)
        return joined(self._coded("model").ids, self._coded("stratum").ids, starts)

    @cached_property
    def groups(self) -> Ids:
        """The number of each row's model, stratum, period and its length, shape (rows,): series are compared within these."""
        return joined(self.moments, self._coded("frequency").ids)

    def texts(self, name: str, rows: Ids) -> npt.NDArray[np.object_]:
        """Return the texts of a column in some rows."""
        column = self._coded(name)
        return np.asarray(column.words[column.ids[rows]], dtype=object)

    def words(self, name: str, rows: Ids | None = None) -> set[str]:
        """Return the distinct texts of a column, in all rows or in some."""
        column = self._coded(name)
        return set(column.words[np.unique(column.ids if rows is None else column.ids[rows])].tolist())

    def about(self, kind: str, codes: Iterable[str]) -> Ids:
        """Return the rows whose code (``kind``: product, industry or region) is one of ``codes``, ascending."""
        if kind not in self._by_code:
            column = self._coded(kind)
            order = np.argsort(column.ids, kind="stable")
            parts = np.split(order, np.cumsum(np.bincount(column.ids, minlength=len(column.words)))[:-1])
            self._by_code[kind] = dict(zip(column.words.tolist(), parts, strict=True))
        known = self._by_code[kind]
        some = [known[code] for code in codes if code in known]
        return np.sort(np.concatenate(some)) if some else np.empty(0, dtype=np.int64)

    def evidence_of(self, rows: Sequence[int]) -> tuple[tuple[Evidence, ...], tuple[bool, ...]]:
        """Return candidate rows as evidence, strongest first, and whether each is its series' newest judged period."""
        found = sorted((self.candidates[row] for row in rows), key=lambda one: one.rank)
        return tuple(one.evidence for one in found), tuple(one.newest for one in found)

    def _coded(self, name: str) -> Coded:
        if name not in self._texts:
            self._texts[name] = coded(self.table[name])
        return self._texts[name]


def span(some: Collection[Candidate]) -> tuple[dt.date, dt.date]:
    """Return the first day in which the evidence of some candidates lies, and the last day of their periods."""
    return min(one.since for one in some), max(one.evidence.period_end for one in some)


def _strength(one: Evidence) -> tuple[object, ...]:
    return (one.q_value, one.p_value, -one.excess, one.model, one.product, one.industry, one.region, one.stratum, one.period_start)
