"""Detection quality of the count detectors on the study of Noufaily et al. (2013), at nominal and at equal false-positive rates.

python benchmarks/bench_detection.py                  # all methods, seed 1, 100 replicates of 42 scenarios; prints tables
python benchmarks/bench_detection.py --seeds 1 2 3    # pooled over seeds
python benchmarks/bench_detection.py --only ears-c1 farrington-flexible --replicates 20
python benchmarks/bench_detection.py --write          # puts tables into docs/benchmarks.md and the curves into docs/img/

new-event is not among them: it is for combinations with hardly any past. Two lines are bounds, not methods: with the true mean and
dispersion, one week alone, and the smaller tail probability of the newest week and the newest two.
"""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
from detection import LEVELS, at_equal_rates, quality, scores, study

from riskwatch.datasets.outbreaks import CURRENT_WEEKS
from riskwatch.detectors import detector, thresholds

ROOT = Path(__file__).parents[1]
REFERENCE = "farrington-flexible"
# Every method looks at all series: refusing thin ones would hide the very cells where a method is hard to calibrate. The simulated year has
# 52 weeks, so methods with a season take a year of 52 weeks too; by the calendar they would drift out of the simulated season.
YEAR = {"year_match": "fixed"}
METHODS = {
    "sequential-nb": ("sequential-nb", YEAR),
    "sequential-nb, one week": ("sequential-nb", {**YEAR, "windows": 1}),
    "farrington-flexible": ("farrington-flexible", {**YEAR, "limit_cases": 0}),
    "farrington-flexible, muan": ("farrington-flexible", {**YEAR, "limit_cases": 0, "threshold_method": "muan"}),
    "farrington-flexible, delta": ("farrington-flexible", {**YEAR, "limit_cases": 0, "threshold_method": "delta"}),
    "farrington": ("farrington", {**YEAR, "limit_cases": 0}),
    "glr-nb": ("glr-nb", YEAR),
    "glr-poisson": ("glr-poisson", YEAR),
    "cusum": ("cusum", YEAR),
    "ewma": ("ewma", {}),
    "ears-c1": ("ears-c1", {}),
    "ears-c2": ("ears-c2", {}),
    "ears-c3": ("ears-c3", {}),
}
NOMINAL = 0.01
MEASURES = ("FPR", "POD", "first", "sensitivity", "specificity", "PPV", "F1", "delay", "delay_penalised", "timeliness")


def known_model(panel, made, windows):
    """Return the smallest tail probability over the newest 1..windows weeks when mean and dispersion are known."""
    newest = slice(-CURRENT_WEEKS, None)
    phi = np.repeat(made.phi[:, None], CURRENT_WEEKS, axis=1)
    best = np.ones_like(phi)
    for window in range(1, windows + 1):
        sums = [np.apply_along_axis(np.convolve, 1, values, np.ones(window), "valid")[:, newest] for values in (panel.observed, made.mean)]
        best = np.minimum(best, thresholds.negative_binomial_tail(*sums, phi))
    return best


def judged(judge, made, kept):
    """Return p-values with and without the current outbreak and the seconds they took; read back from the file ``kept`` if it is there."""
    if kept is not None and kept.exists():
        stored = np.load(kept)
        return (stored["p"], stored["twin"]), float(stored["seconds"])
    started = time.perf_counter()
    pair = scores(judge, made.panel), scores(judge, made.twin)
    seconds = time.perf_counter() - started
    if kept is not None:
        np.savez_compressed(kept, p=pair[0], twin=pair[1], seconds=seconds)
    return pair, seconds


def run(seeds, replicates, only, keep):
    """Return for each method its p-values with and without the current outbreak, the outbreaks, the designs and seconds per method."""
    found, cases, designs, seconds = {}, [], [], {}
    for seed in seeds:
        made, outbreak = study(seed, replicates)
        cases.append(outbreak)
        designs.append(made.design)
        for label, (name, parameters) in METHODS.items():
            if only and label not in only:
                continue
            judge = detector(name, alpha=NOMINAL, **parameters)
            kept = None if keep is None else keep / f"{name}-{judge.hash[:12]}-{seed}-{replicates}.npz"
            pair, took = judged(judge, made, kept)
            found.setdefault(label, []).append(pair)
            seconds[label] = seconds.get(label, 0.0) + took
            print(f"seed {seed}: {label}: {seconds[label]:.0f} s", flush=True)
        for windows, label in ((1, "known model, one week"), (2, "known model, one or two weeks")):
            found.setdefault(label, []).append((known_model(made.panel, made, windows), known_model(made.twin, made, windows)))
    pooled = {label: tuple(np.vstack(part) for part in zip(*pairs, strict=True)) for label, pairs in found.items()}
    return pooled, np.vstack(cases), pd.concat(designs, ignore_index=True), seconds


def markdown(frame, digits=3):
    """Return a frame as a Markdown table."""
    cells = frame.map(lambda value: f"{value:.{digits}f}" if isinstance(value, float) else str(value))
    lines = ["| " + " | ".join(map(str, cells.columns)) + " |", "|---" + "|--:" * (cells.shape[1] - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in cells.to_numpy()])


