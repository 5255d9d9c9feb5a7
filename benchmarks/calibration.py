"""Share of alarms of every count detector on data without any signal: realised against nominal level.

python benchmarks/calibration.py                    # all methods, 4,000 series each; some minutes
python benchmarks/calibration.py --only ewma --series 1000 --alpha 0.001 0.01
python benchmarks/calibration.py --write            # puts the tables into docs/detectors/calibration.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from bench_detection import METHODS, markdown

from riskwatch.detectors import detector
from riskwatch.panel import Panel

WEEKS = 52 * 7
MEANS = (0.1, 0.3, 1.0, 5.0, 30.0, 300.0)
SHAPES = ("flat", "season", "trend", "season and trend")
JUDGED = 8  # newest weeks, enough apart in time to be nearly independent where a method looks back a week or two
STEP = 5


def quiet_panel(series, mean, phi, shape, rng):
    """Return seven years of weekly counts without any outbreak; variance phi * mean."""
    week = np.arange(WEEKS)
    log_mean = np.full(WEEKS, np.log(mean))
    if "season" in shape:
        log_mean += 0.6 * np.cos(2 * np.pi * week / 52.18)
    if "trend" in shape:
        log_mean += 0.15 * (week - WEEKS + 1) / 52  # 15 % a year, with the stated mean now
    level = np.exp(np.broadcast_to(log_mean, (series, WEEKS)))
    counts = rng.poisson(level) if phi == 1 else rng.negative_binomial(level / (phi - 1), 1 / phi)
    periods = pd.period_range("2015-01-05", periods=WEEKS, freq="W-SUN")
    return Panel(counts.astype(float), pd.RangeIndex(series), periods)


def realised(label, series, alphas, seed=1):
    """Return one row per kind of data: shares of cells with p at or below each level (refused cells count as quiet), judged cells."""
    name, parameters = METHODS[label]
    judge = detector(name, alpha=max(alphas), **parameters)
    rows = []
    for shape in SHAPES:
        for phi in (1.0, 2.0):
            for mean in MEANS:
                panel = quiet_panel(series, mean, phi, shape, np.random.default_rng(seed))
                signals = judge.detect(panel, panel.periods[-1 - STEP * np.arange(JUDGED)[::-1]])
                p = signals.p_value
                shares = {f"at {alpha:.1%}": f"{np.mean(np.nan_to_num(p, nan=1.0) <= alpha):.2%}" for alpha in alphas}
                rows.append({"data": shape, "phi": f"{phi:g}", "mean": f"{mean:g}", **shares, "judged": f"{np.isfinite(p).mean():.0%}"})
    return pd.DataFrame(rows)


def main():
    """Print or write the table of each method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=4000, help="series per kind of data; each is judged in 8 weeks")
    parser.add_argument("--alpha", type=float, nargs="+", default=[0.05, 0.01, 0.005, 0.001])
    parser.add_argument("--only", nargs="+", default=[], choices=sorted(METHODS), metavar="METHOD")
    parser.add_argument("--write", action="store_true", help="write docs/detectors/calibration.md")
    options = parser.parse_args()
    parts = []
    for label in options.only or METHODS:
        table = realised(label, options.series, options.alpha)
        parts.append(f"## {label}\n{markdown(table)}")
        print(parts[-1], flush=True)
    if options.write:
        head = (
            "# Alarms where there is nothing to find\n\n"
            f"`python benchmarks/calibration.py --series {options.series} --write`. "
            "Weekly counts of seven years without any outbreak, Poisson (phi 1) or negative "
            "binomial (variance = phi x mean); season: a factor exp(0.6 cos); trend: 15 % a year. Share of all cells whose p-value lies "
            "at or below the level; refused cells count as quiet. "
            f"{options.series:,} series, {JUDGED} weeks each: standard error about "
            f"{np.sqrt(0.01 * 0.99 / options.series / JUDGED):.2%} at 1 %. Counts come in whole numbers: at means "
            "below 1 few levels can be met exactly, "
            "and a method that never goes above its level must lie below it. "
            "Detectors of shares have tables on their own pages: [binomial-baseline](binomial-baseline.md), "
            "[binomial-glm](binomial-glm.md), [binomial-cusum](binomial-cusum.md), [p-chart](p-chart.md), [funnel](funnel.md).\n\n"
        )
        (Path(__file__).parents[1] / "docs" / "detectors" / "calibration.md").write_text(head + "\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
