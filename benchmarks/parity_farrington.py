"""Every reference row of R surveillance for the two Farrington methods: upper limits, by method.

python benchmarks/parity_farrington.py DATA    # DATA holds ref_surveillance and ref_surveillance_detail
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from riskwatch.detectors import detector
from riskwatch.errors import DetectorError
from riskwatch.panel import Panel

REFERENCE = Path(__file__).parents[1] / "tests" / "reference"
COUNTS = pd.read_csv(REFERENCE / "surveillance_counts.csv", dtype=str, keep_default_na=False).set_index(["dataset", "unit"])
CASES = json.loads((REFERENCE / "farrington_flexible_cases.json").read_text(encoding="utf-8"))["cases"]
METHODS = {"nbPlugin": "nb-plugin", "delta": "delta"}
SAME_AS_R = {"min_years": 1, "zero_floor": 0}


def panel_of(dataset, unit):
    """Return a series as a panel, and how R matches its years: by date where it has dates."""
    case = next(case for case in CASES if (case["dataset"], case["unit"]) == (dataset, unit))
    row = COUNTS.loc[(dataset, unit)]
    counts = np.array(row["counts"].split(), float)[None]
    population = np.array(row["population"].split(), float)[None] if row["population"] else None
    periods = pd.period_range(case["first"] or "2000-01-03", periods=counts.shape[1], freq=case["freq"])
    return Panel(counts, pd.Index([unit]), periods, population), "calendar" if case["first"] else "fixed"


def farrington(folder):
    """Yield the detailed rows of the 1996 method; R's alpha is two-sided."""
    for entry in json.loads((folder / "ref_surveillance_detail" / "index.json").read_text(encoding="utf-8"))["entries"]:
        if entry["fun"] == "algo.farrington":
            control = entry["control"]
            panel, match = panel_of(entry["dataset"], entry["unit"])
            given = {"years_back": control["b"], "half_window": control["w"], "alpha": control["alpha"] / 2}
            judge = detector("farrington", **given, limit_cases=control["limit54"][0], year_match=match, **SAME_AS_R)
            yield "farrington", entry["id"], panel, judge, pd.read_csv(folder / "ref_surveillance_detail" / entry["file"])


def flexible(folder):
    """Yield the detailed rows of the improved method."""
    for case in CASES:
        if "golden" not in case["case"]:
            panel, match = panel_of(case["dataset"], case["unit"])
            judge = detector("farrington-flexible", **case["parameters"], year_match=match, **SAME_AS_R)
            method = f"farrington-flexible, {judge.threshold_method}" + (", offset" if judge.population_offset else "")
            yield method, case["case"], panel, judge, pd.read_csv(folder / "ref_surveillance_detail" / f"ff_{case['case']}.csv")


def golden(folder):
    """Yield the rows of the second run, other settings on the last year of nine series."""
    table = pd.read_csv(folder / "ref_surveillance" / "golden_detectors.csv")
    names = {"farrington(Farrington1996)": "farrington", "farringtonFlexible(Noufaily2013)": "farrington-flexible"}
    names["farringtonFlexible(delta/quantile)"] = "farrington-flexible"
    for (dataset, method, params), rows in table[table["method"].isin(names)].groupby(["dataset", "method", "params"], sort=False):
        data = pd.read_csv(folder / "ref_surveillance" / f"data_{dataset}.csv")
        units = [name for name in data.columns[5:] if not name.startswith("pop_")]
        known = next((case for case in CASES if case["dataset"] == dataset), {"first": None})
        freq = "M" if data["freq"][0] == 12 else "W-SUN"
        periods = pd.period_range(known["first"] or "2000-01-03", periods=len(data), freq=freq)
        panel = Panel(data[units].sum(axis=1).to_numpy(float)[None], pd.Index([dataset]), periods)
        control = dict(part.split("=") for part in params.replace("limit54=c(", "limit54=").replace(",4)", "").split(","))
        given = {"years_back": int(control["b"]), "half_window": int(control["w"]), "limit_cases": int(control["limit54"])}
        alpha = float(control["alpha"])
        if names[method] == "farrington":
            given["alpha"] = alpha / 2
        else:
            given |= {"seasonal_levels": int(control["noPeriods"]), "guard_periods": int(control["pastWeeksNotIncluded"])}
            given |= {"reweight_threshold": float(control["weightsThreshold"]), "trend_alpha": float(control["pThresholdTrend"])}
            given |= {"threshold_method": METHODS[control["thresholdMethod"]], "alpha": alpha}
        judge = detector(names[method], **given, year_match="calendar" if known["first"] else "fixed", **SAME_AS_R)
        yield f"{names[method]}, {alpha:g}, second run", dataset, panel, judge, rows


def main(folder):
    found = {}
    for source in (farrington, flexible, golden):
        for method, name, panel, judge, theirs in source(folder):
            count = found.setdefault(method, {"rows": 0, "not judged by either": 0, "refused here": 0, "largest": 0.0})
            count["rows"] += len(theirs)
            try:
                ours = judge.detect(panel, panel.periods[theirs["t"].to_numpy() - 1])
            except DetectorError as error:
                count["refused here"] += len(theirs)
                print(f"{name}: {len(theirs)} rows refused: {error.message}")
                continue
            mine, other = ours.upper[0], theirs["upperbound"].to_numpy()
            quiet = (ours.reason_text[0] == "too-few-cases") & (np.isnan(other) | (other == 0))
            quiet |= np.isnan(other) & (ours.reason_text[0] == "no-convergence")
            difference = np.abs(mine - other) / np.maximum(np.abs(other), 1e-6)
            count["not judged by either"] += int(quiet.sum())
            for at in np.flatnonzero(~quiet & ~(difference <= 1e-6) & (mine != other)):
                print(f"{name} t={theirs['t'].iloc[at]}: {mine[at]!r} ({ours.reason_text[0, at]}), R {other[at]!r}")
            count["largest"] = max(count["largest"], float(np.nanmax(np.where(quiet | (mine == other), 0.0, difference), initial=0)))
    print("| method | rows | not judged by either | refused here | largest relative difference of the upper limit |\n|---|--:|--:|--:|--:|")
    for method, count in found.items():
        print(f"| {method} | {count['rows']:,} | {count['not judged by either']} | {count['refused here']} | {count['largest']:.1e} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
