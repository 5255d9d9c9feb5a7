"""Null calibration of new-event on sparse series, some of which begin late: ``python benchmarks/calibration_new_event.py``."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskwatch.detectors import detector
from riskwatch.panel import Panel

SERIES, WEEKS, SEEDS = 3000, 160, 10
LEVELS = (0.05, 0.01, 0.002)


def simulate(rng, *, size, newcomers, season=0.0):
    """Log-normal rates, median one case in twelve weeks; a share begins at a random week; only series with a case are there."""
    rate = np.exp(rng.normal(-2.5, 1.2, SERIES))
    start = np.where(rng.random(SERIES) < newcomers, rng.integers(0, WEEKS, SERIES), 0)
    week = np.arange(WEEKS)
    mean = rate[:, None] * (week >= start[:, None]) * np.exp(season * np.sin(2 * np.pi * week / 52.18))
    counts = rng.poisson(mean) if size is None else rng.negative_binomial(size, size / (size + mean))
    return counts[counts.sum(axis=1) > 0].astype(float)


def main() -> None:
    periods = pd.period_range("2018-01-01", periods=WEEKS, freq="W-SUN")
    print("| window | within series | newcomers | season | cells | " + " | ".join(f"at {level:g}" for level in LEVELS) + " |")
    print("|---|---|---|---|---|" + "---|" * len(LEVELS))
    for width in (1, 3):
        judge = detector("new-event", window_periods=width)
        for size, newcomers, season in (
            (None, 0, 0), (None, 0.5, 0), (None, 1, 0), (1, 0.5, 0), (0.2, 0.5, 0), (0.2, 1, 0), (None, 0.5, 0.7), (1, 0.5, 0.7),
        ):  # fmt: skip
            values = []
            for seed in range(SEEDS):
                counts = simulate(np.random.default_rng(seed), size=size, newcomers=newcomers, season=season)
                signals = judge.detect(Panel(counts, pd.RangeIndex(len(counts)), periods), periods[[70, 96, 122, 148]])
                values.append(signals.p_value[signals.reason == 0])
            p = np.concatenate(values)
            kind = "Poisson" if size is None else f"negative binomial, size {size}"
            print(
                f"| {width} | {kind} | {newcomers:.0%} | {season} | {len(p):,} | "
                + " | ".join(f"{(p <= level).mean() / level:.2f}" for level in LEVELS)
                + " |",
                flush=True,
            )


if __name__ == "__main__":
    main()
