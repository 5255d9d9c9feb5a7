"""Agreement of ears-c1, ears-c2 and ears-c3 with R surveillance: ``python benchmarks/parity_ears.py DATA``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from riskwatch.detectors import detector
from riskwatch.panel import Panel


def reference(folder):
    """Yield method, counts, baseline, alpha, judged positions, limits and alarms of every reference run."""
    detail = folder / "ref_surveillance_detail"
    for path in sorted(detail.glob("earsC?_*.csv")):
        method, series, unit = re.fullmatch(r"ears(C\d)_(.*?)__(.*)", path.stem).groups()
        counts = pd.read_csv(detail / f"series_{series}.csv").drop(columns=["t", "epoch"])
        rows = pd.read_csv(path)
        yield method, counts.sum(axis=1) if unit == "total" else counts[unit], 7, 0.01, rows
    golden = pd.read_csv(folder / "ref_surveillance" / "golden_detectors.csv")
    golden = golden[golden["method"].str.startswith("earsC")]
    for (series, unit, method, params), rows in golden.groupby(["dataset", "unit", "method", "params"]):
        data = pd.read_csv(folder / "ref_surveillance" / f"data_{series}.csv")
        columns = [name for name in data if name not in {"dataset", "t", "year", "period", "freq"} and not name.startswith("pop_")]
        baseline, alpha = re.fullmatch(r"baseline=(\d+),alpha=([\d.]+)", params).groups()
        yield method[-2:], data[columns].sum(axis=1) if unit == "overall" else data[unit], int(baseline), float(alpha), rows


def compare(folder):
    """Return rows, largest relative difference of the limits, refused and R's missing limits, and alarms that differ, by method."""
    found = []
    for method, counts, baseline, alpha, rows in reference(folder):
        y = counts.to_numpy(float)
        periods = pd.period_range("2000-01-03", periods=len(y), freq="W-SUN")
        extra = {"c3_formula": "surveillance"} if method == "C3" else {}
        judge = detector(f"ears-{method.lower()}", baseline=baseline, alpha=alpha, distribution="normal", **extra)
        signals = judge.detect(Panel(y[None], pd.RangeIndex(1), periods), periods[rows["t"].to_numpy() - 1])
        np.testing.assert_array_equal(signals.observed[0], rows["observed"])
        upper, ours = rows["upperbound"].to_numpy(float), signals.upper[0]
        with np.errstate(invalid="ignore"):
            apart = np.nan_to_num(np.abs(ours - upper) / np.maximum(np.abs(upper), 1e-9))
        alarms = (signals.alarm[0] != (rows["alarm"] == 1)).sum()
        found.append((method, len(rows), apart.max(), np.isnan(upper).sum(), (np.isnan(ours) != np.isnan(upper)).sum(), alarms))
    names = ["method", "rows", "largest", "missing in R", "missing differs", "alarms differ"]
    how = {"rows": "sum", "largest": "max", "missing in R": "sum", "missing differs": "sum", "alarms differ": "sum"}
    return pd.DataFrame(found, columns=names).groupby("method").agg(how)


if __name__ == "__main__":
    print(compare(Path(sys.argv[1])).to_string())
