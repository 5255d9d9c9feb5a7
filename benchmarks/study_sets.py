"""What a scan over sets of places could gain for thin failures: known rates, nine places, weekly looks.

python benchmarks/study_sets.py [HAZARDS] [SEED]

A product's test item fails ``usual`` times in twenty weeks in the whole province, shared by nine places as their people are. From the
first week on it fails more in two or three of them, evenly over twenty weeks, ``excess`` times in all. Every week the newest 4, 8, 13 and
20 weeks are looked at, by Poisson tails at the known rates:

* ``set known``: the sum over the hazard's own places, as if somebody had told which;
* ``one place``, ``province``: the smallest tail of a single place, and of the sum over all; ``either``: the smaller of the two;
* ``largest ratio``: scan over all sets of two and three places, the largest log likelihood ratio less log(number of sets of that size);
* ``average ratio``: the same sets with their likelihood ratios averaged (relative risks 3, 8, 20, 50).

Tails are not corrected for places and windows; scans are, by their p-values. These keep their level whatever the number of draws: tables
are drawn from a mixture of the null and of all alternatives, weighed by the ratio of the densities, and the observed table counts as a
draw of its own (Harrison, Biometrika 99:57-69, 2012). Subsets: Neill, J. R. Stat. Soc. B 74:337-360, 2012; averages: Neill, Moore &
Cooper, NIPS 18, 2006.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pandas as pd
from scipy import special

SHARE = np.array([0.33, 0.17, 0.10, 0.05, 0.09, 0.05, 0.09, 0.06, 0.06])
WINDOWS = np.array([4, 8, 13, 20])
RISKS = np.array([3.0, 8.0, 20.0, 50.0])
WEEKS = 26
LEVEL = 4e-6  # what a lone test of some 45,000 needs for q < 0.2
DRAWS, NULL = 400, 0.3
SETS = [one for size in (2, 3) for one in itertools.combinations(range(len(SHARE)), size)]
MEMBER = np.array([[float(place in one) for place in range(len(SHARE))] for one in SETS])
# Half of the weight on pairs, half on triples.
NUMBER = np.array([sum(len(other) == len(one) for other in SETS) for one in SETS])
WEIGHT = 0.5 / NUMBER


def scans(counts: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return largest and average ratio of tables of sums by window; counts (table, window, place), mean (window, place)."""
    o, e = counts @ MEMBER.T, mean @ MEMBER.T
    with np.errstate(divide="ignore", invalid="ignore"):
        llr = np.where(o > e, o * np.log(o / e) - (o - e), 0.0)
    largest = (llr - np.log(NUMBER)).max(axis=(1, 2))
    one = np.exp(counts[..., None] * np.log(RISKS) - mean[..., None] * (RISKS - 1.0))
    # Sums of the products over all single places, pairs and triples, place after place.
    singles, pairs, triples = np.zeros((3, *one[:, :, 0].shape))
    for place in range(one.shape[2]):
        ratio = one[:, :, place]
        singles, pairs, triples = singles + ratio, pairs + ratio * singles, triples + ratio * pairs
    return largest, (WEIGHT[0] * pairs + WEIGHT[-1] * triples).mean(axis=(1, 2))


def tail(counts: np.ndarray, mean: np.ndarray) -> float:
    """Return the smallest Poisson probability of counts at least as large."""
    return float(np.where(counts > 0, special.gammainc(np.maximum(counts, 1.0), mean), 1.0).min())


