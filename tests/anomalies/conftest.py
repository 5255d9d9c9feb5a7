"""Profiles with known structure, and records made for a small province."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskwatch.anomalies import AnomalyRules, Feature, make_profile
from riskwatch.definitions import load_definitions
from riskwatch.dimensions import load_trees

ROOT = Path(__file__).parents[2]
AS_OF = dt.date(2025, 12, 31)


def quick(**changes):
    """Rules that are fast enough to be asked many times."""
    plain = {"version": "1", "source": "test", "verified": False, "seed": 7, "permutations": 12, "forest": {"trees": 25, "subsample": 64}}
    return AnomalyRules.model_validate({**plain, "covariance_rows": 120, **changes})


def profile_of(values, *, size=None, stratum=None, missing=None, harm=1):
    """A profile of plain numbers."""
    rows, columns = values.shape
    raw = values.copy()
    if missing is not None:
        raw[missing] = np.nan
    keys = pd.DataFrame({"product": [f"P{row:04d}" for row in range(rows)], "region": "220100"})
    features = [(Feature(f"f{column}", f"特征{column}", f"feature {column}", harm), raw[:, column]) for column in range(columns)]
    return make_profile(
        "product-region",
        keys,
        features,
        stratum=np.zeros(rows, np.int64) if stratum is None else stratum,
        size=np.zeros(rows) if size is None else size,
        absent={},
    )


def records(seed=1, n=20_000):
    """Spot checks, failed items and injuries of shipped codes; plain, no anomaly."""
    rng = np.random.default_rng(seed)
    regions = pd.read_csv(ROOT / "config/dimensions/regions.csv", dtype=str)
    counties = regions[regions["level"] == "county"]
    weights = counties["population"].astype(float).to_numpy()
    products = np.array(["P0101", "P0201", "P0304", "P0401", "P0903", "P0801"])
    failed = rng.binomial(1, 0.15, n)
    checks = pd.DataFrame(
        {
            "record_id": np.arange(1, n + 1),
            "event_date": (pd.Timestamp(AS_OF) - pd.to_timedelta(rng.integers(0, 365, n), unit="D")),
            "product": rng.choice(products, n),
            "region": rng.choice(counties["code"], n, p=weights / weights.sum()),
            "selection": rng.choice(["random", "targeted", "follow-up"], n, p=[0.8, 0.15, 0.05]),
            "check_type": "county",
            "producer": rng.choice([f"firm-{number:03d}" for number in range(300)], n),
            "inspected": 1,
            "failed": failed,
        }
    )
    checks["event_date"] = checks["event_date"].astype("datetime64[s]")
    bad = checks.loc[failed == 1, "record_id"].to_numpy()
    items = pd.DataFrame(
        {
            "record_id": bad,
            "item": rng.choice(["标志", "温升", "介电强度", "小零件"], bad.size),
            "verdict": "fail",
            "safety_item": rng.random(bad.size) < 0.5,
        }
    )
    injuries = checks[["event_date", "product", "region"]].sample(frac=0.5, random_state=seed).reset_index(drop=True)
    injuries["persons"] = 1
    injuries["severity"] = rng.choice(["mild", "moderate", "severe"], len(injuries), p=[0.8, 0.15, 0.05])
    injuries["outcome"] = "treated-released"
    return checks, items, injuries


@pytest.fixture(scope="session")
def definitions():
    return load_definitions(ROOT, profile="demo", environ={})


@pytest.fixture(scope="session")
def trees(definitions):
    return load_trees(definitions.dimensions, root=ROOT, data=ROOT / "data")
