"""Shrinkage, intervals and tests of failure rates against a scipy loop, and the coverage of the intervals.

python -m pytest benchmarks/bench_rates.py  # speed, with the ratio per cell: the loop does a sample of RISKWATCH_BENCH_LOOP_CELLS (2,000),
                                            # riskwatch RISKWATCH_BENCH_CELLS (1,000,000)

python benchmarks/bench_rates.py coverage [REPETITIONS]  # share of intervals that hold the true rate, by class of n
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
from conftest import size
from scipy import optimize, special, stats

from riskwatch.rates.hierarchy import Layout, fit_hierarchy
from riskwatch.rates.posterior import posterior
from riskwatch.rates.shrinkage import Shared, Shrunken
from riskwatch.rates.standardise import reference_mix, standardise
from riskwatch.rates.testing import predictive_p

CELLS, LOOP_CELLS = size("CELLS", 1_000_000), size("LOOP_CELLS", 2_000)
GROUP = "failure rates: shrinkage, interval and test of each cell"
CLASSES = {"0": 0, "1–2": 1, "3–5": 3, "6–20": 6, "21+": 21}
WORLDS = {
    "as usual: 12 x 8 products, 9 regions, 6 samples a cell": {},
    "1 sample a cell": {"mean_n": 1.0},
    "4 x 5 products, 5 regions, 4 samples a cell": {"categories": 4, "products": 5, "regions": 5, "mean_n": 4.0},
    "rate 1 %": {"rate": 0.01},
    "rate 25 %, products far apart": {"rate": 0.25, "strength": 2.0, "spread": (0.6, 1.0)},
    "100 samples a cell, cells alike": {"strength": 5.0, "mean_n": 100.0},
    "hardly any differences": {"spread": (0.1, 0.1), "effect": 0.05, "strength": 6.0},
}


def draw(rng, *, categories=12, products=8, regions=9, rate=0.06, spread=(0.6, 0.5), effect=0.3, strength=3.0, varied=0.5, mean_n=6.0):
    """Draw cells of categories x products x regions with a known truth."""
    leaves = categories * products
    parent = np.concatenate([[-1], np.zeros(categories, int), 1 + np.repeat(np.arange(categories), products)])
    depth = np.concatenate([[0], np.ones(categories, int), np.full(leaves, 2)])
    eta = np.full(len(parent), special.logit(rate))
    eta[1 : 1 + categories] += rng.normal(0, spread[0], categories)
    eta[1 + categories :] = eta[parent[1 + categories :]] + rng.normal(0, spread[1], leaves)
    by_region = rng.normal(0, effect, regions)
    product, region = (part.ravel() for part in np.meshgrid(np.arange(leaves), np.arange(regions), indexing="ij"))
    strengths = np.exp(rng.normal(strength, varied, leaves))[product]
    mean = special.expit(eta[1 + categories + product] + by_region[region])
    truth = rng.beta(mean * strengths, (1 - mean) * strengths)
    n = rng.negative_binomial(0.6, 0.6 / (0.6 + mean_n), len(product)).astype(float)
    x = rng.binomial(n.astype(int), truth).astype(float)
    return SimpleNamespace(x=x, n=n, truth=truth, layout=Layout(parent, depth, 1 + categories + product, (region,)))


def world(cells):
    rng = np.random.default_rng(1)
    drawn = draw(rng, categories=max(cells // 10_000, 1), products=100, regions=100)
    new = rng.poisson(6, len(drawn.x)).astype(float)
    return drawn, rng.binomial(new.astype(int), drawn.truth).astype(float), new


def test_scipy_loop(measure):
    """One group after another: prior by optimize on its cells, then interval and predictive tail of each cell."""
    drawn, x_new, n_new = world(10_000)
    node = drawn.layout.node

    def loop():
        done = 0
        for group in np.unique(node):
            rows = np.flatnonzero(node == group)
            x, n = drawn.x[rows], drawn.n[rows]

            def loss(p, x=x, n=n):
                a, b = special.expit(p[0]) * np.exp(p[1]), special.expit(-p[0]) * np.exp(p[1])
                return -(special.betaln(x + a, n - x + b) - special.betaln(a, b)).sum() + ((p[1] - 3) ** 2 + (p[0] + 3) ** 2) / 8

            p = optimize.minimize(loss, [-3.0, 3.0], method="L-BFGS-B").x
            a, b = special.expit(p[0]) * np.exp(p[1]), special.expit(-p[0]) * np.exp(p[1])
            for at, (failed, inspected) in zip(rows, zip(x, n, strict=True), strict=True):
                rate = stats.beta(a + failed, b + inspected - failed)
                rate.ppf([0.025, 0.975])
                stats.betabinom(int(n_new[at]), a + failed, b + inspected - failed).sf(x_new[at] - 1)
            done += len(rows)
            if done >= LOOP_CELLS:
                break
        return done

    measure(loop, group=GROUP, name="peer: scipy loop, no tree", units=LOOP_CELLS, of="cells")


def test_rates(measure):
    drawn, x_new, n_new = world(CELLS)

    def everything():
        found = posterior(drawn.x, drawn.n, drawn.layout, fit_hierarchy(drawn.x, drawn.n, drawn.layout))
        return found.rate, found.interval(0.95), predictive_p(x_new, n_new, found.a, found.b, found.weights)

    rate, (lower, upper), p = measure(everything, group=GROUP, name="riskwatch: fit, rates, intervals, tests", units=CELLS, of="cells")
    assert (p[n_new > 0] <= 0.05).mean() < 0.05
    assert ((lower < rate) & (rate < upper)).all()


def test_rates_without_intervals(measure):
    """What a run needs to judge new counts: the shrunken rates and the tests, no interval of each cell's own rate."""
    drawn, x_new, n_new = world(CELLS)

    def judged():
        found = posterior(drawn.x, drawn.n, drawn.layout, fit_hierarchy(drawn.x, drawn.n, drawn.layout))
        return found.rate, predictive_p(x_new, n_new, found.a, found.b, found.weights)

    rate, p = measure(judged, group=GROUP, name="riskwatch: fit, rates, tests", units=CELLS, of="cells")
    assert (p[n_new > 0] <= 0.05).mean() < 0.05
    assert ((rate > 0) & (rate < 1)).all()


