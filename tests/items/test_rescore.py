"""Old and new limits side by side; the share of a rise that a new standard made."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from items_world import item_rows, samples
from pydantic import ValidationError

from riskwatch.items import StandardCatalogue, rescore, standard_effect

AS_OF = dt.date(2025, 6, 30)


@pytest.fixture
def world() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forty samples before the day, one failing; forty after it, six failing."""
    before = [(number, "2024-03-01", "P01", "fail" if number == 0 else "pass") for number in range(40)]
    after = [(number, "2024-08-01", "P01", "fail" if number < 46 else "pass") for number in range(40, 80)]
    items = [
        (0, "可迁移元素(铅)", "150", "fail"),
        (40, "可迁移元素(铅)", "100", "fail"),  # only by the new limit
        (41, "可迁移元素(铅)", "0.11g/kg", "fail"),  # 110 mg/kg: exactly the old limit, but the column says mg/kg
        (42, "可迁移元素(铅)", "130", "fail"),  # by both
        (43, "可迁移元素(铅)", "95", "fail"),  # only by the new one, but it fails another item as well
        (43, "小零件", "不符合", "fail"),
        (44, "可迁移元素(铅)", "95mg/L", "fail"),  # not comparable
        (45, "可迁移元素(铅)", "<100", "fail"),  # undetermined
    ]
    frame = item_rows(items)
    frame.loc[frame["record_id"].isin([41, 44, 45]), "unit"] = None
    frame.loc[frame["record_id"] == 45, "unit"] = "mg/kg"
    return samples(before + after), frame


def test_each_value_is_judged_by_both_limits(world, catalogue):
    records, items = world
    found = rescore(items, records, catalogue, profile="here").set_index("key")
    assert set(found["change"]) == {"lead"}
    assert found.loc[[0, 40, 41, 42, 43], ["old", "new", "reason"]].to_numpy().tolist() == [
        ["fail", "fail", ""],
        ["pass", "fail", ""],
        ["pass", "fail", ""],
        ["fail", "fail", ""],
        ["pass", "fail", ""],
    ]
    assert found.loc[44, ["old", "new", "reason"]].tolist() == ["", "", "unit-incompatible"]
    assert found.loc[45, ["old", "new", "reason"]].tolist() == ["pass", "undetermined", "censored"]
    assert found["other_failure"].to_dict() == {0: False, 40: False, 41: False, 42: False, 43: True, 44: False, 45: False}


def test_the_share_of_the_rise_and_its_bounds(world, catalogue):
    records, items = world
    (row,) = standard_effect(items, records, catalogue, as_of=AS_OF, profile="here").to_dict("records")
    counted = {
        name: row[name] for name in ("n_before", "failed_before", "n_after", "failed_after", "passed_old", "failed_old", "not_comparable")
    }
    # Sample 45 is below 100: it would have passed under 110, whatever it was; 42 and 43 fail under both.
    assert counted == {
        "n_before": 40,
        "failed_before": 1,
        "n_after": 40,
        "failed_after": 6,
        "passed_old": 3,
        "failed_old": 2,
        "not_comparable": 1,
    }
    assert row["rise"] == pytest.approx(5 / 40)
    assert row["effect"] == pytest.approx(3 / 40)
    assert (row["share"], row["share_lower"], row["share_upper"]) == pytest.approx((3 / 5, 3 / 5, 4 / 5))
    assert not row["verified"]


def test_no_rise_no_share(world, catalogue):
    records, items = world
    same = items[items["record_id"].isin([0, 42])]
    (row,) = standard_effect(same, records, catalogue, as_of=AS_OF, profile="here").to_dict("records")
    assert row["rise"] == 0.0
    assert np.isnan(row["share"])


def test_campaigns_and_later_days_stay_out(world, catalogue):
    records, items = world
    assert standard_effect(items, records.assign(selection="targeted"), catalogue, as_of=AS_OF, profile="here").empty
    assert standard_effect(items, records, catalogue, as_of=dt.date(2024, 6, 30), profile="here").empty
    short = standard_effect(items, records, catalogue, as_of=AS_OF, window_days=10, profile="here")
    assert short.empty


def test_rows_in_any_order_give_the_same_figures(world, catalogue):
    records, items = world
    one = standard_effect(items, records, catalogue, as_of=AS_OF, profile="here")
    other = standard_effect(
        items.sample(frac=1, random_state=3), records.sample(frac=1, random_state=4), catalogue, as_of=AS_OF, profile="here"
    )
    pd.testing.assert_frame_equal(one, other)


def _change(**fields: object) -> StandardCatalogue:
    entry = {
        "id": "a",
        "standard": "S",
        "title": {"zh": "x", "en": "x"},
        "item": "铅",
        "operator": "<=",
        "old": 110,
        "new": 90,
        "unit": "mg/kg",
        "effective_from": "2024-07-01",
        "basis": {"source": "s", "dated": "2026-01-01", "verified": False},
    } | fields
    units = [{"name": "mg/kg", "dimension": "mass", "factor": 1e-6}]
    return StandardCatalogue.model_validate({"version": "1", "not_detected_passes": True, "units": units, "standards": [entry]})


def test_unknown_and_absent_limits(world):
    records, items = world
    unknown = rescore(items, records, _change(old=None)).set_index("key")
    assert set(unknown["old"]) == {""}
    assert unknown.loc[40, "reason"] == "limit-unknown"
    # Where there was no limit everything passed, what cannot be measured too.
    free = rescore(items, records, _change(old="none")).set_index("key")
    assert set(free["old"]) == {"pass"}
    # Two units in one cell row: nobody knows which is right.
    clash = items.assign(unit="mg/L")
    assert rescore(clash, records, _change()).set_index("key").loc[41, "reason"] == "unit-contradiction"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"item": "铅("}, "not a regular expression"),
        ({"item": ""}, "a limit needs an item"),
        ({"operator": None}, "a limit needs an operator"),
        ({"old": "none", "new": "none"}, "nothing changes"),
        ({"simulated": True, "basis": {"source": "s", "dated": "2026-01-01", "verified": True}}, "cannot be verified"),
    ],
)
def test_entries_that_make_no_sense_are_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        _change(**fields)


def test_a_unit_spelt_twice_is_refused():
    unit = {"name": "mg/kg", "dimension": "mass", "factor": 1e-6, "aliases": ["ｍｇ/kg"]}
    with pytest.raises(ValidationError, match="is there twice"):
        StandardCatalogue.model_validate({"version": "1", "not_detected_passes": True, "units": [unit]})
