"""Histories counted by hand, and what may not happen to them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from enterprises_world import fail, recheck, records, sound
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.enterprises import enterprise_history, enterprise_ids

AS_OF = dt.date(2025, 12, 31)
CODE = "91220112MN002054XG"


def history(frame: pd.DataFrame, days: int = 730) -> pd.DataFrame:
    return enterprise_history(frame, as_of=AS_OF, window_days=days).frame.set_index("enterprise")


def test_each_kind_of_sample_has_its_place():
    frame = records(
        fail("2025-01-10", batch_no="B1"),
        fail("2025-01-11", batch_no="B1"),  # the same batch again: no repeat
        fail("2025-03-01", batch_no="B2", selection="targeted"),
        fail("2025-04-01", product="P0102", selection="follow-up"),
        fail("2022-01-01", batch_no="B0"),  # before the window
        fail("2025-05-01", counterfeit_claim=True),
        sound("2025-05-02"),
        sound("2021-05-02"),
        recheck("2025-06-01", "R0", "fail"),
        recheck("2025-06-01", "R2", "pass"),
        sound("2026-01-02"),  # not yet known
    )
    row = history(frame).loc["list/E1"]
    assert row[["samples", "failed", "random_samples", "random_failed", "claims"]].tolist() == [6, 4, 5, 3, 1]
    assert row[["failed_window", "repeat_failures", "failed_products", "passed_window"]].tolist() == [3, 2, 2, 1]
    assert row[["follow_ups", "follow_up_failures", "rechecks", "recheck_failures"]].tolist() == [1, 1, 2, 1]
    assert row["last_failure"] == pd.Timestamp("2025-06-01")
    assert row["last_sample"] == pd.Timestamp("2025-06-01")
    assert row["region"] == "220103"
    assert row["products"] == 2


def test_missing_producers_are_never_one_enterprise():
    frame = records(
        fail("2025-01-10", producer=None), fail("2025-02-10", producer=""), sound("2025-02-11", producer=None), fail("2025-02-10")
    )
    found = enterprise_history(frame, as_of=AS_OF, window_days=730)
    assert found.frame["enterprise"].tolist() == ["list/E1"]
    assert (found.unattributed, found.unattributed_failed) == (3, 2)
    assert found.frame["repeat_failures"].tolist() == [0]


def test_a_credit_code_is_one_enterprise_everywhere_a_source_key_only_in_its_source():
    frame = records(
        sound("2025-01-01", producer=CODE),
        sound("2025-01-01", producer=CODE, source="other"),
        sound("2025-01-01"),
        sound("2025-01-01", source="other"),
    )
    assert enterprise_ids(frame).tolist() == [CODE, CODE, "list/E1", "other/E1"]
    assert history(frame)["samples"].to_dict() == {CODE: 2, "list/E1": 1, "other/E1": 1}


def test_a_batch_number_of_two_products_is_two_batches():
    frame = records(fail("2025-01-01", batch_no="1"), fail("2025-01-02", batch_no="1", product="P0102"))
    assert history(frame)["repeat_failures"].tolist() == [1]


def test_the_window_ends_where_it_says():
    frame = records(fail("2025-12-02"), fail("2025-12-01"), fail("2025-12-31"))
    assert history(frame, days=30)["failed_window"].tolist() == [2]


def test_aggregated_records_count_their_samples():
    row = history(records(fail("2025-01-01", inspected=40, failed=3))).loc["list/E1"]
    assert row[["samples", "failed", "passed_window", "failed_window"]].tolist() == [40, 3, 37, 1]


def test_no_records_no_enterprises():
    assert history(records(sound("2025-01-01"))[:0]).empty


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ABC"), st.booleans(), st.integers(0, 900)), min_size=1, max_size=40), st.randoms())
def test_order_and_partition_change_nothing(rows, random):
    made = [
        {
            "event_date": str(AS_OF - dt.timedelta(days=days)),
            "verdict": "fail" if bad else "pass",
            "producer": name,
            "producer_region": str(days),
        }
        for name, bad, days in rows
    ]
    frame = records(*made)
    order = list(range(len(frame)))
    random.shuffle(order)
    plain, shuffled = history(frame), history(frame.iloc[order])
    pd.testing.assert_frame_equal(plain, shuffled)
    for name in plain.index:
        alone = history(frame[("list/" + frame["producer"]) == name])
        pd.testing.assert_frame_equal(alone, plain.loc[[name]])


def test_a_hundred_thousand_records_at_once():
    rng = np.random.default_rng(1)
    size = 100_000
    frame = records(sound("2025-01-01")).iloc[np.zeros(size, int)].reset_index(drop=True)
    bad = rng.random(size) < 0.08
    frame = frame.assign(
        record_key=[f"K{k}" for k in range(size)],
        producer=[f"E{k}" for k in rng.integers(0, 3000, size)],
        failed=bad.astype(int),
        verdict=np.where(bad, "fail", "pass"),
    )
    found = history(frame)
    assert found["samples"].sum() == size
    assert found["failed_window"].sum() == bad.sum()
