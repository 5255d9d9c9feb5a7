"""Trends through the runner: unripe periods are no fall, and the public data say what is known of them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskwatch.panel import Completeness, Panel
from riskwatch.runner.pull import pull
from riskwatch.runner.trends import ripe
from tests.runner.test_real import real_project


def test_periods_that_are_not_complete_are_missing() -> None:
    share = np.array([[1.0, 0.99, 0.6], [1.0, 1.0, 0.97]])
    months = pd.period_range("2024-01", periods=3, freq="M")
    panel = Panel(np.full((2, 3), 5.0), pd.Index(["a", "b"]), months, completeness=Completeness(share, np.zeros((2, 3))))
    np.testing.assert_array_equal(np.isnan(ripe(panel).observed), share < 0.98)
    assert ripe(ripe(panel)).completeness is None


@pytest.mark.slow
def test_chicago_failures_fell_and_no_product_rose(real_data: Path, tmp_path: Path) -> None:
    project = real_project(real_data, tmp_path)
    with project.leased(label="test") as ctx:
        pull(ctx, ["chicago-inspections"])
    frame = project.trends("chicago-failures", by="product", as_of=dt.date(2014, 12, 31)).set_index("name_en")
    assert (frame["reason"] == "worse").sum() == 0
    assert frame.loc["Grocery store", "reason"] == "falling"
    assert frame.loc["Grocery store", "upper"] < 0
    assert frame.loc["Restaurant", "level_now"] == pytest.approx(0.18, abs=0.03)
    assert frame["name_zh"].ne("").all()
