"""Realised levels of binomial-baseline on shares of many rare test items without any signal, with and without ``pool_correlation``.

python benchmarks/calibration_scatter.py                # the table of docs/detectors/binomial-baseline.md
python benchmarks/calibration_scatter.py --repeats 2    # quicker
python benchmarks/calibration_scatter.py --power        # also how small the p-values of failures three and six times as often are

78 items, each of 150 series of thirty months: rates of items from 0.1 to 3 % (even on the log scale), of their series Beta with the
strength of 40 inspections, inspections a month Poisson about a gamma mean (shape 2). Each item has its own correlation between inspections
of a month.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from bench_detection import markdown

from riskwatch.detectors import detector
from riskwatch.panel import Panel

LEVELS = (1e-2, 1e-3, 1e-4, 1e-5)
ITEMS, SERIES, MONTHS = 78, 150, 30
WORLDS = {
    "0": (0.0,),
    "0.03": (0.03,),
    "0.1": (0.1,),
    "0.3": (0.3,),
    "0, 0.03, 0.1, 0.3": (0.0, 0.03, 0.1, 0.3),
    "0 three times in four, 0.3": (0.0, 0.0, 0.0, 0.3),
    "0 nine times in ten, 0.1": (0.0,) * 9 + (0.1,),
}


def made(rng, mean_n, correlations, *, raised=1.0):
    """Return a panel, and the true correlation of each series; the newest month fails ``raised`` times as often."""
    rate = np.repeat(np.exp(rng.uniform(np.log(0.001), np.log(0.03), ITEMS)), SERIES)
    rho = np.repeat(rng.permutation(np.resize(correlations, ITEMS)), SERIES)
    share = rng.beta(rate * 40.0, (1.0 - rate) * 40.0)[:, None]
    n = rng.poisson(rng.gamma(2.0, mean_n / 2.0, (len(rate), 1)), (len(rate), MONTHS))
    size = 1.0 / np.where(rho > 0, rho, 0.5) - 1.0
    lift = np.where(np.arange(MONTHS) == MONTHS - 1, raised, 1.0)
    share = np.minimum(share * lift, 0.9)
    drawn = rng.beta(np.maximum(share * size[:, None], 1e-9), np.maximum((1.0 - share) * size[:, None], 1e-9))
    x = rng.binomial(n, np.where(rho[:, None] > 0, drawn, share))
    index = pd.MultiIndex.from_arrays(
        [np.tile(np.arange(SERIES), ITEMS).astype(str), np.repeat(np.arange(ITEMS), SERIES).astype(str)], names=["product", "stratum"]
    )
    return Panel(x.astype(float), index, pd.period_range("2022-01", periods=MONTHS, freq="M"), n.astype(float)), rho


def p_values(mean_n, correlations, repeats, *, raised=1.0, **parameters):
    """Return p-values of the newest month and the true correlation of their items."""
    found = []
    for number in range(repeats):
        panel, rho = made(np.random.default_rng(1000 + number), mean_n, correlations, raised=raised)
        judge = detector("binomial-baseline", mid_p=True, window_periods=3, guard_periods=3, **parameters)
        signals = judge.detect(panel)
        ok = signals.reason[:, 0] == 0
        found.append((signals.p_value[ok, 0], rho[ok]))
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--inspections", type=float, nargs="+", default=[2.5, 12.0])
    parser.add_argument("--power", action="store_true")
    options = parser.parse_args()
    rows, power = [], []
    for mean_n in options.inspections:
        for world, correlations in WORLDS.items():
            for pooled in (False, True):
                p, rho = p_values(mean_n, correlations, options.repeats, pool_correlation=pooled)
                row = {"inspections": f"{mean_n:g}", "rho of items": world, "pooled": str(pooled).lower(), "cells": len(p)}
                rows.append(row | {f"at {at:g}": f"{(p <= at).mean() / at:.2f} ({(p <= at).sum()})" for at in LEVELS})
                if len(set(correlations)) > 1:
                    high = p[rho == max(correlations)]
                    rows.append(
                        row
                        | {"rho of items": f"… those with {max(correlations):g}", "cells": len(high)}
                        | {f"at {at:g}": f"{(high <= at).mean() / at:.2f} ({(high <= at).sum()})" for at in LEVELS}
                    )
                print(rows[-1], flush=True)
                for raised in (3.0, 6.0) if options.power else ():
                    p, _ = p_values(mean_n, correlations, max(1, options.repeats // 4), raised=raised, pool_correlation=pooled)
                    shares = {f"p <= {at:g}": f"{(p <= at).mean():.3%}" for at in (*LEVELS, 4e-6)}
                    power.append({"inspections": f"{mean_n:g}", "rho": world, "raised": raised, "pooled": str(pooled).lower(), **shares})
    print(markdown(pd.DataFrame(rows)))
    if power:
        print(markdown(pd.DataFrame(power)))


if __name__ == "__main__":
    main()
