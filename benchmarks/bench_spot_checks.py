"""Detection of injected rises among monthly spot checks at an equal false-positive rate, and false alarms during targeted campaigns.

python benchmarks/bench_spot_checks.py                      # seeds 1 to 10, all methods; half an hour
python benchmarks/bench_spot_checks.py --seeds 1 2          # fewer
python benchmarks/bench_spot_checks.py --workers 2 --write  # puts the tables into docs/benchmarks.md

The simulation is rw.datasets.simulate_rates. What is judged is product x region x month ("cell-month"), the newest twelve months. Methods
on pooled samples see random and targeted samples as one; methods by selection judge both apart, and a cell-month has the smaller of their
p-values, raised for having looked twice (1 - (1 - p)^2); "together": the two are combined (riskwatch.detectors.across_strata). Lines that
begin with "known rates" are bounds, not methods: with the true rates, the likelihood ratio of odds four times as high, in one month or the
best of one to three; and the engine's own p-values, given the true rates. "all months": of all that lies before the guard, 45 to 56 months.
"""

from __future__ import annotations

import argparse
import re
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from bench_detection import markdown
from scipy import special

import riskwatch.panel
from riskwatch.datasets.rate_study import simulate_rates
from riskwatch.detectors import detector
from riskwatch.detectors.across_strata import across_strata, weighted_score
from riskwatch.detectors.binomial_windows import BinomialWindows, Rates, newest_counts
from riskwatch.detectors.proportions import binomial_tail
from riskwatch.panel import Panel

ROOT = Path(__file__).parents[1]
LEVEL = 0.01
HISTORY, GUARD, ALL = 24, 3, 57
SPREAD, RHO = 0.5**2 + 0.8**2 + 0.3**2, 0.04  # variance of enterprise, batch and laboratory on the log odds; the correlation that they make
CLASSES = ((1, 3), (4, 10), (11, 30), (31, 10**6))
SHIPPED = {"guard_periods": GUARD}
WINDOWS = {**SHIPPED, "mid_p": True, "window_periods": 3}
PEERS = ("exact binomial, rate of the product", "p-chart, pooled")
# Label: pooled or by selection, and the detector.
METHODS = {
    "exact binomial, rate of all": ("pooled", None, {}),
    "exact binomial, rate of the product": ("pooled", None, {"by": "product"}),
    "p-chart, pooled": ("pooled", "p-chart", SHIPPED),
    "exact binomial, rate of the product, all months": ("pooled", None, {"by": "product", "history": ALL}),
    "p-chart, pooled, all months": ("pooled", "p-chart", {**SHIPPED, "history_periods": ALL}),
    "laney-p, pooled": ("pooled", "laney-p", SHIPPED),
    "funnel, pooled": ("pooled", "funnel", SHIPPED),
    "binomial-baseline, pooled": ("pooled", "binomial-baseline", SHIPPED),
    "p-chart, by selection": ("strata", "p-chart", SHIPPED),
    "laney-p, by selection": ("strata", "laney-p", SHIPPED),
    "funnel, by selection": ("strata", "funnel", SHIPPED),
    "binomial-baseline, by selection": ("strata", "binomial-baseline", SHIPPED),
    "binomial-baseline, mid-p, by selection": ("strata", "binomial-baseline", {**SHIPPED, "mid_p": True}),
    "binomial-baseline, 2 months": ("strata", "binomial-baseline", {**WINDOWS, "window_periods": 2}),
    "binomial-baseline, 3 months": ("strata", "binomial-baseline", WINDOWS),
    "binomial-baseline, 3 months, together": ("together", "binomial-baseline", WINDOWS),
    "the same, crossed prior": ("together", "binomial-baseline", {**WINDOWS, "crossed_prior": True}),
    "the same, crossed prior, all months": ("together", "binomial-baseline", {**WINDOWS, "crossed_prior": True, "history_periods": ALL}),
    "binomial-glm, all months, by selection": ("strata", "binomial-glm", {**SHIPPED, "mid_p": True, "history_periods": ALL}),
    "binomial-glm, all months, together": ("together", "binomial-glm", {**SHIPPED, "mid_p": True, "history_periods": ALL}),
    "binomial-glm, 3 months, all months, together": ("together", "binomial-glm", {**WINDOWS, "history_periods": ALL}),
    "known rates, p-values of the engine": ("known p", None, {}),
    "known rates, one month": ("known", None, {"windows": 1}),
    "known rates, one to three months": ("known", None, {"windows": 3}),
}


