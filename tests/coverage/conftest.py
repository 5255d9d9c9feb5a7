"""The shipped trees and catalogue, and a small province of spot checks."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskwatch.coverage import CatalogueFile
from riskwatch.definitions import load_definitions
from riskwatch.dimensions import load_trees

ROOT = Path(__file__).parents[2]
AS_OF = dt.date(2025, 12, 31)


def checks(rows):
    """Spot checks from (day, product, region, selection, check_type, inspected, failed[, channel])."""
    full = [(*row, "distribution") if len(row) == 7 else row for row in rows]
    frame = pd.DataFrame(full, columns=["event_date", "product", "region", "selection", "check_type", "inspected", "failed", "channel"])
    frame["event_date"] = pd.to_datetime(frame["event_date"]).astype("datetime64[s]")
    return frame.astype({"inspected": "int64", "failed": "int64"})


def province(seed=1, n=4000):
    """Random spot checks over all counties of the shipped tree."""
    rng = np.random.default_rng(seed)
    regions = pd.read_csv(ROOT / "config/dimensions/regions.csv", dtype=str)
    counties = regions.loc[regions["level"] == "county", "code"].to_numpy()
    products = pd.read_csv(ROOT / "config/dimensions/products.csv", dtype=str)
    leaves = products.loc[products["level"] == "product", "code"].to_numpy()
    selection = rng.choice(["random", "targeted", "follow-up"], n, p=[0.7, 0.25, 0.05])
    frame = pd.DataFrame(
        {
            "event_date": pd.Timestamp(AS_OF) - pd.to_timedelta(rng.integers(0, 1000, n), unit="D"),
            "product": rng.choice(leaves, n),
            "region": rng.choice(counties, n),
            "selection": selection,
            "check_type": np.where(selection == "follow-up", "recheck", rng.choice(["county", "provincial", "national"], n)),
            "inspected": 1,
            "failed": rng.binomial(1, 0.08, n),
            "channel": rng.choice(["production", "distribution", "online"], n),
        }
    )
    frame["event_date"] = frame["event_date"].astype("datetime64[s]")
    return frame


@pytest.fixture(scope="session")
def definitions():
    return load_definitions(ROOT, profile="demo", environ={})


@pytest.fixture(scope="session")
def trees(definitions):
    return load_trees(definitions.dimensions, root=ROOT, data=ROOT / "data")


@pytest.fixture(scope="session")
def rules(definitions):
    return CatalogueFile.model_validate(definitions.catalogue("catalogue"))


@pytest.fixture(scope="session")
def catalogue(rules):
    return rules.in_force(AS_OF)
