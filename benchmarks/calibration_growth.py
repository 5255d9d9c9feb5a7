"""Share of alarms of growth-funnel where nothing happens, simulated, and what it says of all products of the public injury records.

python benchmarks/calibration_growth.py             # simulated
python benchmarks/calibration_growth.py DATA        # and the real records, month by month (--step 3: every quarter)
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from bench_detection import markdown

from riskwatch.assessment import q_values
from riskwatch.detectors import detector
from riskwatch.panel import Panel

LEVELS = (0.05, 0.01, 0.005, 0.001)


def quiet(rng: np.random.Generator, series: int, *, mean: float, drift: float, phi: float, fall: float = 0.05) -> Panel:
    """Return four years of months: levels that differ, a season, a common fall a year, a lasting drift of each series of its own."""
    at = np.arange(48) / 12
    level = (
        mean
        * np.exp(rng.normal(0, 0.8, (series, 1)) + rng.normal(0, drift, (series, 1)) * at - fall * at)
        * (1 + 0.5 * np.cos(2 * np.pi * at))
    )
    counts = rng.poisson(level) if phi == 1 else rng.negative_binomial(level / (phi - 1), 1 / phi)
    return Panel(counts.astype(float), pd.RangeIndex(series), pd.period_range("2015-01", periods=48, freq="M"))


def simulated(series: int) -> pd.DataFrame:
    """Return the realised shares of judged cells by kind of series and adjustment; a year against the two before it."""
    rows = []
    for mean, drift, phi in (
        (0.5, 0.0, 1.0),
        (3.0, 0.0, 1.0),
        (30.0, 0.0, 1.0),
        (3.0, 0.1, 1.0),
        (30.0, 0.1, 1.0),
        (3.0, 0.0, 3.0),
        (30.0, 0.0, 3.0),
    ):
        panel = quiet(np.random.default_rng(1), series, mean=mean, drift=drift, phi=phi)
        for adjustment in ("additive", "multiplicative"):
            p = detector("growth-funnel", window_periods=12, adjustment=adjustment).detect(panel).p_value
            p = p[np.isfinite(p)]
            rows.append(
                {"mean": f"{mean:g}", "drift": f"{drift:g}", "phi": f"{phi:g}", "adjustment": adjustment}
                | {f"at {level:.1%}": f"{np.mean(p <= level):.2%}" for level in LEVELS}
            )
    return pd.DataFrame(rows)


def youth(data: Path) -> Panel:
    """Return injuries of the ages 14-24 by product and month, each of a card's products counted."""
    cards = pd.read_parquet(data / "neiss_youth_2011_2019" / "injuries.parquet")
    month = pd.to_datetime(cards["treatment_date_est"]).dt.to_period("M")
    long = pd.concat([pd.DataFrame({"product": cards[name], "month": month}) for name in ("prod1", "prod2", "prod3")])
    months = pd.period_range("2011-01", "2019-12", freq="M")
    counted = long[long["product"] > 0]
    table = pd.crosstab(counted["product"], counted["month"]).reindex(columns=months, fill_value=0)
    return Panel(table.to_numpy(np.float64), table.index, pd.PeriodIndex(months))


def real(data: Path, years: list[int], step: int) -> None:
    """Print, for every ``step``-th month, realised shares and the products with q below 0.05 among the products of that month."""
    panel = youth(data)
    for years_back in years:
        judge = detector("growth-funnel", window_periods=12, years_back=years_back, min_total=30)
        judged = panel.periods[12 * (years_back + 1) - 1 :: step]
        p = judge.detect(panel, judged).p_value
        shares = {f"at {level:.1%}": f"{np.nanmean(p <= level) / np.mean(np.isfinite(p)):.2%}" for level in LEVELS}
        found: dict[int, list[str]] = {}
        for column, month in enumerate(judged):
            known = np.isfinite(p[:, column])
            for row in np.flatnonzero(known)[q_values(p[known, column]) < 0.05]:
                found.setdefault(int(panel.index[row]), []).append(str(month))
        print(f"\nyears back {years_back}, {len(judged)} months: {shares}")
        print("; ".join(f"{code}: {len(months)} months, {months[0]} to {months[-1]}" for code, months in found.items()))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--series", type=int, default=2000)
    parser.add_argument("--years", type=int, nargs="+", default=[2], help="years looked back, of the real records")
    parser.add_argument("--step", type=int, default=1, help="months from one judged month of the real records to the next")
    options = parser.parse_args()
    print(markdown(simulated(options.series)), flush=True)
    if options.data:
        real(options.data, options.years, options.step)


if __name__ == "__main__":
    main()
