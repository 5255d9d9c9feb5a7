"""How the defaults of sequential-nb were chosen, and what it reaches.

python benchmarks/study_sequential.py steps            training seed 101: what each step brings
python benchmarks/study_sequential.py weights          training seed 101: costs of the longer windows
python benchmarks/study_sequential.py report           seeds 1, 2, 3: beside farrington-flexible, and the level by scenario
python benchmarks/study_sequential.py shapes           sustained shifts and slow ramps: weeks to the alarm
python benchmarks/study_sequential.py real DATA        real series: log score of the next count, share of alarms
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from detection import at_equal_rates, scores, study
from scipy import stats

from riskwatch.datasets.outbreaks import CURRENT_WEEKS
from riskwatch.detectors import detector, sequential_nb
from riskwatch.detectors.windows import Windows
from riskwatch.panel import Panel

TRAINING, REPORTING = 101, (1, 2, 3)
NAME = "sequential-nb"
FIXED = {"year_match": "fixed"}  # the simulated year has 52 weeks
STEPS = (
    ("one week, regression on all the past", {"windows": 1, "drift": False, "reweight_threshold": 50.0}),
    ("the year of the calendar", {"windows": 1, "drift": False, "reweight_threshold": 50.0, "year_match": "calendar"}),
    ("one wave a year", {"windows": 1, "drift": False, "reweight_threshold": 50.0, "harmonics": 1}),
    ("trend and waves not shrunken", {"windows": 1, "drift": False, "reweight_threshold": 50.0, "trend_cost": 0.0, "season_cost": 0.0}),
    ("past outbreaks down-weighted", {"windows": 1, "drift": False}),
    ("and two weeks", {"windows": 2, "drift": False}),
    ("and three weeks", {"drift": False}),
    ("and drift of the level: the default", {}),
    ("guard of 4 weeks", {"guard_periods": 4}),
    ("guard of 8 weeks", {"guard_periods": 8}),
    ("half-life of 4 years", {"half_life": 4.0}),
    ("waves that move", {"moving_season": True}),
    ("the year of the calendar", {"year_match": "calendar"}),
    ("the same and waves that move", {"year_match": "calendar", "moving_season": True}),
)
WEIGHTS = ((50, 51), (0.7, 50), (1.0, 50), (0.7, 1.4), (1.0, 1.5), (1.0, 2.0), (1.4, 2.0), (1.4, 2.8))


def _line(label, p, twin, outbreak, design=None):
    at = at_equal_rates(p, twin, outbreak, rates=(0.01,)).iloc[0]
    text = f"{label:42s} POD {at.POD:.3f}  first {at['first']:.3f}  sensitivity {at.sensitivity:.3f}"
    text += f"  nominal 1%: {100 * (twin <= 0.01).mean():.2f}%"
    if design is not None:
        by = [100 * (twin[design["scenario"].to_numpy() == one] <= 0.01).mean() for one in range(1, 43)]
        past = [100 * (twin[design["k_past"].to_numpy() == k] <= 0.01).mean() for k in (0, 2, 3, 5, 10)]
        text += f"  by scenario {min(by):.2f} to {max(by):.2f}  by past outbreaks " + " ".join(f"{rate:.2f}" for rate in past)
    print(text, flush=True)
    return at


def steps(replicates=50):
    """Print what each setting reaches on the training seed."""
    made, outbreak = study(TRAINING, replicates)
    for label, parameters in STEPS:
        judge = detector(NAME, **FIXED | parameters)
        _line(label, scores(judge, made.panel), scores(judge, made.twin), outbreak, made.design)


@contextmanager
def inputs_of_windows(kept):
    """Keep what the windows are given (counts, means, dispersion) instead of judging it."""

    class Kept:
        def __init__(self, costs, *, mid_p):
            pass

        def p_value(self, y, means, phi):
            kept.append((y, means, phi))
            return np.ones(y.shape[1])

        def largest_quiet(self, alpha, before, means, phi):
            return np.zeros(means.shape[1])

    sequential_nb.Windows = Kept
    try:
        yield
    finally:
        sequential_nb.Windows = Windows


def weights(replicates=50):
    """Print what costs of the longer windows reach, the baselines being fitted once; also with mean and dispersion known."""
    made, outbreak = study(TRAINING, replicates)
    cells = {"fitted": [], "known": []}
    mean = np.stack([made.mean[:, -CURRENT_WEEKS - lag : made.mean.shape[1] - lag] for lag in range(3)])
    for panel in (made.panel, made.twin):
        kept = []
        with inputs_of_windows(kept):
            detector(NAME, **FIXED).detect(panel, panel.periods[-CURRENT_WEEKS:])
        cells["fitted"].append([np.stack([one[at] for one in kept], axis=-1) for at in range(3)])
        y = np.stack([panel.observed[:, -CURRENT_WEEKS - lag : panel.shape[1] - lag] for lag in range(3)])
        cells["known"].append([y, mean, np.repeat(made.phi[:, None], CURRENT_WEEKS, axis=1)])
    for costs in WEIGHTS:
        windows = Windows((0.0, *map(float, costs)), mid_p=True)
        for kind, both in cells.items():
            p, twin = (windows.p_value(y.reshape(3, -1), m.reshape(3, -1), phi.ravel()).reshape(phi.shape) for y, m, phi in both)
            _line(f"{kind}, costs {costs[0]} and {costs[1]}", p, twin, outbreak)


def report(replicates=100):
    """Print both detectors on seeds that no choice was made on, and the ratios."""
    for parameters in (FIXED, {}):
        for seed in REPORTING:
            made, outbreak = study(seed, replicates)
            found = {}
            for name in (NAME, "farrington-flexible"):
                judge = detector(name, alpha=0.01, **parameters)
                p, twin = scores(judge, made.panel), scores(judge, made.twin)
                found[name] = _line(f"seed {seed} {name} {parameters.get('year_match', 'calendar')}", p, twin, outbreak, made.design)
            ratio = [found[NAME][what] / found["farrington-flexible"][what] for what in ("POD", "first", "sensitivity")]
            print(f"    ratios: POD {ratio[0]:.3f}  first {ratio[1]:.3f}  sensitivity {ratio[2]:.3f}", flush=True)


def shapes(series=256, weeks=20):
    """Print how soon lasting hazards are found, at 1% nominal: mean weeks to the alarm (at most 20) and share of weeks alarmed."""
    rng = np.random.default_rng(7)
    for label, mean, phi in (("mean 2, dispersion 1.5", 2.0, 1.5), ("mean 20, dispersion 2", 20.0, 2.0)):
        clean = rng.negative_binomial(mean / (phi - 1), 1 / phi, (series, 420)).astype(float)
        for shape, size in (("shift", np.ones(weeks)), ("ramp", np.arange(1, weeks + 1) / weeks)):
            for k in (1.0, 2.0):
                panel_counts = clean.copy()
                panel_counts[:, -weeks:] += rng.poisson(k * np.sqrt(phi * mean) * size, (series, weeks))
                panel = Panel(panel_counts, pd.RangeIndex(series), pd.period_range("2015-01-05", periods=420, freq="W-SUN"))
                for name, parameters in ((NAME, {}), (NAME, {"windows": 1}), ("farrington-flexible", {})):
                    alarm = (
                        np.nan_to_num(detector(name, alpha=0.01, **parameters).detect(panel, panel.periods[-weeks:]).p_value, nan=1.0)
                        <= 0.01
                    )
                    wait = np.where(alarm.any(axis=1), alarm.argmax(axis=1) + 1, weeks)
                    print(
                        f"{label}  {shape} of {k:g} sd  {name:20s} {parameters!s:14s} weeks {wait.mean():5.1f}  alarmed {alarm.mean():.3f}",
                        flush=True,
                    )


def _counts_by(frame, key, date, freq, *, periods, least):
    day = pd.to_datetime(frame[date])
    where = np.asarray((day - periods[0].start_time).dt.days // 28) if freq == "4W-SUN" else periods.get_indexer(day.dt.to_period(freq))
    inside = (where >= 0) & (where < len(periods))
    codes, keys = pd.factorize(frame[key].astype(str), sort=True)
    observed = np.zeros((len(keys), len(periods)))
    np.add.at(observed, (codes[inside], where[inside]), 1.0)
    keep = observed.sum(axis=1) >= least
    return Panel(observed[keep], pd.Index(keys[keep], name="series"), periods)


def real_panels(data):
    """Return real panels by name: injuries by product, by hospital and by stratum, and notified diseases."""
    youth = pd.read_parquet(data / "neiss_youth_2011_2019" / "injuries.parquet")
    infants = pd.read_parquet(data / "neiss_infants_2002_2021" / "injuries.parquet")
    infants["group"] = infants["stratum"].astype(str) + infants["sex"].astype(str) + infants["disposition"].astype(str)
    weeks = pd.period_range("2011-01-03", "2019-12-20", freq="W-SUN")
    blocks = pd.period_range("2011-01-03", "2019-12-20", freq="4W-SUN")
    long = pd.period_range("2002-01-07", "2019-12-22", freq="W-SUN")
    date = "treatment_date_est"
    made = {
        "products, months": _counts_by(youth, "prod1", date, "M", periods=pd.period_range("2011-01", "2019-12", freq="M"), least=30),
        "products, 4 weeks": _counts_by(youth, "prod1", date, "4W-SUN", periods=blocks, least=30),
        "products, weeks": _counts_by(youth, "prod1", date, "W-SUN", periods=weeks, least=30),
        "strata, weeks": _counts_by(infants, "group", "treatment_date", "W-SUN", periods=long, least=100),
        "hospitals, weeks": _counts_by(infants, "psu", "treatment_date", "W-SUN", periods=long, least=500),
    }
    for name in ("ha", "hepatitisA", "momo", "rotaBB", "salmNewport", "salmonella.agona", "measlesDE", "influMen", "shadar", "stsNewport"):
        frame = pd.read_csv(data / "ref_surveillance" / f"data_{name}.csv")
        columns = [column for column in frame.columns[5:] if not column.startswith("pop_")]
        start, freq = (f"{frame['year'][0]}-01", "M") if frame["freq"][0] == 12 else (f"{frame['year'][0]}-01-04", "W-SUN")
        periods = pd.period_range(start, periods=len(frame), freq=freq)
        made[name] = Panel(frame[columns].to_numpy(float).T, pd.Index(columns, name="series"), periods)
    return made


REAL = (
    {},
    {"drift": False},
    {"drift": False, "half_life": 4.0},
    {"drift": False, "half_life": 2.0},
    {"moving_season": True},
    {"harmonics": 1},
    {"trend_cost": 4.0},
    {"drift_cost": 2.0},
    {"year_match": "fixed"},
)


def _judged(panel):
    return panel.periods[-156::4] if panel.periods.freqstr.startswith("W") else panel.periods[-36::2]


def real(data):
    """Print the mean log score of the next count (above the default's, in nats), and the share of alarms at two levels."""
    panels = real_panels(Path(data))
    base = {}
    print("log score per judged period; differences from the default")
    for parameters in REAL:
        row = {}
        for name, panel in panels.items():
            kept = []
            with inputs_of_windows(kept):
                detector(NAME, **parameters).detect(panel, _judged(panel))
            y, mean, phi = (np.concatenate([one[at][0] if at < 2 else one[at] for one in kept]) for at in range(3))
            over = np.maximum(phi - 1.0, 1e-6)
            row[name] = stats.nbinom.logpmf(y, mean / over, 1.0 / (1.0 + over)).mean()
        base = base or row
        print(parameters, {name: round(float(value - (0 if row is base else base[name])), 4) for name, value in row.items()}, flush=True)
    print("share of alarms, % (judged cells)")
    for name, panel in panels.items():
        row = []
        for method in (NAME, "farrington-flexible"):
            signals = detector(method, alpha=0.01).detect(panel, _judged(panel))
            cells = signals.reason == 0
            shares = [100 * (signals.p_value[cells] <= level).sum() / max(cells.sum(), 1) for level in (0.01, 0.001)]
            row.append(f"{method} {shares[0]:5.2f} / {shares[1]:5.2f} ({cells.sum()})")
        print(f"{name:20s} at 1% / 0.1%: ", "   ".join(row), flush=True)


if __name__ == "__main__":
    {"steps": steps, "weights": weights, "report": report, "shapes": shapes, "real": real}[sys.argv[1]](*sys.argv[2:])
