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


def _column(frame: pd.DataFrame, name: str) -> npt.NDArray[np.object_]:
    if name not in frame.columns:
        return np.full(len(frame), "", dtype=object)
    values = frame[name].astype("object")
    return np.asarray(values.where(values.notna(), ""), dtype=object)


def _related(one: npt.NDArray[np.object_], other: npt.NDArray[np.object_], paths: TreePaths) -> BoolArray:
    """Return which codes lie within each other, shape (one, other); an unknown code may be any."""
    left, first = np.unique(one.astype(str), return_inverse=True)
    right, second = np.unique(other.astype(str), return_inverse=True)
    table = np.array([[not a or not b or paths.within(a, b) or paths.within(b, a) for b in right] for a in left], dtype=np.bool_)
    return np.asarray(table[first][:, second], dtype=np.bool_)


def may_be_same(one: pd.DataFrame, other: pd.DataFrame, *, days: int, age: float, paths: Mapping[str, TreePaths]) -> BoolArray:
    """Return which records of two streams may be one case, shape (one, other).

    They lie at most ``days`` apart, in places and of products of which one lies within the other, with ages that differ by at most ``age``
    years and of one sex; what is not known speaks against nothing.
    """
    when = [pd.to_datetime(frame["event_date"]).to_numpy().astype("datetime64[D]").astype(np.int64) for frame in (one, other)]
    found = np.abs(when[0][:, None] - when[1][None, :]) <= days
    for name, tree in (("region", "region"), ("product", "product")):
        found &= _related(_column(one, name), _column(other, name), paths[tree])
    ages = [pd.to_numeric(pd.Series(_column(frame, "age")), errors="coerce").to_numpy(dtype=np.float64) for frame in (one, other)]
    found &= ~(np.abs(ages[0][:, None] - ages[1][None, :]) > age)
    sexes = [np.array([str(value) if value in ("male", "female") else "" for value in _column(frame, "sex")]) for frame in (one, other)]
    return np.asarray(found & ((sexes[0][:, None] == "") | (sexes[1][None, :] == "") | (sexes[0][:, None] == sexes[1][None, :])))


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
    known = {stream: frame for stream, frame in sorted(frames.items()) if len(frame)}
    same = {
        (one, other): int((_matched(may_be_same(known[one], known[other], days=days, age=age, paths=paths)) >= 0).sum())
        for one, other in itertools.combinations(known, 2)
    }
    cases: pd.DataFrame | None = None
    keep = ["event_date", "product", "region", "age", "sex"]
    for frame in known.values():
        part = frame.reindex(columns=keep).astype("object").reset_index(drop=True)
        # Which of several equal partners is taken must not depend on the order of the records.
        order = part.fillna("").astype(str).apply("|".join, axis=1).to_numpy().argsort(kind="stable")
        part = part.iloc[order].reset_index(drop=True)
        if cases is None:
            cases = part
            continue
        partner = _matched(may_be_same(part, cases, days=days, age=age, paths=paths))
        cases = pd.concat([cases, part.loc[partner < 0]], ignore_index=True)
    return Cases({stream: len(frame) for stream, frame in known.items()}, same, 0 if cases is None else len(cases))