def against_pooled_rate(panel, judged, *, by=None, history=HISTORY):
    """Return p-values of an exact binomial test of each judged cell against the rate of all cells (or of its product's) before."""
    group = np.zeros(len(panel.index), int) if by is None else panel.index.get_level_values(by).factorize()[0]
    total = pd.DataFrame(np.nan_to_num(panel.observed)).groupby(group).sum().to_numpy()
    of = pd.DataFrame(panel.exposure).groupby(group).sum().to_numpy()
    out = []
    for now in range(panel.shape[1] - judged, panel.shape[1]):
        past = slice(max(now - GUARD - history, 0), now - GUARD)
        rate = total[:, past].sum(axis=1) / of[:, past].sum(axis=1)
        out.append(np.where(panel.exposure[:, now] > 0, binomial_tail(panel.observed[:, now], panel.exposure[:, now], rate[group]), np.nan))
    return np.column_stack(out)


def known_rates(panel, study, *, windows):
    """Return minus the log likelihood ratio of odds four times as high, given the true rates and correlation; a score, no p-value."""
    rate = special.expit(study.log_odds / np.sqrt(1 + 0.346 * SPREAD))
    raised = 4 * rate / (1 - rate + 4 * rate)
    x, n, size = np.nan_to_num(panel.observed), panel.exposure, 1 / RHO - 1

    def log_likelihood(mean):
        return special.betaln(x + mean * size, n - x + (1 - mean) * size) - special.betaln(mean * size, (1 - mean) * size)

    ratio = log_likelihood(raised) - log_likelihood(rate)
    ratio = np.cumsum(ratio[: len(study.cells)] + ratio[len(study.cells) :], axis=1)
    ends = np.arange(panel.shape[1] - study.judged, panel.shape[1])
    return -np.max([ratio[:, ends] - ratio[:, ends - window] - (window - 1) / 2 for window in range(1, windows + 1)], axis=0)


def engine_with_known_rates(panel, study):
    """Return the p-values that windows of three months and both selections give where nothing has to be estimated."""
    rate = special.expit(study.log_odds / np.sqrt(1 + 0.346 * SPREAD))
    cells, out = len(study.cells), []
    for now in range(panel.shape[1] - study.judged, panel.shape[1]):
        rates = Rates(rate[:, now - np.arange(3)].T, np.zeros(2 * cells), np.full(2 * cells, RHO))
        counts = newest_counts(panel.observed, panel.exposure, now, 3)
        p = BinomialWindows((0.0, 1.0, 2.0), mid_p=True).judge(LEVEL, *counts, rates)[0]
        weight = np.sqrt(counts[1][0] * rate[:, now] * (1 - rate[:, now]))
        out.append(weighted_score(p.reshape(2, cells), weight.reshape(2, cells)))
    return np.column_stack(out)


def with_laboratories(panel, study, at):
    """Return a panel that also says which laboratory found what."""
    kind = riskwatch.panel.Breakdown
    parts = kind("laboratory", study.laboratories, study.by_laboratory[at], study.by_laboratory[2])
    return Panel(panel.observed, panel.index, panel.periods, panel.exposure, breakdown=parts)


