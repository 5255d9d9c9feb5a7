"""Share of judged cells that alarm while nothing happens: ``python benchmarks/calibration_ears.py ears|ewma``.

Markdown rows: realised rate over nominal level. Counts are Poisson (phi 1) or negative binomial; every detector gets the same series.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from riskwatch.detectors import detector
from riskwatch.panel import Panel

SERIES = 4000
MEANS = (0.3, 1, 3, 10, 30, 100, 1000)
SHAPES = {
    "flat": lambda time: np.ones(len(time)),
    "season": lambda time: np.exp(0.4 * np.sin(2 * np.pi * time / 52.18)),
    "trend": lambda time: np.exp(np.log(1.5) * (time - time[-1]) / 52.18),
}


def counts(rng, mean, phi, shape, length, series):
    """Return null counts of some series, judged in a random phase of the year."""
    time = np.arange(length) + rng.integers(0, 53, (series, 1)) * (shape == "season")
    level = mean * np.stack([SHAPES[shape](row) for row in time])
    return (rng.poisson(level) if phi == 1 else rng.poisson(rng.gamma(level / (phi - 1), phi - 1))).astype(float)


def rates(name, parameters, shape, phi, length, means, levels):
    judge, row = detector(name, **parameters), []
    for mean in means:
        rng = np.random.default_rng([int(mean * 10), phi, length])
        y = counts(rng, mean, phi, shape, length, SERIES)
        periods = pd.period_range("2014-12-29", periods=length, freq="W-SUN")
        p = np.nan_to_num(judge.detect(Panel(y, pd.RangeIndex(SERIES), periods)).p_value, nan=1.0)
        row.append(" / ".join(f"{(p <= level).mean() / level:.1f}" for level in levels))
    return row


def show(label, row):
    print("| " + " | ".join([*map(str, label), *row]) + " |", flush=True)


def ears():
    variants = ({}, {"mid_p": False}, {"distribution": "t"}, {"distribution": "normal"})
    for name in ("ears-c1", "ears-c2", "ears-c3"):
        for parameters in variants:
            kind = ", ".join(map(str, parameters.values())) or "default"
            for phi in (1, 2, 3):
                show((name, kind.replace("False", "strict"), "flat", 100, phi), rates(name, parameters, "flat", phi, 100, MEANS, (0.01,)))
        shortest = detector(name).min_periods("week")
        for phi in (1, 2, 3):
            show((name, "default", "flat", shortest, phi), rates(name, {}, "flat", phi, shortest, MEANS, (0.01,)))
        for shape in ("season", "trend"):
            for phi in (1, 2):
                show((name, "default", shape, 100, phi), rates(name, {}, shape, phi, 100, MEANS, (0.01,)))


def ewma():
    for parameters in ({}, {"smoothing": 0.2}, {"smoothing": 1.0}):
        for phi in (1, 2, 3):
            label = (parameters.get("smoothing", 0.4), "flat", 270, phi)
            show(label, rates("ewma", parameters, "flat", phi, 270, (0.1, *MEANS), (0.05, 0.01, 0.005, 0.001)))
    for shape, length in (("flat", 58), ("season", 58), ("season", 270), ("trend", 58), ("trend", 270)):
        for phi in (1, 2):
            show((0.4, shape, length, phi), rates("ewma", {}, shape, phi, length, (0.1, *MEANS), (0.05, 0.01, 0.005, 0.001)))


if __name__ == "__main__":
    {"ears": ears, "ewma": ewma}[sys.argv[1]]()
