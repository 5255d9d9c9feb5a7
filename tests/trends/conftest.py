"""Panels with known trends, and the rules of the template."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from riskwatch.panel import LEVELS, Panel
from riskwatch.trends.rules import TrendRules

CONFIG = Path(__file__).resolve().parent.parent.parent / "config" / "trends.yaml"


@pytest.fixture(scope="session")
def rules() -> TrendRules:
    return TrendRules.model_validate(YAML(typ="safe").load(CONFIG.read_text(encoding="utf-8")))


def keys(codes, *, dimension="product", stratum="selection=random"):
    rows = [{**dict.fromkeys(LEVELS, ""), dimension: code, "stratum": stratum} for code in codes]
    return pd.MultiIndex.from_frame(pd.DataFrame(rows, columns=list(LEVELS)))


@pytest.fixture(scope="session")
def mixed() -> Panel:
    """Sixty months of inspections: ten products get worse by a quarter a year, thirty do not, five fall, five are thin or short."""
    rng = np.random.default_rng(20)
    months = pd.period_range("2020-01", periods=60, freq="M")
    years = (np.arange(60) - 59) / 12
    slope = np.repeat([np.log(1.25), 0.0, -np.log(1.25), 0.0], [10, 30, 5, 5])
    size = rng.integers(60, 140, (50, 60)).astype(float)
    season = 0.2 * np.cos(2 * np.pi * np.arange(60) / 12)
    rate = 0.12 * np.exp(slope[:, None] * (years + 2) + season + 0.1 * rng.normal(size=(50, 60)))
    failed = rng.binomial(size.astype(int), np.minimum(rate, 1)).astype(float)
    failed[45:47] = rng.random((2, 60)) < 0.1
    failed[47:, :52], size[47:, :52] = np.nan, 0.0
    return Panel(failed, keys([f"p{number:02d}" for number in range(50)]), months, size)