def p_values(label, study, *, twin, seen):
    """Return p-values of the judged series-months, NaN where refused: one row per cell, or per cell and selection.

    ``seen`` keeps signals that two methods share.
    """
    how, name, parameters = METHODS[label]
    panel = study.twin if twin else study.panel
    if how == "known":
        return known_rates(panel, study, **parameters)
    if how == "known p":
        return engine_with_known_rates(panel, study)
    if how == "pooled":
        panel = study.pooled(panel)
    if name is None:
        return against_pooled_rate(panel, study.judged, **parameters)
    if name == "binomial-glm":
        panel = with_laboratories(panel, study, 1 if twin else 0)
    judge = detector(name, alpha=LEVEL, **parameters)
    key = (how == "pooled", twin, judge.hash)
    if key not in seen:
        seen[key] = judge.detect(panel, panel.periods[-study.judged :])
    signals = seen[key]
    if how == "together":
        return across_strata(signals)["p_value"].to_numpy().reshape(len(study.cells), -1)
    return signals.p_value


def per_cell(p, cells):
    """Return one p-value per cell-month: of two judged selections the smaller, raised; what was refused counts as 1."""
    if len(p) == cells:
        return np.nan_to_num(p, nan=1.0)
    both = np.stack([p[:cells], p[cells:]])
    judged = np.isfinite(both).sum(axis=0)
    return 1.0 - (1.0 - np.nan_to_num(both, nan=1.0).min(axis=0)) ** np.maximum(judged, 1)


def threshold(quiet, rate):
    """Return the largest p-value at which at most this share of quiet cell-months alarms."""
    values = np.sort(quiet, axis=None)
    at = values[int(np.floor(rate * values.size)) - 1]
    if (values <= at).mean() > rate:
        below = values[values < at]
        at = below[-1] if below.size else -1.0
    return at


def run_one(seed, only=(), **sizes):
    """Return per method its p-values (with rises, without), the truth about the judged cell-months, and seconds per method."""
    study = simulate_rates(np.random.default_rng(seed), **sizes)
    newest = slice(-study.judged, None)
    truth = (study.odds_ratio[:, newest], study.campaign[:, newest], study.pooled(study.twin).exposure[:, newest])
    found, seconds, seen = {}, {}, {}
    for label in METHODS:
        if only and label not in only:
            continue
        started = time.perf_counter()
        found[label] = tuple(p_values(label, study, twin=twin, seen=seen) for twin in (False, True))
        seconds[label] = time.perf_counter() - started
    return found, truth, seconds


def run(seeds, only=(), workers=1, **sizes):
    """Return per method its p-values over all seeds, the truth, and seconds."""
    one = partial(run_one, only=only, **sizes)
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            parts = list(pool.map(one, seeds))
    else:
        parts = [one(seed) for seed in seeds]
    found = {label: [part[0][label] for part in parts] for label in parts[0][0]}
    return found, [part[1] for part in parts], {label: sum(part[2][label] for part in parts) for label in found}


