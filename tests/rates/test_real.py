"""Chicago's food inspections and a list of Chinese food spot checks: fitted and observed failures agree, large rows keep their own rate."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskwatch.api import Project
from riskwatch.rates import RECORD_COLUMNS, RateRules, build_cells, compare, purpose_of, shrink
from riskwatch.runner.pull import pull

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    settings = {"settings.data": str(real_data), "settings.var": str(tmp_path_factory.mktemp("rates"))}
    project = Project(ROOT, profile="real", settings=settings)
    with project.leased(label="test") as ctx:
        pull(ctx, ["chicago-inspections", "cn-food"])
    return project


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "level"), [("chicago-inspections", {"product": "product", "region": "ward"}), ("cn-food", {"product": "category"})]
)
def test_fitted_and_observed_failures_agree(project: Project, rules: RateRules, source: str, level: dict[str, str]) -> None:
    found = project.records("spot_check", columns=[*RECORD_COLUMNS, "source"])
    found = found[found["source"] == source]
    kept = found[purpose_of(found, rules) == "comparison"].drop(columns="source")
    cells = build_cells(kept, project.trees, level, rules)
    table = shrink(cells, project.trees, rules).cells
    fitted, observed = table["rate"] * table["inspected_eff"], table["failed_eff"]
    assert fitted.sum() == pytest.approx(observed.sum(), rel=0.03)
    by_product = pd.DataFrame({"product": table["product"], "fitted": fitted, "observed": observed}).groupby("product").sum()
    large = by_product[by_product["observed"] > 40]
    assert len(large) >= 2
    np.testing.assert_allclose(large["fitted"], large["observed"], rtol=0.15)
    assert ((table["lower"] < table["rate"]) & (table["rate"] < table["upper"])).all()


@pytest.mark.slow
def test_standardised_rates_of_chicago(project: Project, rules: RateRules) -> None:
    records = project.records("spot_check", columns=[*RECORD_COLUMNS, "source"])
    records = records[records["source"] == "chicago-inspections"]
    year = (dt.date(2013, 1, 1), dt.date(2013, 12, 31))
    found = compare(records, project.trees, rules, by="product", level="product", window=year)
    shown = found[found["shown"]]
    assert ((shown["lower"] < shown["rate"]) & (shown["rate"] < shown["upper"])).all()
    # Rows with many samples everywhere keep nearly their own rate; rows with few are drawn to the others.
    many = shown[shown["inspected"] > 1000]
    assert len(many) >= 2
    np.testing.assert_allclose(many["rate"], many["raw"], rtol=0.15)
    few = shown[shown["inspected"] < 20]
    assert ((few["rate"] - found.attrs["reference"]).abs() <= (few["raw"] - found.attrs["reference"]).abs() + 0.05).all()
    assert few["borrowed"].min() > 0.5