def by_region(drawn, fit, found):
    """Return which standardised rates of regions have their true one inside the 95 % interval."""
    (region,), node = drawn.layout.crossed, drawn.layout.node
    columns = {name: getattr(found, name) for name in ("rate", "weight", "own_variance", "pull")}
    frame = pd.DataFrame({"region": region, "product": node, "failed": drawn.x, "inspected": drawn.n, **columns})
    shared = (Shared(node, fit.eta_variance), Shared(region, fit.effects[0].variance))
    mix = reference_mix(frame, ["product"])
    table = standardise(Shrunken(frame, found.a, found.b, found.weights, shared), mix, by="region", over=["product"])
    weight = mix.set_index("product")["weight"].reindex(node, fill_value=0.0).to_numpy()
    truth = np.bincount(region, weight * drawn.truth)
    return ((table["lower"] <= truth) & (truth <= table["upper"])).to_numpy()


def coverage(repetitions):
    """Print the share of true rates inside the 95 % interval: of cells by class of n, and of regions standardised."""
    names = ["truth", *(f"n {name}" for name in CLASSES), "all cells", "plain empirical Bayes, all", "regions, standardised"]
    print("| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|")
    for name, settings in WORLDS.items():
        rng = np.random.default_rng(5)
        inside, number, plain, regions = [], [], [], []
        for _ in range(repetitions):
            drawn = draw(rng, **settings)
            fit = fit_hierarchy(drawn.x, drawn.n, drawn.layout)
            found = posterior(drawn.x, drawn.n, drawn.layout, fit)
            lower, upper = found.interval(0.95)
            inside.append((lower <= drawn.truth) & (drawn.truth <= upper))
            number.append(np.digitize(drawn.n, list(CLASSES.values())) - 1)
            a, b = found.prior_rate * found.strength + drawn.x, (1 - found.prior_rate) * found.strength + drawn.n - drawn.x
            plain.append((special.betaincinv(a, b, 0.025) <= drawn.truth) & (drawn.truth <= special.betaincinv(a, b, 0.975)))
            regions.append(by_region(drawn, fit, found))
        held, place = np.concatenate(inside), np.concatenate(number)
        shares = [f"{held[place == at].mean():.1%}" if (place == at).sum() >= 200 else "" for at in range(len(CLASSES))]
        others = [f"{np.concatenate(part).mean():.1%}" for part in (inside, plain, regions)]
        print(f"| {name} | " + " | ".join(shares + others) + " |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["coverage"]:
        coverage(int(sys.argv[2]) if len(sys.argv) > 2 else 40)
