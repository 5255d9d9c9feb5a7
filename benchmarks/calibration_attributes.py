"""Share of alarms of the attribute charts and the funnel on shares without any signal: realised against nominal level.

python benchmarks/calibration_attributes.py             # prints one table per method, as on their pages
python benchmarks/calibration_attributes.py --series 500
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from bench_detection import markdown

from riskwatch.detectors import detector
from riskwatch.panel import Panel

METHODS = {
    "p-chart": ("p-chart", {}),
    "p-chart, normal limits": ("p-chart", {"limits": "normal"}),
    "u-chart": ("u-chart", {}),
    "laney-p": ("laney-p", {}),
    "laney-p, as published": ("laney-p", {"limits": "normal", "min_sigma_z": 0.0}),
    "funnel": ("funnel", {}),
    "funnel, consistent": ("funnel", {"consistent": True}),
    "funnel, additive": ("funnel", {"adjustment": "additive"}),
    "funnel, additive, consistent": ("funnel", {"adjustment": "additive", "consistent": True}),
    "funnel, normal limits": ("funnel", {"limits": "normal"}),
    "funnel, three months": ("funnel", {"window_periods": 3}),
    "binomial-baseline, mid-p, three months": ("binomial-baseline", {"mid_p": True, "window_periods": 3}),
}
LEVELS = (0.05, 0.01, 0.005)


def quiet(series, mean_n, rho, spread, rng):
    """Return 40 months of failures: rate 6 %, correlation ``rho`` within a month, lasting rates ``spread`` apart on the log odds."""
    n = rng.poisson(mean_n, (series, 40)).astype(float)
    rate = 1 / (1 + np.exp(-(np.log(0.06 / 0.94) + rng.normal(0, spread, (series, 1)))))
    if rho:
        rate = rng.beta(rate * (1 / rho - 1), (1 - rate) * (1 / rho - 1), n.shape)
    x = rng.binomial(n.astype(int), np.broadcast_to(rate, n.shape))
    return Panel(np.where(n > 0, x, np.nan), pd.RangeIndex(series), pd.period_range("2020-01", periods=40, freq="M"), n)


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=2000)
    parser.add_argument("--only", nargs="+", default=[], choices=sorted(METHODS), metavar="METHOD")
    options = parser.parse_args()
    for label, (name, parameters) in METHODS.items():
        if options.only and label not in options.only:
            continue
        rows = []
        for rho, spread in ((0.0, 0.0), (0.03, 0.0), (0.0, 0.4)):
            for mean_n in (3, 10, 50, 300):
                panel = quiet(options.series, mean_n, rho, spread, np.random.default_rng(1))
                signals = detector(name, alpha=max(LEVELS), **parameters).detect(panel, panel.periods[[-13, -9, -5, -1]])
                p = signals.p_value[signals.reason == 0]
                rows.append(
                    {
                        "n about": mean_n,
                        "rho": f"{rho:g}",
                        "spread": f"{spread:g}",
                        **{f"at {at:.1%}": f"{(p <= at).mean():.2%}" for at in LEVELS},
                    }
                )
        print(f"## {label}\n{markdown(pd.DataFrame(rows))}\n", flush=True)


if __name__ == "__main__":
    main()
