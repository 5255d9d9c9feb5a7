"""Panels that the tests of the detectors share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskwatch.panel import Panel


@pytest.fixture
def real_data():
    folder = Path(os.environ.get("RISKWATCH_REAL_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set RISKWATCH_REAL_DATA")
    return folder


@pytest.fixture
def weeks():
    """Six years and a bit of weekly counts of 40 series with season; exposure about five times the counts; some gaps."""
    rng = np.random.default_rng(11)
    periods = pd.period_range("2015-01-05", periods=330, freq="W-SUN")
    mean = np.geomspace(0.3, 60, 40)[:, None] * (1 + 0.4 * np.sin(2 * np.pi * np.arange(330) / 52.18))
    exposure = rng.poisson(5 * mean + 3).astype(float)
    observed = rng.binomial(exposure.astype(int), 0.2).astype(float)
    observed[rng.random(observed.shape) < 0.02] = np.nan
    observed[exposure == 0] = np.nan
    return Panel(observed, pd.Index([f"s{at:02d}" for at in range(40)], name="series"), periods, exposure)
