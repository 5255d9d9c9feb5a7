"""Who supplies the key part or material of the goods of each fictitious producer, and which samples name it.

Assumptions, none of them measured: a category has 8 to 20 suppliers whose market shares fall with their rank; every producer buys from
one of them and, for a tenth of its goods, from another; a supplier is traced for seven failed samples in ten, and for 15 in a hundred
of the others, where the label or the file names it. Ten producers of a hazard with ``producers`` buy from one supplier while it lasts.
All draws come from streams of their own: no other column depends on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskwatch.datasets.codelists import World
from riskwatch.datasets.enterprises import Enterprises, credit_code
from riskwatch.datasets.rhythm import random_stream
from riskwatch.datasets.sampling import Samples, affected
from riskwatch.datasets.scene import Scene

__all__ = ["TRACED_FAILED", "TRACED_PASSED", "Suppliers", "build_suppliers", "named_suppliers"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

TRACED_FAILED = 0.70
"""Share of failed samples whose supplier is traced."""
TRACED_PASSED = 0.15
"""Share of the other samples that name their supplier."""
_ELSEWHERE = 0.10  # goods that do not come from the usual supplier, or for which a wrong one is written down
_POOL = (8, 21)
_FIRST_NUMBER = 600_001  # far from the numbers of producers
_ORIGINS = ("440000", "330000", "320000", "370000", "220000")


@dataclass(frozen=True, eq=False)
class Suppliers:
    """Suppliers of all categories.

    ``codes`` are their credit codes, those of a category consecutive, largest first; ``first`` and ``size`` of shape (product,) say where
    those of a product's category are; ``share`` is each one's share of the market of its category; ``usual`` of shape (producer,) is the
    position of each producer's own.
    """

    codes: tuple[str, ...]
    first: IntArray
    size: IntArray
    share: FloatArray
    usual: IntArray

    def draw(self, product: IntArray, uniform: FloatArray) -> IntArray:
        """Return a supplier of the category of each product, by market share; ``uniform`` in [0, 1), arrays of shape (sample,)."""
        cumulative = np.concatenate([[0.0], np.cumsum(self.share)])
        low, high = cumulative[self.first[product]], cumulative[self.first[product] + self.size[product]]
        found = np.searchsorted(cumulative, low + uniform * (high - low), side="right") - 1
        return np.asarray(np.clip(found, self.first[product], self.first[product] + self.size[product] - 1), dtype=np.int64)


def build_suppliers(world: World, enterprises: Enterprises, seed: int) -> Suppliers:
    """Make the suppliers of each category and give every producer its usual one, by market share."""
    parents = world.products["parent"].astype(str).to_numpy()
    codes: list[str] = []
    shares: list[FloatArray] = []
    place: dict[str, tuple[int, int]] = {}
    for parent in sorted(set(parents)):
        rng = random_stream(seed, "suppliers", parent)
        size = int(rng.integers(*_POOL))
        place[parent] = (len(codes), size)
        homes = np.array(_ORIGINS)[rng.integers(0, len(_ORIGINS), size)]
        codes += [credit_code(str(home), _FIRST_NUMBER + len(codes) + number) for number, home in enumerate(homes)]
        share = 1.0 / np.arange(1, size + 1)
        shares.append(share / share.sum())
    first = np.array([place[parent][0] for parent in parents], dtype=np.int64)
    size_of = np.array([place[parent][1] for parent in parents], dtype=np.int64)
    found = Suppliers(tuple(codes), first, size_of, np.concatenate(shares), np.zeros(0, dtype=np.int64))
    usual = [
        found.draw(
            np.full(enterprises.first[position + 1] - enterprises.first[position], position),
            random_stream(seed, "usual-supplier", code).random(enterprises.first[position + 1] - enterprises.first[position]),
        )
        for position, code in enumerate(world.products["code"].astype(str))
    ]
    return Suppliers(found.codes, first, size_of, found.share, np.concatenate(usual))


def named_suppliers(scene: Scene, suppliers: Suppliers, samples: Samples, failed: BoolArray, *part: str) -> IntArray:
    """Return the position of the supplier that each sample names, -1 for none; shape (sample,).

    Samples of the producers of a hazard with ``producers``, in its time and places, failed or not, are of one supplier of its category,
    drawn by market share.
    """
    true = suppliers.usual[samples.producer]
    for hazard in scene.hazards:
        if not hazard.producers:
            continue
        product = np.flatnonzero(scene.world.product_mask(hazard.products))[:1]
        shared = suppliers.draw(product, random_stream(scene.seed, "shared-supplier", hazard.hazard_id).random(1))
        true = np.where(affected(scene, hazard, samples), shared[0], true)
    rng = random_stream(scene.seed, "supplier", *part)
    # Three draws for every sample, whatever becomes of it: a hazard changes no other sample's supplier.
    traced, elsewhere, other = rng.random((3, samples.day.size))
    found = np.where(elsewhere < _ELSEWHERE, suppliers.draw(samples.product, other), true)
    return np.where(traced < np.where(failed, TRACED_FAILED, TRACED_PASSED), found, -1)
