"""Changes of standards as level shifts: on the panel of models that ask for them, in the address of their detections."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from riskwatch.api import Project
from riskwatch.definitions import check, load_definitions
from riskwatch.definitions.types import ModelDefinition
from riskwatch.items import StandardCatalogue
from riskwatch.runner.context import RunContext
from riskwatch.runner.detect import detection_id
from riskwatch.runner.freshness import freshness_by_source
from riskwatch.runner.panels import model_panel
from riskwatch.runner.standards import level_shifts_of, standard_catalogue, standard_shifts

ROOT = Path(__file__).parents[2]
DAY = dt.date(2025, 10, 15)


@pytest.fixture(scope="module")
def ctx(demo_project: Path) -> Iterator[RunContext]:
    with Project(demo_project).context(as_of=DAY) as opened:
        yield opened


@pytest.fixture(scope="module")
def model(ctx: RunContext) -> ModelDefinition:
    found = next(model for model in ctx.definitions.models.values() if model.stream == "spot_check")
    return found.model_copy(update={"standard_changes": True})


def test_the_changes_are_on_the_panel_of_a_model_that_asks(ctx: RunContext, model: ModelDefinition) -> None:
    plain = model_panel(ctx, model.model_copy(update={"standard_changes": False})).panel
    panel = model_panel(ctx, model).panel
    assert panel.covariates is not None
    names = [name for name in panel.covariates.names if name.startswith("standard-")]
    assert names == ["standard-1-2024-01-01", "standard-2-2024-07-01", "standard-3-2025-01-01"]
    assert plain.covariates is None or not [name for name in plain.covariates.names if name.startswith("standard-")]
    products = panel.index.get_level_values("product")
    at = panel.covariates.names.index("standard-2-2024-07-01")
    assert panel.covariates.applies is not None
    assert panel.covariates.applies[at].tolist() == [code.startswith("P01") for code in products]
    column = panel.covariates.values[at]
    before = panel.periods.end_time < pd.Timestamp("2024-07-01")
    after = panel.periods.start_time >= pd.Timestamp("2024-07-01")
    assert (column[before] == 0.0).all()
    assert (column[after] == 1.0).all()
    assert before.any()
    assert after.any()


def test_a_detection_rests_on_the_standards_it_used(ctx: RunContext, model: ModelDefinition) -> None:
    fresh = freshness_by_source(ctx.store, DAY)
    hashes = {**ctx.definitions.hashes, "standards": "other"}
    changed = dataclasses.replace(ctx, definitions=dataclasses.replace(ctx.definitions, hashes=hashes))
    assert detection_id(ctx, model, fresh) != detection_id(changed, model, fresh)
    plain = model.model_copy(update={"standard_changes": False})
    assert detection_id(ctx, plain, fresh) == detection_id(changed, plain, fresh)


def test_changes_outside_the_periods_are_left_out() -> None:
    definitions = load_definitions(ROOT, profile="demo", environ={})
    model = next(model for model in definitions.models.values() if model.stream == "spot_check")
    asked = model.model_copy(update={"standard_changes": True})
    assert standard_shifts(definitions, asked, pd.period_range("2025-02", "2025-12", freq="M")) == []
    found = standard_shifts(definitions, asked, pd.period_range("2024-03", "2024-12", freq="M"))
    assert [name for name, _ in found] == ["standard-1-2024-07-01"]
    assert standard_shifts(definitions, model, pd.period_range("2020-01", "2025-12", freq="M")) == []


def test_changes_of_one_day_and_the_same_products_are_one_shift() -> None:
    catalogue = standard_catalogue(load_definitions(ROOT, profile="demo", environ={}))
    toy = next(change for change in catalogue.standards if change.id == "demo-toy-lead-2024")
    twice = StandardCatalogue(
        version="1", not_detected_passes=True, standards=(toy, toy.model_copy(update={"id": "again", "standard": "S 2"}))
    )
    (shift,) = level_shifts_of(twice, "demo")
    assert shift.since == toy.effective_from
    assert shift.where == {"product": ("P01",)}
    assert "S 2" in shift.source
    assert level_shifts_of(twice, "real") == ()


def test_a_marker_without_limits_shifts_nothing() -> None:
    catalogue = standard_catalogue(load_definitions(ROOT, profile="real", environ={}))
    assert [change.id for change in catalogue.changes("real")] == ["gbt-28803-1-2025"]
    assert level_shifts_of(catalogue, "real") == ()


def test_wrong_products_and_models_are_told_with_their_place(tmp_path: Path) -> None:
    for name in ("config", "models", "pipelines"):
        shutil.copytree(ROOT / name, tmp_path / name)
    path = tmp_path / "config" / "standards.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace('products: ["P0308"]', 'products: ["P0399"]'), encoding="utf-8")
    injuries = tmp_path / "models" / "injury_counts.yaml"
    injuries.write_text(
        injuries.read_text(encoding="utf-8").replace("  stream: injury\n", "  stream: injury\n  standard_changes: true\n", 1)
    )
    found = [str(problem) for problem in check(tmp_path, environ={})]
    assert any("config/standards.yaml" in line and '"P0399" is not in the product tree of profile demo' in line for line in found)
    assert any("standard_changes: only for models of stream spot_check, not injury" in line for line in found)
