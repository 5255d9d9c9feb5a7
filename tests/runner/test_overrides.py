"""Thresholds by product and region: who is judged by what, that nobody else's numbers move, and that the store gives the same back."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.api import Project
from riskwatch.definitions.model_tests import ModelTest
from riskwatch.definitions.overrides import overridden
from riskwatch.definitions.types import ModelDefinition, Override
from riskwatch.detectors import detector, memory_of
from riskwatch.detectors.signals import Signals
from riskwatch.errors import DimensionError
from riskwatch.panel import BuiltPanel, Panel
from riskwatch.panel.context import Geography
from riskwatch.project import init_project
from riskwatch.runner import detect as detecting
from riskwatch.runner.detect import SERIES, detect, signal_frame
from riskwatch.runner.model_tests import run_test
from riskwatch.runner.overrides import judge, partition, thresholds

NUMBERS = ("observed", "expected", "lower", "upper", "p_value", "alarm", "reason")
PRODUCTS = ("P03", "P0301", "P0302", "P0101", "P0102")
REGIONS = ("", "220100", "220200", "220300")
NOW = dt.datetime(2025, 12, 31, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(init_project(tmp_path_factory.mktemp("overrides") / "demo"))


def panel_of(*, weeks: int = 130, exposure: bool = False, seed: int = 3) -> Panel:
    """Weekly counts of every product in every region; the newest two weeks are high in a third of the series."""
    index = pd.MultiIndex.from_tuples([(product, "", region, "") for product in PRODUCTS for region in REGIONS], names=list(SERIES))
    rng = np.random.default_rng(seed)
    mean = rng.uniform(1.0, 8.0, len(index))[:, None] * np.ones(weeks)
    mean[::3, -2:] *= 3.0
    counts = rng.poisson(mean).astype(np.float64)
    periods = pd.period_range("2023-06-05", periods=weeks, freq="W-SUN")
    return Panel(counts, index, periods, counts + rng.poisson(80.0, counts.shape) if exposure else None)


def entry(**given: Any) -> dict[str, Any]:
    """One entry; codes and thresholds side by side."""
    where = {name: given.pop(name) for name in SERIES if name in given}
    floors = {name: given.pop(name) for name in ("min_observed", "min_relative_risk", "because", "dated") if name in given}
    return {"where": where, "parameters": given, **floors}


def with_overrides(model: ModelDefinition, *entries: dict[str, Any], **more: Any) -> ModelDefinition:
    return model.model_copy(update={"overrides": tuple(Override.model_validate(one) for one in entries), **more})


def plain(project: Project, method: str = "sequential-nb", **parameters: Any) -> ModelDefinition:
    return project.definitions.models["complaints"].model_copy(update={"detector": method, "parameters": parameters})


def same(one: Signals, other: Signals, rows: Any = slice(None)) -> bool:
    return all(np.array_equal(getattr(one, n)[rows], getattr(other, n)[rows], equal_nan=n not in {"alarm", "reason"}) for n in NUMBERS)


# --- who is meant ----------------------------------------------------------------------------------------------------


def test_codes_take_all_below_them_and_series_summed_over_a_dimension_are_not_of_a_place(project: Project) -> None:
    model = with_overrides(plain(project), entry(product="P03", alpha=0.001), entry(region="220100", min_observed=5))
    index = panel_of().index
    parts = {part.entries: {index[row][::2] for row in part.rows} for part in partition(model, index, project.trees)}
    assert parts[0, 1] == {("P03", "220100"), ("P0301", "220100"), ("P0302", "220100")}
    assert ("P0302", "") in parts[(0,)]
    assert parts[(1,)] == {("P0101", "220100"), ("P0102", "220100")}
    assert ("P0101", "") in parts[()]
    assert sum(map(len, parts.values())) == len(index)


def test_later_entries_win_key_by_key(project: Project) -> None:
    model = with_overrides(
        plain(project, alpha=0.01, windows=3),
        entry(product="P03", alpha=0.001, min_observed=4),
        entry(product="P0302", alpha=0.0005),
        min_relative_risk=1.5,
    )
    found = overridden(model, [1, 0])
    assert found.parameters == {"alpha": 0.0005, "windows": 3}
    assert (found.min_observed, found.min_relative_risk, found.overrides) == (4, 1.5, ())
    assert overridden(model, []).parameters == {"alpha": 0.01, "windows": 3}


def test_strata_are_met_value_by_value(project: Project) -> None:
    # The model's own floor is 3.
    strata = ["selection=random", "selection=targeted", "selection=random, item=lead", ""]
    keys = pd.DataFrame({"product": "P0302", "industry": "", "region": "", "stratum": strata})
    model = with_overrides(plain(project), entry(stratum="selection=random", min_observed=9))
    assert thresholds(model, keys, project.trees).min_observed.tolist() == [9, 3, 9, 3]
    model = with_overrides(plain(project), entry(stratum="item=lead, selection=random", min_observed=9))
    assert thresholds(model, keys, project.trees).min_observed.tolist() == [3, 3, 9, 3]


def test_a_code_that_is_in_no_tree_fails_loudly(project: Project) -> None:
    with pytest.raises(DimensionError, match="P9999"):
        partition(with_overrides(plain(project), entry(product="P9999", min_observed=2)), panel_of().index, project.trees)


ENTRIES = st.lists(
    st.builds(
        entry,
        product=st.sampled_from(["P03", "P0302", "P01", ""]),
        region=st.sampled_from(["220000", "220100", "220200"]),
        min_observed=st.integers(0, 5),
        alpha=st.sampled_from([0.01, 0.001, 0.0001]),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(entries=ENTRIES, random=st.randoms(use_true_random=False))
def test_the_order_of_series_does_not_matter(project: Project, entries: list[dict[str, Any]], random: Any) -> None:
    model, index = with_overrides(plain(project), *entries), panel_of(weeks=2).index
    order = list(range(len(index)))
    random.shuffle(order)
    one, other = thresholds(model, index, project.trees), thresholds(model, index[order], project.trees)
    for name in ("min_observed", "min_relative_risk", "memory", "detector_hash"):
        assert getattr(one, name)[order].tolist() == getattr(other, name).tolist()


@settings(max_examples=30, deadline=None)
@given(codes=st.permutations(["220100", "220200", "220300"]), floors=st.lists(st.integers(1, 9), min_size=3, max_size=3))
def test_entries_that_mean_no_common_series_commute(project: Project, codes: list[str], floors: list[int]) -> None:
    entries = [entry(region=code, min_observed=floor, alpha=floor / 1000) for code, floor in zip(sorted(codes), floors, strict=True)]
    index = panel_of(weeks=2).index
    one, other = (
        thresholds(with_overrides(plain(project), *given), index, project.trees)
        for given in (entries, sorted(entries, key=lambda one: codes.index(one["where"]["region"])))
    )
    assert one.min_observed.tolist() == other.min_observed.tolist()
    assert one.detector_hash.tolist() == other.detector_hash.tolist()


# --- what is judged --------------------------------------------------------------------------------------------------

METHODS = [
    ("sequential-nb", {}, {"alpha": 0.0001, "windows": 1}),
    ("ears-c1", {}, {"alpha": 0.0001}),
    ("binomial-baseline", {}, {"alpha": 0.0001, "mid_p": True}),
    ("funnel", {}, {"alpha": 0.0001, "winsorise": 0.2}),
    ("growth-funnel", {"years_back": 1}, {"alpha": 0.0001, "min_siblings": 5}),
]


@pytest.mark.parametrize(("method", "own", "changed"), METHODS)
def test_each_series_has_the_numbers_of_a_model_with_its_parameters(
    project: Project, method: str, own: dict[str, Any], changed: dict[str, Any]
) -> None:
    panel = panel_of(exposure=method in {"binomial-baseline", "funnel"})
    model = with_overrides(plain(project, method, **own), entry(product="P03", **changed), entry(region="220100", min_observed=6))
    meant = panel.index.get_level_values("product").isin(["P03", "P0301", "P0302"])
    found = judge(model, panel, project.trees)
    general, everywhere = (
        detector(method, **parameters).detect(panel, periods=panel.periods[-model.judge :]) for parameters in (own, {**own, **changed})
    )
    assert same(found, everywhere, meant)
    assert same(found, general, ~meant)
    assert not same(general, everywhere, meant), "the parameters must matter for the test to say anything"
    assert (found.reason == 0).any()
    assert found.detector_hash == general.detector_hash
    hashes = thresholds(model, panel.index, project.trees).detector_hash
    assert set(hashes[meant]) == {everywhere.detector_hash}
    assert set(hashes[~meant]) == {general.detector_hash}


def test_places_that_are_judged_together_stay_together(project: Project) -> None:
    """A scan of all places is no other scan because one place has a level of its own."""
    codes = tuple(code for code in REGIONS if code)
    rng = np.random.default_rng(5)
    counts = rng.poisson(6.0, (len(codes), 60)).astype(np.float64)
    counts[0, -1] = 40.0
    index = pd.MultiIndex.from_tuples([("P0302", "", code, "") for code in codes], names=list(SERIES))
    where = Geography(codes, np.array([[125.3, 43.9], [126.5, 43.8], [124.3, 43.2]]), np.arange(3))
    panel = Panel(counts, index, pd.period_range("2024-10-07", periods=60, freq="W-SUN"), geography=where)
    own = {"replicates": 99}
    model = with_overrides(plain(project, "space-time-scan", **own), entry(region="220100", alpha=0.0001))
    found = judge(model, panel, project.trees)
    whole = detector("space-time-scan", **own).detect(panel, periods=panel.periods[-model.judge :])
    assert (found.reason == 0).any()
    np.testing.assert_array_equal(found.p_value, whole.p_value)
    assert same(found, whole, slice(1, None))


def test_entries_for_floors_alone_cost_no_further_judgement(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    kind = type(detector("ears-c1"))
    plainly = kind.detect
    monkeypatch.setattr(kind, "detect", lambda self, *given, **more: asked.append(self.hash) or plainly(self, *given, **more))
    floors = with_overrides(plain(project, "ears-c1"), entry(product="P03", min_observed=6), entry(region="220100", min_relative_risk=2))
    judge(floors, panel_of(), project.trees)
    assert len(asked) == 1
    judge(with_overrides(floors, entry(product="P03", alpha=0.001), entry(product="P0101", alpha=0.001)), panel_of(), project.trees)
    assert len(asked) == 3


def test_floors_and_memory_are_those_of_each_row(project: Project) -> None:
    panel = panel_of()
    base = plain(project, alpha=0.05)
    model = with_overrides(
        base, entry(product="P03", min_observed=1000), entry(product="P0101", windows=1), entry(region="220200", min_relative_risk=50)
    )
    frame = signal_frame(model, judge(model, panel, project.trees), thresholds(model, panel.index, project.trees))
    before = signal_frame(base, judge(base, panel, project.trees), thresholds(base, panel.index, project.trees))
    appliance, toy, place = frame["product"].str.startswith("P03"), frame["product"] == "P0101", frame["region"] == "220200"
    assert before.loc[appliance, "alarm"].any()
    assert before.loc[place & ~toy, "alarm"].any()
    assert not frame.loc[appliance | place, "alarm"].any()
    assert frame.loc[~appliance & ~toy & ~place].equals(before.loc[~appliance & ~toy & ~place])
    assert set(frame.loc[toy, "memory"]) == {1}
    assert set(frame.loc[~toy, "memory"]) == {memory_of(detector("sequential-nb"), "week")} != {1}
    assert frame.dtypes.equals(before.dtypes)


@pytest.mark.parametrize(("windows", "alarm"), [(1, False), (3, True)])
def test_the_floor_on_cases_is_that_of_the_window(project: Project, windows: int, *, alarm: bool) -> None:
    """One failure of two inspections after two and one in the months before: three in the quarter, one in the month."""
    failed, inspected = np.zeros((12, 30)), np.full((12, 30), 10.0)
    failed[0, -3:], inspected[:, -1] = (1.0, 2.0, 1.0), 2.0
    index = pd.MultiIndex.from_tuples([(f"P{at:02d}", "", "", "") for at in range(12)], names=list(SERIES))
    panel = Panel(failed, index, pd.period_range("2023-01", periods=30, freq="M"), inspected)
    given = {"alpha": 0.05, "guard_periods": 3, "window_periods": windows, "mid_p": True}
    base = plain(project, "binomial-baseline", **given).model_copy(update={"frequency": "month", "judge": 1, "min_observed": 2})
    for model in (base, with_overrides(base, entry(product="P03", alpha=0.01))):
        signals = judge(model, panel, project.trees)
        frame = signal_frame(model, signals, thresholds(model, panel.index, project.trees))
        assert signals.alarm[0, 0]
        assert bool(frame["alarm"].iloc[0]) is alarm


# --- a run -----------------------------------------------------------------------------------------------------------


def test_a_model_without_overrides_keeps_its_hash_and_one_with_them_has_another(project: Project) -> None:
    model = project.definitions.models["complaints"]
    assert "overrides" not in model.model_dump(mode="json")
    assert with_overrides(model, entry(product="P03", alpha=0.001)).model_dump(mode="json")["overrides"][0]["where"]["product"] == "P03"


def test_what_was_stored_is_read_back_with_the_method_of_each_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = init_project(tmp_path / "demo")
    file = folder / "models" / "complaints.yaml"
    text = file.read_text(encoding="utf-8")
    block = """    overrides:
      - where: {product: P03}
        parameters: {alpha: 0.0001, windows: 1}
      - where: {region: "220100"}
        min_observed: 8
    sparse: {min_total: 20, min_active"""
    before = Project(folder).definitions.hashes
    file.write_text(text.replace("    sparse: {min_total: 20, min_active", block, 1), encoding="utf-8")
    opened = Project(folder)
    # Detections, of runs and of replays, are addressed by the hash of their model: this one alone is judged anew.
    assert [name for name, value in opened.definitions.hashes.items() if before[name] != value] == ["models.complaints"]
    rolled_up = pd.DataFrame({name: [""] for name in (*SERIES, "parent_product", "parent_industry", "parent_region")} | {"total": [1.0]})
    panel = panel_of()
    monkeypatch.setattr(detecting, "model_panel", lambda *_: BuiltPanel(panel, rolled_up))
    with opened.context(as_of=NOW.date()) as ctx:
        first = detect(ctx, ["complaints"])
        assert first.failed == {}
        ctx.store.start_run("r1", pipeline="daily", as_of=ctx.as_of, now=NOW, definitions={})
        ctx.store.write_run_results("r1", now=NOW, detections=[run.result(ctx.as_of) for run in first.runs])
        again = detect(ctx, ["complaints"])
    assert again.reused == ["complaints"]
    pd.testing.assert_frame_equal(again.signals, first.signals, check_dtype=False)
    assert len(set(again.signals["detector_hash"])) == len(set(again.signals["memory"])) == 2


def test_a_test_beside_a_model_is_judged_by_the_thresholds_of_its_product_and_region(project: Project) -> None:
    asked = {"name": "made-here", "model": "complaints", "observed": "2 1 3 2 2 1 3 2x90 1 3 2 1 11", "alarms": [False]}
    definitions = project.definitions
    model = with_overrides(definitions.models["complaints"], entry(product="P0302", min_observed=12))
    changed = {**definitions.models, "complaints": model}
    tuned = dataclasses.replace(definitions, models=changed)
    verdicts = {
        (name, product): run_test(found, project.trees, ModelTest.model_validate({**asked, "product": product})).passed
        for name, found in (("as shipped", definitions), ("tuned", tuned))
        for product in ("P0302", "P0301")
    }
    assert verdicts == {("as shipped", "P0302"): False, ("as shipped", "P0301"): False, ("tuned", "P0302"): True, ("tuned", "P0301"): False}
