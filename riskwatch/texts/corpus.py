"""Which record holds which term: a sparse matrix of zeros and ones, and terms that mean the same records joined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

__all__ = ["Corpus", "build_corpus"]


@dataclass(frozen=True, eq=False)
class Corpus:
    """Records by terms.

    Attributes
    ----------
    terms : tuple of str
        Sorted; of terms that are alike the one that is kept.
    matrix : scipy.sparse.csr_matrix, shape (record, term)
        1 where the record holds the term.
    alike : tuple of tuple of str
        For each term, the terms that were joined with it.
    """

    terms: tuple[str, ...]
    matrix: sparse.csr_matrix
    alike: tuple[tuple[str, ...], ...]

    @property
    def records(self) -> npt.NDArray[np.int64]:
        """How many records hold each term."""
        return np.asarray(self.matrix.sum(axis=0)).ravel().astype(np.int64)


def build_corpus(terms: Sequence[Sequence[str]], *, minimum_records: int, maximum_share: float, alike: float) -> Corpus:
    """Make a corpus of the records' terms.

    Parameters
    ----------
    terms : sequence of sequence of str
        Distinct terms of each record.
    minimum_records : int
        Terms that fewer records hold are left out: which, does not depend on when the records were, so no test is biased by it.
    maximum_share : float
        Terms that more than this share of the records hold are left out.
    alike : float
        Terms of which the records in common are at least this share of the records of either (Jaccard) are joined: the longest stays, of
        equally long ones the commonest, then the first by code points.
    """
    counts: Counter[str] = Counter()
    for part in terms:
        counts.update(part)
    most = maximum_share * len(terms)
    kept = sorted(term for term, count in counts.items() if minimum_records <= count <= max(most, minimum_records))
    place = {term: at for at, term in enumerate(kept)}
    columns = [sorted(place[term] for term in part if term in place) for part in terms]
    lengths = np.array([len(part) for part in columns], dtype=np.int64)
    flat = np.fromiter((at for part in columns for at in part), dtype=np.int64, count=int(lengths.sum()))
    matrix = sparse.csr_matrix(
        (np.ones(len(flat), np.int64), flat, np.concatenate([[0], np.cumsum(lengths)])), shape=(len(terms), len(kept))
    )
    leader = _leaders(kept, matrix, alike)
    stay = np.flatnonzero(leader == np.arange(len(kept)))
    joined: dict[int, list[str]] = {int(at): [] for at in stay}
    for at in np.flatnonzero(leader != np.arange(len(kept))).tolist():
        joined[int(leader[at])].append(kept[at])
    return Corpus(tuple(kept[at] for at in stay), matrix[:, stay].tocsr(), tuple(tuple(joined[int(at)]) for at in stay))


def _leaders(terms: Sequence[str], matrix: sparse.csr_matrix, alike: float) -> npt.NDArray[np.int64]:
    """Return, for each term, the position of the term that stands for it."""
    size = len(terms)
    leader = np.arange(size)
    if not size:
        return leader
    counts = np.asarray(matrix.sum(axis=0)).ravel()
    both = (matrix.T @ matrix).tocoo()
    near = both.row != both.col
    row, column, common = both.row[near], both.col[near], both.data[near]
    near = common >= alike * (counts[row] + counts[column] - common)
    neighbours: dict[int, list[int]] = {}
    for one, other in zip(row[near].tolist(), column[near].tolist(), strict=True):
        neighbours.setdefault(one, []).append(other)
    words = [len(term.split()) if term.isascii() else len(term) for term in terms]
    # Strongest claim first; who is spoken for speaks for nobody.
    free = np.ones(size, np.bool_)
    for at in sorted(neighbours, key=lambda at: (-words[at], -int(counts[at]), terms[at])):
        if not free[at]:
            continue
        free[at] = False
        for other in neighbours[at]:
            if free[other]:
                free[other] = False
                leader[other] = at
    return leader
