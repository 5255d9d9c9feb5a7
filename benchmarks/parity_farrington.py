"""Every reference row of R surveillance for the two Farrington methods.

python benchmarks/parity_farrington.py DATA    # DATA holds ref_surveillance and ref_surveillance_detail
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from riskwatch.detectors import detector
from riskwatch.panel import Panel

REFERENCE = Path(__file__).parents[1] / "tests" / "reference"
COUNTS = pd.read_csv(REFERENCE / "surveillance_counts.csv", dtype=str, keep_default_na=False).set_index(["dataset", "unit"])
CASES = json.loads((REFERENCE / "farrington_flexible_cases.json").read_text(encoding="utf-8"))["cases"]
SERIES = {(case["dataset"], case["unit"]): case for case in CASES}


def panel_of(dataset, unit):
    """Return the series as a panel, and how its years are matched."""
    case, row = SERIES[dataset, unit], COUNTS.loc[(dataset, unit)]
    counts = np.array(row["counts"].split(), float)[None]
    population = np.array(row["population"].split(), float)[None] if row["population"] else None
    periods = pd.period_range(case["first"] or "2000-01-03", periods=counts.shape[1], freq=case["freq"])
    return Panel(counts, pd.Index([unit]), periods, population), "calendar" if case["first"] else "fixed"


def farrington_1996(folder):
    entries = json.loads((folder / "ref_surveillance_detail" / "index.json").read_text(encoding="utf-8"))["entries"]
    for entry in entries:
        if entry["fun"] != "algo.farrington":
            continue
        control = entry["control"]
        panel, match = panel_of(entry["dataset"], entry["unit"])
        judge = detector(
            "farrington", years_back=control["b"], half_window=control["w"], alpha=control["alpha"] / 2, limit_cases=control["limit54"][0],
            min_years=1, zero_floor=0, year_match=match,
        )  # fmt: skip
        theirs = pd.read_csv(folder / "ref_surveillance_detail" / entry["file"])
        yield "farrington 1996", entry["id"], judge.detect(panel, panel.periods[theirs["t"] - 1]), theirs


def difference(ours, theirs):
    mine, other = ours.upper[0], theirs["upperbound"].to_numpy()
    return np.where(np.isnan(mine) & (np.isnan(other) | (other == 0)), 0.0, np.abs(mine - other) / np.maximum(np.abs(other), 1e-6))


if __name__ == "__main__":
    for method, name, ours, theirs in farrington_1996(Path(sys.argv[1])):
        d = difference(ours, theirs)
        print(method, name, len(d), (~(d < 1e-6)).sum(), np.nanmax(d))
        for at in np.flatnonzero(~(d < 1e-6))[:3]:
            print(ours.upper[0, at], theirs.iloc[at].to_dict(), ours.reason_text[0, at], ours.p_value[0, at])
