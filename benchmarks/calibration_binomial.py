"""Share of alarms of the detectors of shares on data without any signal: realised against nominal level.

python benchmarks/calibration_binomial.py                     # 2,000 series by kind of data; some minutes
python benchmarks/calibration_binomial.py --only binomial-glm --series 500
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from bench_detection import markdown

from riskwatch.detectors import detector
from riskwatch.panel import Breakdown, Panel

MONTHS = 75
JUDGED = 6  # newest months
SIZES = (3.0, 10.0, 50.0, 500.0)
METHODS = {
    "binomial-baseline": ("binomial-baseline", {}),
    "binomial-glm": ("binomial-glm", {}),
    "binomial-glm, mid-p": ("binomial-glm", {"mid_p": True}),
    "binomial-cusum": ("binomial-cusum", {}),
}
LABS, STRICT = 8, 1.8  # laboratories; odds ratio of the strict one
KINDS = ("flat", "scatter 0.03", "season and trend", "strict laboratory", "strict laboratory, hidden")


def quiet_panel(series, size, kind, rng):
    """Return months of failures among about ``size`` inspections, rates Beta(2, 38) among siblings, without any excess.

    "strict laboratory": the first of eight has 1.8 times the odds; each series uses three of them in turn by chance, and in the judged
    months a tenth of the series goes to the strict one alone. "hidden": the same data without the breakdown.
    """
    month = np.arange(MONTHS)
    inspected = rng.poisson(size, (series, MONTHS)).astype(float)
    logit = np.log(1 / (1 / rng.beta(2, 38, (series, 1)) - 1)) * np.ones((1, MONTHS))
    if kind == "season and trend":
        logit += 0.3 * np.cos(2 * np.pi * month / 12) + 0.08 * (month - MONTHS) / 12
    periods = pd.period_range("2019-01", periods=MONTHS, freq="M")
    index = pd.RangeIndex(series)
    if kind.startswith("strict"):
        share = np.zeros((series, MONTHS, LABS))
        home = rng.integers(0, LABS, series)
        for step in range(3):
            np.put_along_axis(share, np.broadcast_to(((home + step) % LABS)[:, None, None], (series, MONTHS, 1)), rng.random(), axis=2)
        share[: series // 10, -JUDGED:] = np.eye(LABS)[0]
        share /= share.sum(axis=2, keepdims=True)
        parts = rng.multinomial(inspected.astype(int), share).astype(float)
        odds = np.exp(logit)[:, :, None] * np.where(np.arange(LABS) == 0, STRICT, 1.0)
        found = rng.binomial(parts.astype(int), odds / (1 + odds)).astype(float)
        labels = tuple(f"lab {at}" for at in range(LABS))
        breakdown = Breakdown("laboratory", labels, found.transpose(2, 0, 1), parts.transpose(2, 0, 1))
        failed = np.where(inspected > 0, found.sum(axis=2), np.nan)
        return Panel(failed, index, periods, inspected, breakdown=None if "hidden" in kind else breakdown)
    rate = 1 / (1 + np.exp(-logit))
    if kind == "scatter 0.03":
        rate = rng.beta(rate * (1 / 0.03 - 1), (1 - rate) * (1 / 0.03 - 1))
    failed = rng.binomial(inspected.astype(int), rate).astype(float)
    return Panel(np.where(inspected > 0, failed, np.nan), index, periods, inspected)


def realised(label, series, alphas, seed=1):
    """Return one row per kind of data: shares of cells with p at or below each level; with a strict laboratory of its series alone too."""
    name, parameters = METHODS[label]
    judge = detector(name, alpha=max(alphas), **parameters)
    rows = []
    for kind in KINDS:
        for size in SIZES:
            panel = quiet_panel(series, size, kind, np.random.default_rng(seed))
            p = np.nan_to_num(judge.detect(panel, panel.periods[-JUDGED:]).p_value, nan=1.0)
            row = {"data": kind, "n": f"{size:g}"} | {f"at {alpha:.1%}": f"{np.mean(p <= alpha):.2%}" for alpha in alphas}
            moved = np.mean(p[: series // 10] <= 0.01)
            rows.append(row | {"moved to the strict one, at 1.0%": f"{moved:.2%}" if kind.startswith("strict") else ""})
    return pd.DataFrame(rows)


def main():
    """Print the table of each method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=2000, help="series per kind of data; each is judged in 6 months")
    parser.add_argument("--alpha", type=float, nargs="+", default=[0.05, 0.01, 0.005, 0.001])
    parser.add_argument("--only", nargs="+", default=[], choices=sorted(METHODS), metavar="METHOD")
    options = parser.parse_args()
    for label in options.only or METHODS:
        print(f"## {label}\n{markdown(realised(label, options.series, options.alpha))}\n", flush=True)


if __name__ == "__main__":
    main()
