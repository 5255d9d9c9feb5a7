"""False discoveries of daily runs over quarters, and how many effects are found: the simulation of docs/grading.md, section 1.

430 series (6 categories of 6 products and 9 prefectures, with all roll-ups), each week judged on 7 x J days while its records grow from 90
to 100 %, p-values made exactly uniform, level 5 %. Usage, from the folder benchmarks::

    python study_discovery.py            # the table; 60 quarters a line
    python study_discovery.py 10         # fewer
    python study_discovery.py 60 none    # one line of effects: none, one, four
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import poisson

from riskwatch.assessment.discovery import q_values
from riskwatch.assessment.families import level_weights, look_weights, tree_q_values

CATEGORIES, PRODUCTS, PLACES, WEEKS, LEVEL, SEED = 6, 6, 9, 13, 0.05, 20261126
MEAN = 8.0  # cases a week in a product and prefecture
# Share of a week's records that is known on the first, second, ... day after it.
GROWN = np.array([0.90, 0.93, 0.95, 0.96, 0.97, 0.975, 0.98, 0.985, 0.99, 0.992, 0.994, 0.996, 0.998, 1.0])
Effect = tuple[int, int, Sequence[int], float]
EFFECTS: dict[str, tuple[Effect, ...]] = {
    "none": (),
    "one": ((1, 2, (1,), 2.5),),
    "four": ((0, 0, tuple(range(PLACES)), 1.4), (1, 2, (1,), 2.5), (2, 3, (0, 1, 2), 1.8), (4, 5, (7,), 2.5)),
}
Floats = npt.NDArray[np.float64]


def rolled(counts: Floats) -> Floats:
    """Return counts of [category, product, place] with the sums over places, products and categories, shape (430,)."""
    places = np.concatenate([counts.sum(2, keepdims=True), counts], axis=2)
    products = np.concatenate([places.sum(1, keepdims=True), places], axis=1).reshape(-1, PLACES + 1)
    return np.concatenate([places.sum((0, 1))[None], products]).ravel()


def families() -> list[npt.NDArray[np.int64]]:
    """Return the family of each series by branch, subject and place, coarse to fine."""
    subjects = np.arange(1 + CATEGORIES * (PRODUCTS + 1))
    branch = np.concatenate([[0], 1 + np.repeat(np.arange(CATEGORIES), PRODUCTS + 1)])
    columns = PLACES + 1
    return [np.repeat(branch, columns), np.repeat(subjects, columns), np.tile(np.arange(columns), len(subjects))]


@dataclass(frozen=True)
class Quarter:
    """What one quarter showed, by week: share of false ones among the series ever hit, and effects found on the first day and ever."""

    false: Floats
    day_1: Floats
    ever: Floats


def quarter(random: np.random.Generator, effects: Sequence[Effect], method: str, judge: int) -> Quarter:
    """Judge thirteen weeks day by day; ``judge`` is how many of the newest weeks each run judges, ``method`` "bh", "tree" or "levels"."""
    mean = np.full((CATEGORIES, PRODUCTS, PLACES), MEAN)
    raised, marked = mean.copy(), np.zeros(mean.shape)
    for category, product, places, factor in effects:
        raised[category, product, list(places)] *= factor
        marked[category, product, list(places)] = 1
    true, expected, levels = rolled(marked) > 0, rolled(mean), families()
    size = len(expected)
    steps = np.diff(np.concatenate([[0.0], GROWN]))
    drawn = random.poisson(raised * steps[:, None, None, None], size=(WEEKS + judge, len(GROWN), *mean.shape)).cumsum(axis=1)
    known = np.array([[rolled(day) for day in week] for week in drawn])
    ties = random.uniform(size=(WEEKS + judge, size))
    looks, last = np.zeros((WEEKS + judge, size), dtype=np.int64), np.full((WEEKS + judge, size), -1.0)
    ever, first = np.zeros((2, WEEKS + judge, size), dtype=bool)
    for day in range(7 * (judge - 1), 7 * (WEEKS + judge)):
        weeks = [day // 7 - back for back in range(judge - 1, -1, -1)]
        p = []
        for week in weeks:
            grown = day - 7 * week
            count, mu = known[week, grown], expected * GROWN[grown]
            p.append(poisson.sf(count, mu) + ties[week] * poisson.pmf(count, mu))
            looks[week] += count != last[week]
            last[week] = count
        tests = np.stack(p, axis=1).ravel()  # series by series, older week first
        if method == "bh":
            q = q_values(tests)
        else:
            weight = look_weights(np.repeat(np.arange(size), judge), looks[weeks].T.ravel(), first=0.75, most=8)
            if method == "levels":
                weight *= np.repeat(level_weights(np.zeros(size), families()[2] == 0), judge)
            q = tree_q_values(tests / weight, [np.repeat(level, judge) for level in levels])
        for place, week in enumerate(weeks):
            hit = q[place::judge] < LEVEL
            ever[week] |= hit
            first[week] |= hit & (day == 7 * week)
    whole = slice(judge - 1, judge - 1 + WEEKS)  # weeks that were judged on all their days
    hits, at_once = ever[whole], first[whole]
    of = max(int(true.sum()), 1)
    return Quarter((hits & ~true).sum(1) / np.maximum(hits.sum(1), 1), (at_once & true).sum(1) / of, (hits & true).sum(1) / of)


def line(effects: str, judge: int, method: str, quarters: int) -> tuple[float, float, float]:
    """Return false share, found on day 1 and found ever, as means over all weeks; with no effect, the share of weeks with any false hit."""
    random = np.random.default_rng([SEED, judge, sorted(EFFECTS).index(effects)])
    found = [quarter(random, EFFECTS[effects], method, judge) for _ in range(quarters)]
    false, day_1, ever = (np.concatenate([getattr(one, name) for one in found]) for name in ("false", "day_1", "ever"))
    return float((false > 0).mean() if effects == "none" else false.mean()), float(day_1.mean()), float(ever.mean())


def main() -> None:
    """Print the table."""
    quarters = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    wanted = sys.argv[2:] or list(EFFECTS)
    print(f"{quarters} quarters of {WEEKS} weeks, {len(rolled(np.zeros((CATEGORIES, PRODUCTS, PLACES))))} series, level {LEVEL:.0%}")
    print("| effects | J | method | false | day 1 | ever |\n|---|---|---|---|---|---|")
    for effects in wanted:
        for judge in (2, 1):
            for method in ("bh", "tree", "levels"):
                false, day_1, ever = line(effects, judge, method, quarters)
                power = f"{day_1:.1%} | {ever:.1%}" if effects != "none" else " | "
                print(f"| {effects} | {judge} | {method} | {false:.1%} | {power} |", flush=True)


if __name__ == "__main__":
    main()