def tables(pooled, outbreak, design):
    """Return the tables of the report by title."""
    out = {}
    nominal = [{"method": label, **quality(*pair, outbreak, NOMINAL)} for label, pair in pooled.items() if not label.startswith("known")]
    out[f"At nominal {NOMINAL:.0%}"] = pd.DataFrame(nominal)[["method", *MEASURES]]
    equal = {label: at_equal_rates(*pair, outbreak).set_index("rate") for label, pair in pooled.items()}
    for rate in LEVELS:
        rows = [{"method": label, **frame.loc[rate, list(MEASURES)].to_dict()} for label, frame in equal.items()]
        out[f"At an equal false-positive rate of {rate:.1%}"] = pd.DataFrame(rows)
    if REFERENCE in equal:
        ratios = pd.DataFrame(
            [
                {
                    "method": label,
                    **{
                        f"{name} at {rate:.1%}": frame.loc[rate, name] / equal[REFERENCE].loc[rate, name]
                        for rate in (0.01, 0.005)
                        for name in ("sensitivity", "POD", "first")
                    },
                }
                for label, frame in equal.items()
            ]
        )
        out[f"Ratio to {REFERENCE} at equal false-positive rates"] = ratios
    by = []
    quiet = design["k_past"].to_numpy() == 0
    for label, (_, twin) in pooled.items():
        if label.startswith("known"):
            continue
        rate = pd.DataFrame({"scenario": design["scenario"], "all": (twin <= NOMINAL).mean(axis=1), "quiet": quiet})
        each = rate.groupby("scenario")["all"].mean()
        clean = rate[quiet].groupby("scenario")["all"].mean()
        by.append(
            {
                "method": label,
                "all": rate["all"].mean(),
                "lowest scenario": each.min(),
                "highest scenario": each.max(),
                "without past outbreaks": rate.loc[quiet, "all"].mean(),
                "lowest": clean.min(),
                "highest": clean.max(),
            }
        )
    out[f"Realised false-positive rate at nominal {NOMINAL:.0%}, by scenario"] = pd.DataFrame(by)
    return out


def by_trait(pooled, outbreak, design, at=NOMINAL):
    """Return POD of two methods by size of the outbreak and of past outbreaks, at equal false-positive rates."""
    rows = []
    for label in ("sequential-nb", REFERENCE):
        if label not in pooled:
            continue
        p, twin = pooled[label]
        limit = float(at_equal_rates(p, twin, outbreak, (at,))["threshold"].iloc[0])
        for trait in ("k_now", "k_past"):
            for value in sorted(design[trait].unique()):
                rows_of = (design[trait] == value).to_numpy()
                found = quality(p[rows_of], twin[rows_of], outbreak[rows_of], limit)
                rows.append(
                    {"method": label, "trait": trait, "value": int(value), **{k: found[k] for k in ("FPR", "POD", "first", "sensitivity")}}
                )
    return pd.DataFrame(rows)


def curves(pooled, outbreak, path):
    """Draw POD, first week and sensitivity against the false-positive rate."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), sharex=True, constrained_layout=True)
    rates = np.geomspace(0.001, 0.1, 25)
    for number, (label, pair) in enumerate(pooled.items()):
        frame = at_equal_rates(*pair, outbreak, rates)
        # Ten colours, then the same ones dashed.
        style = {"linestyle": ":", "color": "0.4"} if label.startswith("known") else {"linestyle": "-" if number < 10 else "--"}
        width = 2.6 if label in {"sequential-nb", REFERENCE} else 1.2
        for axis, name in zip(axes, ("POD", "first", "sensitivity"), strict=True):
            # A method whose p-values come in few steps cannot reach the lowest rates.
            axis.plot(frame["FPR"].where(frame["FPR"] > 0), frame[name], label=label, linewidth=width, **style)
    for axis, title in zip(axes, ("outbreaks found", "found in their first week", "outbreak weeks that alarm"), strict=True):
        axis.set(title=title, xscale="log", xlabel="false-positive rate per week", ylim=(0, 1))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("share")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main():
    """Run the study and print or write its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="seeds of the study; 1 to 9 were not used for any choice")
    parser.add_argument(
        "--replicates", type=int, default=100, help="series per scenario (a multiple of 50 covers the grid of outbreak sizes)"
    )
    parser.add_argument("--only", nargs="+", default=[], choices=sorted(METHODS), metavar="METHOD", help="only these methods")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md and the curves into docs/img")
    parser.add_argument("--keep", type=Path, help="folder for finished methods, read back next time; empty it when a method's code changes")
    options = parser.parse_args()
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    pooled, outbreak, design, seconds = run(options.seeds, options.replicates, options.only, options.keep)
    found = tables(pooled, outbreak, design)
    parts = [f"### {title}\n{markdown(frame, 4 if 'Realised' in title else 3)}" for title, frame in found.items()]
    traits = by_trait(pooled, outbreak, design)
    if len(traits):
        parts.append(
            f"### By size of the outbreak and of past outbreaks, at an equal false-positive rate of {NOMINAL:.0%}\n{markdown(traits)}"
        )
    judged = 2 * len(design) * CURRENT_WEEKS
    cost = pd.DataFrame([{"method": name, "series-weeks/s": f"{judged / value:,.0f}"} for name, value in seconds.items()])
    parts.append(f"### Cost in this run ({judged:,} series-weeks each)\n{markdown(cost)}")
    text = "\n\n".join(parts)
    print(text)
    if options.write:
        curves(pooled, outbreak, ROOT / "docs" / "img" / "detection_quality.png")
        page = ROOT / "docs" / "benchmarks.md"
        mark = "<!-- detection quality: {} -->"
        pattern = re.compile(re.escape(mark.format("begin")) + ".*" + re.escape(mark.format("end")), re.DOTALL)
        before = page.read_text(encoding="utf-8")
        seeds = ", ".join(map(str, options.seeds))
        said = f"Seeds {seeds}, {options.replicates} replicates: {len(design):,} series with an outbreak, and their twins."
        made = f"{mark.format('begin')}\n{said}\n\n{text}\n{mark.format('end')}"
        if not pattern.search(before):
            raise SystemExit(f"{page} has no place for the tables: a line {mark.format('begin')} and one {mark.format('end')}")
        page.write_text(pattern.sub(lambda _: made, before), encoding="utf-8")


if __name__ == "__main__":
    main()
