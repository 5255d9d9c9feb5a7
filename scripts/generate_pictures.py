"""Draw docs/detectors/img/<detector>.png: each method on a made-up series of the kind it is meant for.

python scripts/generate_pictures.py                 # all
python scripts/generate_pictures.py binomial-cusum  # some
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from riskwatch.calendar import period_bounds
from riskwatch.detectors import detector, names
from riskwatch.panel import Panel
from riskwatch.plots import series_figure, to_png

ROOT = Path(__file__).resolve().parent.parent
YEARS, SHOWN = 7, 70
SHORT_HISTORY = {"ears-c1", "ears-c2", "ears-c3"}
SHARES = {"binomial-baseline", "binomial-cusum", "binomial-glm", "funnel", "laney-p", "p-chart", "u-chart"}
SLOW_RISE = {"binomial-cusum", "cusum", "ewma", "glr-nb", "glr-poisson"}


def example(name: str) -> Panel:
    """Return one series that shows what the method is for, among siblings where it learns from them."""
    rng = np.random.default_rng(20)
    weeks = 52 * YEARS
    week = np.arange(weeks)
    mean = 9 * np.exp(0.4 * np.cos(2 * np.pi * week / 52.18))
    periods = pd.period_range("2019-01-07", periods=weeks, freq="W-SUN")
    if name in SHORT_HISTORY:
        mean = np.full(weeks, 5.0)
    if name in SLOW_RISE:
        mean = np.where(week >= weeks - 20, 1.5, 1.0) * mean
    if name == "new-event":
        mean = np.full(weeks, 0.03)
    observed = rng.negative_binomial(np.broadcast_to(mean, (40, weeks)) / 0.3, 1 / 1.3).astype(float)
    if name == "new-event":
        observed[0] = 0
        observed[0, -12:] = [1, 0, 0, 1, 1, 4, 9, 7, 3, 1, 0, 1]
    elif name not in SLOW_RISE:
        observed[0, -14:-10] += [4, 9, 12, 6]
    if name in SHARES:
        exposure = rng.poisson(60, (40, weeks)).astype(float)
        observed = rng.binomial(exposure.astype(int), 0.05).astype(float)
        if name in SLOW_RISE:
            observed[0, -20:] = rng.binomial(exposure[0, -20:].astype(int), 0.09)
        else:
            observed[0, -14:-10] += [3, 6, 8, 4]
        return Panel(np.minimum(observed, exposure), pd.RangeIndex(40), periods, exposure)
    return Panel(observed, pd.RangeIndex(40), periods)


def main() -> None:
    """Draw the pictures of the named methods, or of all."""
    folder = ROOT / "docs" / "detectors" / "img"
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or names():
        panel = example(name)
        judged = panel.periods[-SHOWN:]
        signals = detector(name).detect(panel, judged)
        history = pd.DataFrame(
            {
                "period_start": pd.DatetimeIndex(period_bounds(judged)[0]),
                "observed": signals.observed[0],
                "expected": signals.expected[0],
                "upper": np.maximum(signals.upper[0], 0.0),
                "alarm": signals.alarm[0],
            }
        )
        if signals.exposure is not None:
            history["exposure"] = signals.exposure[0]
        path = folder / f"{name}.png"
        path.write_bytes(to_png(series_figure(history, language="en", width=6.4, height=1.8)))
        sys.stdout.write(f"{path.relative_to(ROOT)}: {int(signals.alarm[0].sum())} alarms\n")


if __name__ == "__main__":
    main()