def p_values(counts: np.ndarray, mean: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Return the p-values of both scans of one table of sums by window."""
    weekly = mean[0] / WINDOWS[0]
    width = np.diff(WINDOWS, prepend=0)
    window, risk = (rng.integers(size, size=DRAWS) for size in (len(WINDOWS), len(RISKS)))
    chosen = rng.choice(len(SETS), DRAWS, p=WEIGHT / WEIGHT.sum())
    factor = np.where(MEMBER[chosen] > 0, RISKS[risk][:, None], 1.0)
    raised = (np.arange(len(WINDOWS))[None, :] <= window[:, None]) & (rng.random(DRAWS) >= NULL)[:, None]
    lam = width[:, None] * weekly * np.where(raised[..., None], factor[:, None, :], 1.0)
    drawn = np.cumsum(rng.poisson(lam), axis=1).astype(float)
    (seen_largest,), (seen_average,) = scans(counts[None], mean)
    largest, average = scans(drawn, mean)
    weight = 1.0 / (NULL + (1.0 - NULL) * average)
    own = 1.0 / (NULL + (1.0 - NULL) * seen_average)
    found = [
        (weight[drawn_value >= seen - 1e-9 * abs(seen)].sum() + own) / (DRAWS + 1)
        for drawn_value, seen in ((largest, seen_largest), (average, seen_average))
    ]
    return float(found[0]), float(found[1])


def first_weeks(usual: float, excess: float, rng: np.random.Generator) -> dict[str, float]:
    """Return the first week in which each way has a tail below the level; inf where none."""
    weekly = usual * SHARE / 20.0
    places = rng.choice(len(SHARE), int(rng.integers(2, 4)), replace=False, p=SHARE / SHARE.sum())
    lam = np.repeat(weekly[:, None], WINDOWS[-1] + WEEKS, axis=1)
    lam[places, WINDOWS[-1] : WINDOWS[-1] + 20] += (excess / 20.0 * SHARE[places] / SHARE[places].sum())[:, None]
    counts = rng.poisson(lam)
    mean = WINDOWS[:, None] * weekly
    own = np.isin(np.arange(len(SHARE)), places).astype(float)
    found = dict.fromkeys(("set known", "one place", "province", "either", "largest ratio", "average ratio"), np.inf)
    for week in range(1, WEEKS + 1):
        end = WINDOWS[-1] + week
        sums = np.array([counts[:, end - width : end].sum(axis=1) for width in WINDOWS], dtype=float)
        value = {
            name: tail(sums @ of.T, mean @ of.T)
            for name, of in (("set known", own[None]), ("one place", np.eye(len(SHARE))), ("province", np.ones((1, len(SHARE)))))
        }
        value["either"] = min(value["one place"], value["province"])
        # A scan's p-value is not below the smallest tail of its sets.
        scanned = np.isfinite(found["largest ratio"]) and np.isfinite(found["average ratio"])
        if not scanned and tail(sums @ MEMBER.T, mean @ MEMBER.T) < LEVEL:
            value["largest ratio"], value["average ratio"] = p_values(sums, mean, rng)
        for name, p in value.items():
            if p < LEVEL:
                found[name] = min(found[name], week)
        if np.isfinite(list(found.values())).all():
            break
    return found


def main() -> None:
    """Print, for each size, the median week of the first alarm, the share ever found, and the median gain over ``either``."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    rows = []
    for usual, excess in itertools.product((0.5, 1.5, 4.0), (6.0, 12.0, 25.0)):
        table = pd.DataFrame([first_weeks(usual, excess, rng) for _ in range(number)])
        row = {"usual": usual, "excess": excess}
        row |= {name: f"{table[name].median():.0f} ({np.isfinite(table[name]).mean():.0%})" for name in table}
        # Found by neither: no gain. Found by one alone: counted as found by the other in the week after the last.
        late = table.replace(np.inf, WEEKS + 1.0)
        gains = {name: late["either"] - late[name] for name in ("set known", "largest ratio", "average ratio")}
        rows.append(row | {f"gain, {name}": f"{value.median():+.0f} ({value.mean():+.1f})" for name, value in gains.items()})
        print(rows[-1], flush=True)
    frame = pd.DataFrame(rows).astype(str)
    print("| " + " | ".join(frame.columns) + " |\n|" + "---|" * frame.shape[1])
    print("\n".join("| " + " | ".join(row) + " |" for row in frame.to_numpy()))


if __name__ == "__main__":
    main()
