"""Whether neighbouring places are high together: Moran's I and the join count, with permutation p-values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Clustering", "clustering"]


@dataclass(frozen=True, slots=True)
class Clustering:
    """Spatial figures of the places of a concern; None where there is too little to say.

    Attributes
    ----------
    morans_i, morans_p : float or None
        Moran's I of the standardised excess with a weight of 1 for each border, and the one-sided p-value that it is so high by chance.
    joins : int
        Borders between two touched places.
    joins_p : float or None
        One-sided p-value of so many, were the touched places anywhere.
    """

    morans_i: float | None = None
    morans_p: float | None = None
    joins: int = 0
    joins_p: float | None = None


def clustering(
    values: Mapping[str, float], touched: Iterable[str], borders: Iterable[tuple[str, str]], *, permutations: int, seed: int
) -> Clustering:
    """Return Moran's I of ``values`` and the join count of ``touched`` (Moran, Biometrika 37:17-23, 1950; Cliff & Ord 1973).

    Parameters
    ----------
    values : mapping of str to float
        Place -> standardised excess; only these places are looked at.
    touched : iterable of str
        Places with an excess of their own.
    borders : iterable of (str, str)
        Pairs of neighbours, in any order, each pair counted once.
    permutations : int
        Random arrangements; the p-value is (1 + as extreme) / (1 + permutations).
    seed : int
        Of the random arrangements: same figures, same p-value.
    """
    places = sorted(values)
    number = {place: k for k, place in enumerate(places)}
    pairs = sorted({tuple(sorted((number[a], number[b]))) for a, b in borders if a in number and b in number and a != b})
    if len(places) < 4 or not pairs:
        return Clustering()
    left, right = (np.array(part, dtype=np.int64) for part in zip(*pairs, strict=True))
    z = np.array([values[place] for place in places], dtype=np.float64)
    z = z - z.mean()
    marks = np.zeros(len(places))
    marks[[number[place] for place in sorted(set(touched)) if place in number]] = 1
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(len(places)), (permutations, 1)), axis=1)
    joins = int((marks[left] * marks[right]).sum())
    found: dict[str, float] = {}
    if 1 < marks.sum() < len(places):
        found["joins_p"] = _chance(marks[order[:, left]] * marks[order[:, right]], joins)
    spread = float((z**2).sum())
    if spread > 0:
        cross = float((z[left] * z[right]).sum())
        found["morans_i"] = len(places) / len(pairs) * cross / spread
        found["morans_p"] = _chance(z[order[:, left]] * z[order[:, right]], cross)
    return Clustering(joins=joins, morans_i=found.get("morans_i"), morans_p=found.get("morans_p"), joins_p=found.get("joins_p"))


def _chance(products: npt.NDArray[np.float64], seen: float) -> float:
    sums = products.sum(axis=1)
    return float((1 + (sums >= seen - 1e-9).sum()) / (1 + len(sums)))
