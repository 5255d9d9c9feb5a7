"""Cases of persons across sources: a hospital card, a complaint and a news report may tell of one and the same."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.texts import texts_of

__all__ = ["Cases", "link_cases", "may_be_same"]

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Cases:
    """How many cases the records of a concern are.

    Attributes
    ----------
    records : dict of str to int
        Stream -> records.
    same : dict of (str, str) to int
        Two streams in alphabetical order -> the most pairs of records, each used once, that may be one case.
    distinct : int
        Cases over all streams, each counted once.
    """

    records: dict[str, int]
    same: dict[tuple[str, str], int]
    distinct: int

    def independent(self, one: str, other: str) -> bool:
        """Whether each of two streams may have a case that the other has not; one without records is not compared."""
        first, second = self.records.get(one, 0), self.records.get(other, 0)
        pair = (one, other) if one < other else (other, one)
        return not first or not second or self.same.get(pair, 0) < min(first, second)

    def figures(self) -> dict[str, object]:
        """Return the counts, JSON-able."""
        pairs = {f"{one}+{other}": count for (one, other), count in sorted(self.same.items())}
        return {"records": dict(sorted(self.records.items())), "may_be_same": pairs, "distinct": self.distinct}


@dataclass(frozen=True, eq=False)
class _People:
    """What is compared of records, as arrays of shape (record,); "" and NaN where not known."""

    day: npt.NDArray[np.int64]
    region: npt.NDArray[np.object_]
    product: npt.NDArray[np.object_]
    age: npt.NDArray[np.float64]
    sex: npt.NDArray[np.object_]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> _People:
        day = pd.to_datetime(frame["event_date"]).to_numpy().astype("datetime64[D]").astype(np.int64)
        known = frame["age"] if "age" in frame.columns else pd.Series(np.nan, index=frame.index)
        age = pd.to_numeric(known.astype("object"), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        sex = _column(frame, "sex")
        return cls(day, _column(frame, "region"), _column(frame, "product"), age, np.where(np.isin(sex, ("male", "female")), sex, ""))

    def at(self, rows: npt.NDArray[np.intp]) -> _People:
        return _People(self.day[rows], self.region[rows], self.product[rows], self.age[rows], self.sex[rows])

    def sorted(self) -> _People:
        """Return them in an order of their own: which of several equal partners is taken must not depend on that of the records."""
        keys = list(zip(self.day.tolist(), self.product, self.region, np.nan_to_num(self.age, nan=-1.0).tolist(), self.sex, strict=True))
        return self.at(np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp))

    def joined(self, other: _People) -> _People:
        return _People(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in self.__dataclass_fields__))


def _column(frame: pd.DataFrame, name: str) -> npt.NDArray[np.object_]:
    return texts_of(frame[name]) if name in frame.columns else np.full(len(frame), "", dtype=object)


def _related(one: npt.NDArray[np.object_], other: npt.NDArray[np.object_], paths: TreePaths) -> BoolArray:
    """Return which codes lie within each other, shape (one, other); an unknown code may be any."""
    first, left = pd.factorize(one)
    second, right = pd.factorize(other)
    table = np.array([[not a or not b or paths.within(a, b) or paths.within(b, a) for b in right] for a in left], dtype=np.bool_)
    return np.asarray(table[first][:, second], dtype=np.bool_)


def may_be_same(one: pd.DataFrame, other: pd.DataFrame, *, days: int, age: float, paths: Mapping[str, TreePaths]) -> BoolArray:
    """Return which records of two streams may be one case, shape (one, other).

    They lie at most ``days`` apart, in places and of products of which one lies within the other, with ages that differ by at most ``age``
    years and of one sex; what is not known speaks against nothing.
    """
    return _may_be_same(_People.of(one), _People.of(other), days=days, age=age, paths=paths)


def _may_be_same(one: _People, other: _People, *, days: int, age: float, paths: Mapping[str, TreePaths]) -> BoolArray:
    found = np.abs(one.day[:, None] - other.day[None, :]) <= days
    found &= _related(one.region, other.region, paths["region"])
    found &= _related(one.product, other.product, paths["product"])
    found &= ~(np.abs(one.age[:, None] - other.age[None, :]) > age)
    return np.asarray(found & ((one.sex == "")[:, None] | (other.sex == "")[None, :] | (one.sex[:, None] == other.sex[None, :])))


def _matched(possible: BoolArray) -> npt.NDArray[np.int64]:
    """Return, for each row, its column in a largest one-to-one matching; -1 for none."""
    if not possible.any():
        return np.full(len(possible), -1, dtype=np.int64)
    return np.asarray(maximum_bipartite_matching(csr_matrix(possible), perm_type="column"), dtype=np.int64)


def link_cases(frames: Mapping[str, pd.DataFrame], *, days: int, age: float, paths: Mapping[str, TreePaths]) -> Cases:
    """Count the cases that the records of several streams tell of.

    Records are linked one to one by a largest matching between two streams (a record more can add a case but never take one away); over
    more than two streams each is matched with the cases of those before it, in alphabetical order.

    Parameters
    ----------
    frames : mapping of str to pandas.DataFrame
        Stream -> its records about the concern; ``event_date`` and, where there, ``product, region, age, sex``.
    days, age, paths
        See :func:`may_be_same`.
    """
    known = {stream: _People.of(frame) for stream, frame in sorted(frames.items()) if len(frame)}
    same = {
        (one, other): int((_matched(_may_be_same(known[one], known[other], days=days, age=age, paths=paths)) >= 0).sum())
        for one, other in itertools.combinations(known, 2)
    }
    cases: _People | None = None
    for people in known.values():
        part = people.sorted()
        if cases is None:
            cases = part
            continue
        partner = _matched(_may_be_same(part, cases, days=days, age=age, paths=paths))
        cases = cases.joined(part.at(np.flatnonzero(partner < 0)))
    return Cases({stream: len(people.day) for stream, people in known.items()}, same, 0 if cases is None else len(cases.day))