def tables(found, truth):
    """Return the tables of the report by title."""
    ratio, campaign, inspected = (np.vstack(part) for part in zip(*truth, strict=True))
    risen = (ratio > 1) & (inspected > 0)
    looked = inspected > 0
    equal, nominal, classes = [], [], []
    power = {}
    for label, pairs in found.items():
        score, quiet = (np.vstack([per_cell(pair[side], len(truth[at][0])) for at, pair in enumerate(pairs)]) for side in (0, 1))
        at = threshold(quiet[looked], LEVEL)
        alarm = (score <= at) & risen
        power[label] = alarm[risen].mean()
        begun = np.cumsum(risen, axis=1) > 0
        episodes = risen.any(axis=1)
        equal.append(
            {
                "method": label,
                "FPR": (quiet[looked] <= at).mean(),
                "power": power[label],
                **{f"odds ratio {value:g}": alarm[risen & (ratio == value)].mean() for value in np.unique(ratio[risen])},
                "rises found": (alarm & begun).any(axis=1)[episodes].mean(),
                "power at 1 % in campaigns too": ((score <= min(at, threshold(quiet[looked & campaign], LEVEL))) & risen)[risen].mean(),
            }
        )
        if METHODS[label][0].startswith("known"):
            continue
        # At nominal: every judged series-month is a test of its own.
        tests = [pair[1] for pair in pairs]
        tile = [np.tile(part[1], (len(p) // len(part[1]), 1)) for p, part in zip(tests, truth, strict=True)]
        p, during = np.vstack(tests), np.vstack(tile)
        judged = np.isfinite(p)
        halves = {}
        if len(tests[0]) > len(truth[0][0]):
            kind = np.vstack([np.repeat([[False], [True]], len(part) // 2, axis=0) * np.ones_like(part, bool) for part in tests])
            halves = {"random": (p[judged & during & ~kind] <= LEVEL).mean(), "targeted": (p[judged & during & kind] <= LEVEL).mean()}
        nominal.append(
            {
                "method": label,
                "without a campaign": (p[judged & ~during] <= LEVEL).mean(),
                "during one": (p[judged & during] <= LEVEL).mean(),
                "of these random": halves.get("random", np.nan),
                "of these targeted": halves.get("targeted", np.nan),
                "cell-months without": (quiet[looked & ~campaign] <= LEVEL).mean(),
                "cell-months during": (quiet[looked & campaign] <= LEVEL).mean(),
            }
        )
        row = {"method": label}
        for low, high in CLASSES:
            inside = (inspected >= low) & (inspected <= high)
            name = f"n {low}-{high}" if high < 10**6 else f"n > {low - 1}"
            share = alarm[risen & inside].mean() if (risen & inside).any() else np.nan
            row |= {f"{name}: power": share, f"{name}: FPR": (quiet[inside] <= at).mean() if inside.any() else np.nan}
        classes.append(row)
    out = {
        f"At an equal false-positive rate of {LEVEL:.0%}": pd.DataFrame(equal),
        f"False alarms at nominal {LEVEL:.0%}": pd.DataFrame(nominal),
        f"By samples in the cell-month, at the equal false-positive rate of {LEVEL:.0%} over all": pd.DataFrame(classes),
    }
    ratios = [
        {"method": label, **{f"against {peer}": value / power[peer] for peer in METHODS if peer in power and peer in _against()}}
        for label, value in power.items()
    ]
    out["Power as a multiple of a peer's"] = pd.DataFrame(ratios)
    return out


def _against():
    return ("exact binomial, rate of all", *PEERS)


def said(truth):
    """Return a sentence about the size of the study."""
    ratio, campaign, inspected = (np.vstack(part) for part in zip(*truth, strict=True))
    looked = inspected > 0
    return (
        f"{looked.sum():,} judged cell-months with samples (median {np.median(inspected[looked]):.0f}), "
        f"{(looked & campaign).sum():,} of them during a campaign; {((ratio > 1) & looked).sum():,} with a rise, "
        f"in {(ratio > 1).any(axis=1).sum():,} cells."
    )


def main():
    """Run the study and print or write its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=list(range(1, 11)), help="seeds of the study; 1 to 10 were not used for any choice"
    )
    parser.add_argument("--only", nargs="+", default=[], choices=sorted(METHODS), metavar="METHOD", help="only these methods")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    options = parser.parse_args()
    found, truth, seconds = run(options.seeds, options.only, options.workers)
    parts = [f"Seeds {', '.join(map(str, options.seeds))}. {said(truth)}"]
    parts += [
        f"### {title}\n{markdown(frame, 4 if 'nominal' in title else 3).replace('nan', '')}"
        for title, frame in tables(found, truth).items()
    ]
    text = "\n\n".join(parts)
    print(text)
    print({label: round(value, 1) for label, value in seconds.items()})
    if options.write:
        page = ROOT / "docs" / "benchmarks.md"
        mark = "<!-- spot checks: {} -->"
        pattern = re.compile(re.escape(mark.format("begin")) + ".*" + re.escape(mark.format("end")), re.DOTALL)
        before = page.read_text(encoding="utf-8")
        if not pattern.search(before):
            raise SystemExit(f"{page} has no place for the tables: a line {mark.format('begin')} and one {mark.format('end')}")
        page.write_text(pattern.sub(lambda _: f"{mark.format('begin')}\n{text}\n{mark.format('end')}", before), encoding="utf-8")


if __name__ == "__main__":
    main()
