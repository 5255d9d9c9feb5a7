"""Suppliers of the simulated province: who has which, whom a hazard makes share one, and that nothing else depends on them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from riskwatch.datasets import Hazard, spot_checks
from riskwatch.datasets.codelists import build_world
from riskwatch.datasets.enterprises import build_enterprises, valid_credit_code
from riskwatch.datasets.hospitals import build_hospitals
from riskwatch.datasets.rhythm import DayAxis
from riskwatch.datasets.scene import Scene
from riskwatch.datasets.suppliers import TRACED_FAILED, TRACED_PASSED, build_suppliers

START, END = dt.date(2024, 1, 1), dt.date(2025, 12, 31)
HAZARD = Hazard(
    "S1", "hazard", "systemic", ("P0302", "P0304"), (), dt.date(2025, 1, 1), None, "spot_check", 8.0, item="short-circuit", producers=10
)


def samples_of(hazards=(HAZARD,)):
    world, axis = build_world(), DayAxis.between(START, END)
    scene = Scene(world, axis, 3, 0.4, hazards, build_enterprises(world, 3), build_hospitals(world, axis, hazards, 2))
    return spot_checks.simulate_spot_checks(scene)[0]


@pytest.fixture(scope="module")
def samples():
    return samples_of()


def test_no_other_column_depends_on_suppliers(samples, monkeypatch):
    monkeypatch.setattr(spot_checks, "named_suppliers", lambda _scene, _suppliers, some, _failed, *_part: np.full(some.day.size, -1))
    without = samples_of()
    assert without["supplier"].isna().all()
    pd.testing.assert_frame_equal(without.drop(columns="supplier"), samples.drop(columns="supplier"))


def test_failures_are_traced_more_often_than_passes(samples):
    named = samples["supplier"].notna()
    failed = samples["failed"] > 0
    for part, share in ((failed, TRACED_FAILED), (~failed, TRACED_PASSED)):
        assert named[part].mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / part.sum()))


def test_the_producers_of_a_systemic_hazard_share_one_supplier_and_others_do_not(samples):
    of_hazard = samples[(samples["hazard_id"] == "S1") & samples["supplier"].notna()]
    counts = of_hazard["supplier"].astype(str).value_counts(normalize=True)
    assert len(of_hazard) > 20
    assert counts.iloc[0] > 0.8
    assert of_hazard.loc[of_hazard["supplier"] == counts.index[0], "producer"].nunique() >= 3
    before = samples[(samples["event_date"] < "2025-01-01") & samples["product"].isin(HAZARD.products) & samples["supplier"].notna()]
    assert (before["supplier"] == counts.index[0]).mean() < 0.6


def test_a_hazard_leaves_the_suppliers_of_other_samples_as_they_were(samples):
    other = samples_of(())
    both = samples.merge(other, on=["record_key", "version"], suffixes=("", "_without"))
    same = both[(both["failed"] == both["failed_without"]) & ~both["product"].isin(HAZARD.products)]
    assert len(same) > 1000
    assert (same["supplier"].astype(object).fillna("") == same["supplier_without"].astype(object).fillna("")).all()


def test_suppliers_of_a_category():
    world = build_world()
    enterprises = build_enterprises(world, 5)
    found = build_suppliers(world, enterprises, 5)
    assert len(set(found.codes)) == len(found.codes)
    assert all(valid_credit_code(code) for code in found.codes)
    assert not set(found.codes) & set(enterprises.table["code"])
    assert found.usual.size == len(enterprises.table)
    product = enterprises.table["product"].to_numpy()
    assert ((found.usual >= found.first[product]) & (found.usual < found.first[product] + found.size[product])).all()
    # A category's shares sum to one, fall, and several producers have the same supplier.
    first, size = int(found.first[0]), int(found.size[0])
    shares = found.share[first : first + size]
    assert shares.sum() == pytest.approx(1.0)
    assert (np.diff(shares) < 0).all()
    drawn = found.draw(np.zeros(20_000, dtype=np.int64), np.random.default_rng(1).random(20_000))
    assert np.bincount(drawn - first, minlength=size) / 20_000 == pytest.approx(shares, abs=0.015)
    assert found.draw(np.array([0, 0]), np.array([0.0, 1.0 - 1e-12])).tolist() == [first, first + size - 1]
