"""Control charts against reference output of the R package surveillance 1.20.3: ``python benchmarks/parity_charts.py DATA``.

DATA holds ``ref_surveillance`` and ``ref_surveillance_detail`` (index.json and CSV files).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from riskwatch.detectors import cusum_statistics, detector, glr_statistics, in_control
from riskwatch.panel import Panel

TRANSFORMS = {"standard": "standard", "rossi": "rossi", "anscombe": "anscombe", "pearsonNegBin": "pearson-nb"}
MONTHLY = {"rotaBB", "meningo.age"}
K, H, ALPHA, ARL = 1.04, 2.26, 0.1, 5.0


def difference(ours, theirs):
    """Return the largest relative difference; below 1 it is absolute."""
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    return float(np.max(np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1.0), initial=0.0))


def cusum_chart(y, start, transform, *, glm, per_year):
    """Return in-control mean, statistic, count that would alarm and alarm of algo.cusum for periods from ``start`` (0-based) on."""
    x = in_control.design(np.arange(len(y)) + 1.0, per_year, 1 if glm else 0, trend=False)
    fit = in_control.fit(y[:start, None], np.ones((start, 1)), x[:start])
    mean = fit.predict(x[start:])[0][:, 0]
    chart = cusum_statistics.recursion(cusum_statistics.score(transform, y[start:], mean, ALPHA) - K)
    before = np.concatenate([[0.0], chart[:-1]])
    limit = cusum_statistics.inverse_score(transform, H + K - before, mean, ALPHA)
    if transform == "standard":
        limit = np.ceil(limit)
    if transform == "rossi":
        # Where even no case would keep the chart below the limit, R takes the second root of the quadratic; ours is 0.
        need = H + K - before
        beyond = (need < -1.5 * np.sqrt(mean)) & (need >= -2.0 * np.sqrt(mean))
        assert (limit[beyond] == 0).all()
        second = (np.sqrt(mean) - np.sqrt(np.maximum(4 * mean + 2 * np.sqrt(mean) * need, 0))) ** 2
        limit = np.where(beyond, second, limit)
    return mean, chart, limit, chart >= H


def panel_of(y, monthly):
    periods = pd.period_range("2001-01-01", periods=len(y), freq="M" if monthly else "W-SUN")
    return Panel(y[None, :], pd.Index(["series"]), periods)


def compare_cusum(entry, folder, y, rows):
    found = pd.read_csv(folder / entry["file"])
    start, transform = int(found["t"].iloc[0]) - 1, TRANSFORMS[entry["control"]["trans"]]
    glm, monthly = "_glm_" in entry["id"], entry["dataset"] in MONTHLY
    end = start + len(found)
    mean, chart, limit, alarm = cusum_chart(y[:end], start, transform, glm=glm, per_year=12.0 if monthly else 52.0)
    panel = panel_of(y[:end], monthly)
    made = detector(
        "cusum",
        statistic=transform,
        reference=K,
        limit=H,
        nb_alpha=ALPHA if transform == "pearson-nb" else None,
        start="first-judged",
        harmonics=int(glm),
        trend=False,
        coefficient_sd=None,
        min_baseline=4,
        year_match="fixed",
    )
    signals = made.detect(panel, panel.periods[start:])
    rows.append(
        {
            "method": f"cusum {transform} {'glm' if glm else 'mean'}",
            "rows": len(found),
            "mean": difference(mean, found["m"]),
            "statistic": difference(chart, found["cusum"]),
            "upper": difference(limit, found["upperbound"]),
            "alarms": int((alarm != found["alarm"]).sum()),
            "detector alarms": int((signals.alarm[0] != found["alarm"]).sum()),
        }
    )


def compare_glr(entry, folder, y, rows):
    """Compare algo.glrnb and algo.glrpois: statistic, alarms and, where given, the count that would alarm."""
    found = pd.read_csv(folder / entry["file"])
    start, monthly, nb = int(found["t"].iloc[0]) - 1, entry["dataset"] in MONTHLY, entry["fun"] == "glrnb"
    y = y[: start + len(found)]
    x = in_control.design(np.arange(len(y)) + 1.0, 12.0 if monthly else 52.0, 1, trend=True, scale=float(start))
    fit = (in_control.fit_negative_binomial if nb else in_control.fit)(y[:start, None], np.ones((start, 1)), x[:start])
    mean = fit.predict(x[start:])[0].T
    counts, alpha = y[None, start:], fit.alpha
    value, alarm, first = glr_statistics.chart(counts, mean, alpha, ARL, restart=True)
    row = {
        "method": entry["fun"],
        "file": entry["id"].split("_", 2)[2],
        "alarms": int((alarm[0] != found["alarm"]).sum()),
        "mean": difference(mean[0], found["mu0"]),
        "alpha": difference(alpha, [entry["control"]["alpha_used"]]),
        "rows": len(found),
    }
    if "_value_" in entry["id"]:
        panel = panel_of(y, monthly)
        settings = {"dispersion": "ml"} if nb else {}
        made = detector(
            "glr-nb" if nb else "glr-poisson",
            limit=ARL,
            start="first-judged",
            harmonics=1,
            coefficient_sd=None,
            min_baseline=4,
            year_match="fixed",
            **settings,
        )
        row["detector alarms"] = int((made.detect(panel, panel.periods[start:]).alarm[0] != found["alarm"]).sum())
        row["statistic"] = difference(value[0], found["upperbound"])
        row["statistic, R's mean"] = difference(
            glr_statistics.chart(
                counts, found["mu0"].to_numpy()[None], np.array([entry["control"]["alpha_used"]], float), ARL, restart=True
            )[0][0],
            found["upperbound"],
        )
    else:
        cases = [glr_statistics.count_to_alarm(counts[:, : n + 1], mean[:, : n + 1], alpha, ARL, first[:, n])[0] for n in range(len(found))]
        given_up = found["upperbound"].to_numpy() > 1e90  # R's search, from a count of 0
        row["cases"], row["R gave up"] = len(cases), int(given_up.sum())
        row["cases that differ"] = int((np.array(cases) != found["upperbound"])[~given_up].sum())
    rows.append(row)


def golden_cusum(folder, rows):
    table = pd.read_csv(folder / "golden_detectors.csv")
    for (name, unit), part in table[table["method"] == "cusum(rossi)"].groupby(["dataset", "unit"]):
        data = pd.read_csv(folder / f"data_{name}.csv")
        columns = [
            c for c in data.columns if c not in {"dataset", "t", "epoch", "year", "period", "freq", "state"} and not c.startswith("pop_")
        ]
        y = data[columns].sum(axis=1).to_numpy(float) if unit == "overall" else data[unit].to_numpy(float)
        start = int(part["t"].iloc[0]) - 1
        _, _, limit, alarm = cusum_chart(y[: start + len(part)], start, "rossi", glm=False, per_year=52.0)
        rows.append(
            {
                "method": "cusum rossi mean (second set)",
                "rows": len(part),
                "upper": difference(limit, part["upperbound"]),
                "alarms": int((alarm != part["alarm"]).sum()),
            }
        )


def main(data):
    detail = Path(data) / "ref_surveillance_detail"
    rows, glr = [], []
    for entry in json.loads((detail / "index.json").read_text())["entries"]:
        if entry["note"].startswith("ERROR"):
            continue
        if entry["fun"] == "algo.cusum":
            compare_cusum(entry, detail, series(detail, entry), rows)
        elif entry["fun"] in {"glrnb", "glrpois"}:
            compare_glr(entry, detail, series(detail, entry), glr)
    golden_cusum(Path(data) / "ref_surveillance", rows)
    table = pd.DataFrame(rows)
    print(
        table.groupby("method", sort=False)
        .agg(lambda part: part.sum() if part.name in {"rows", "alarms", "detector alarms"} else part.max())
        .to_string()
    )
    table = pd.DataFrame(glr)
    print(
        table.drop(columns="file")
        .groupby("method")
        .agg(
            lambda part: (
                part.sum()
                if part.dtype.kind == "i" or "alarms" in part.name or "cases" in part.name or ("R" in part.name and "mean" not in part.name)
                else part.max()
            )
        )
        .T.to_string()
    )
    print(table[(table.fillna(0)["statistic"] > 1e-6) | (table["alarms"] > 0) | (table["cases that differ"] > 0)].to_string())


def series(folder, entry):
    data = pd.read_csv(folder / f"series_{entry['dataset']}.csv").iloc[:, 2:]
    return (data.sum(axis=1) if entry["unit"] == "total" else data[entry["unit"]]).to_numpy(float)


if __name__ == "__main__":
    main(sys.argv[1])
