"""Reporting delay against R surveillance 1.20.3: nowcasts of the HUS outbreak of 2011, limits for reported salmonella Newport.

``python benchmarks/parity_delay.py DATA`` where DATA holds ``ref_surveillance_detail``.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from riskwatch.calendar import completeness, delay_distribution, nowcast, period_index, period_scatter, reporting_triangle
from riskwatch.detectors import detector
from riskwatch.panel import Completeness, Panel


def nowcasts(data: Path) -> None:
    """Print the largest differences from R's nowcasts."""
    lines = pd.read_csv(data / "linelist_husO104Hosp.csv", parse_dates=["dHosp", "dReport"]).dropna()
    end, known = ((lines[name] - pd.Timestamp("1970-01-01")).dt.days.to_numpy() for name in ("dHosp", "dReport"))
    now = (dt.date(2011, 6, 2) - dt.date(1970, 1, 1)).days
    triangle = reporting_triangle(end, known, np.zeros(len(end), np.int64), n_series=1, now=now, max_delay=15)
    print("nowcast of 8 days, in cases          point   lower   upper (largest difference)")
    for method in ("lawless", "bayes_notrunc_bnb", "unif"):
        theirs = pd.read_csv(data / f"nowcast_husO104Hosp_{method}.csv", parse_dates=["date"])
        ages = now - (theirs["date"] - pd.Timestamp("1970-01-01")).dt.days.to_numpy()
        share, error = completeness(triangle, ages, delay_distribution(triangle), 0.0)
        ours = nowcast(theirs["reported"].to_numpy(np.float64), share[0], error[0])
        apart = [np.abs(mine - theirs[name]).max() for mine, name in zip(ours, ("nowcast", "lo", "hi"), strict=True)]
        print(f"  {method:<32} {apart[0]:>7.2f} {apart[1]:>7.0f} {apart[2]:>7.0f}")


def limits(data: Path) -> None:
    """Print limits of the newest five weeks next to R's bodaDelay (Monte Carlo), each for the counts reported so far."""
    cells = pd.read_csv(data / "reporting_triangle_stsNewport_2011W44.csv", index_col="week", parse_dates=["week"]).to_numpy(np.float64)
    weeks, longest = len(cells), cells.shape[1] - 1
    week, delay = np.nonzero(np.nan_to_num(cells))
    times = np.nan_to_num(cells)[week, delay].astype(np.int64)
    # The unit of time is the week here, as the triangle's.
    end, known = np.repeat(week, times), np.repeat(week + delay, times)
    one, now, ages = np.zeros(len(end), np.int64), weeks - 1, np.arange(longest)
    triangle = reporting_triangle(end, known, one, n_series=1, now=now, max_delay=longest)
    part, doubt = completeness(triangle, ages, delay_distribution(triangle), 0.0)
    rho = period_scatter(end, known, one, now=now, max_delay=longest, ages=ages, share=part)
    share, error = np.ones((1, weeks)), np.zeros((1, weeks))
    share[:, ::-1][:, :longest], error[:, ::-1][:, :longest] = part, np.sqrt(doubt**2 + rho * part * (1.0 - part))
    observed = np.nan_to_num(cells).sum(axis=1)[None, :]
    periods = period_index("week", "2001-01-01", "2011-12-31")[:weeks]
    options = {
        "years_back": 4,
        "half_window": 3,
        "guard_periods": 26,
        "alpha": 0.07,
        "limit_cases": 0,
        "zero_floor": 0.0,
        "min_share": 1e-9,
    }
    theirs = [pd.read_csv(data / f"bodaDelay_stsNewport_delay{flag}.csv")["upperbound"].tolist() for flag in ("FALSE", "TRUE")]
    complete = Completeness(share, error)
    method = detector("farrington-flexible", trend=True, **options)
    ours = [method.detect(Panel(observed, pd.Index(["all"]), periods, completeness=c), periods[-5:]).upper[0] for c in (None, complete)]
    print("limit of the reported count, weeks 40-44 of 2011; reported " + " ".join(f"{n:.0f}" for n in observed[0, -5:]))
    print("  share expected so far             " + " ".join(f"{s:.2f}" for s in share[0, -5:]))
    for name, values in (
        ("bodaDelay, no delay", theirs[0]),
        ("farrington-flexible, no delay", ours[0]),
        ("bodaDelay", theirs[1]),
        ("completed", ours[1]),
    ):
        print(f"  {name:<32} " + "    ".join(f"{value:.0f}" for value in values))


if __name__ == "__main__":
    folder = Path(sys.argv[1]) / "ref_surveillance_detail"
    nowcasts(folder)
    limits(folder)
