"""Terms after an order: each state at its edge, the second recheck, closure by region."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from enterprises_world import fail, recheck, records, sound

from riskwatch.dimensions import load_trees
from riskwatch.enterprises import closure_by_region, orders_missing, terms

ORDER = dt.date(2025, 3, 1)  # correct by 30 April (60 days), recheck by 15 May (75 days)


def judged(rules, *rows, as_of):
    return terms(records(*rows), rules.clocks, as_of=as_of).set_index("term")


@pytest.mark.parametrize(
    ("days", "correct", "recheck_state"),
    [
        (0, "running", "running"),
        (45, "running", "running"),
        (46, "due-soon", "running"),
        (60, "due-soon", "running"),
        (61, "overdue", "due-soon"),
        (75, "overdue", "due-soon"),
        (76, "overdue", "overdue"),
    ],
)
def test_an_open_order_day_by_day(rules, days, correct, recheck_state):
    found = judged(rules, fail("2025-02-01", ordered_on=str(ORDER)), as_of=ORDER + dt.timedelta(days=days))
    assert found["state"].to_dict() == {"correct": correct, "recheck": recheck_state}
    assert found.loc["correct", "days_left"] == 60 - days
    assert found.loc["correct", "due_on"] == pd.Timestamp("2025-04-30")
    assert found.loc["recheck", "due_on"] == pd.Timestamp("2025-05-15")
    assert found["article"].str.contains("令18").all()
    assert not found["verified"].any()


@pytest.mark.parametrize(
    ("rectified", "again", "states"),
    [
        ("2025-04-30", "2025-05-15", ("met", "met")),
        ("2025-05-01", "2025-05-16", ("met-late", "met-late")),
        (None, "2025-04-10", ("met", "met")),
    ],
)
def test_terms_that_were_met(rules, rectified, again, states):
    """A recheck that passed shows that the correction was done by then."""
    rows = (fail("2025-02-01", ordered_on=str(ORDER), rectified_on=rectified), recheck(again, "R0", "pass"))
    found = judged(rules, *rows, as_of=dt.date(2025, 12, 31))
    assert (found.loc["correct", "state"], found.loc["recheck", "state"]) == states
    assert found["days_left"].isna().all()
    assert "second_recheck" not in found.index


def test_what_comes_later_is_not_known_yet(rules):
    rows = (fail("2025-02-01", ordered_on=str(ORDER), rectified_on="2025-04-30"), recheck("2025-05-15", "R0", "pass"))
    early = judged(rules, *rows, as_of=dt.date(2025, 4, 29))
    assert early["state"].to_dict() == {"correct": "due-soon", "recheck": "running"}
    assert judged(rules, *rows, as_of=dt.date(2025, 2, 28)).empty


def ladder(rules, *more, as_of):
    rows = (
        fail("2025-02-01", ordered_on=str(ORDER), rectified_on="2025-04-01"),
        recheck("2025-05-01", "R0", "fail", published_on="2025-06-01"),
        *more,
    )
    return judged(rules, *rows, as_of=as_of).loc["second_recheck"]


@pytest.mark.parametrize(
    ("day", "state"),
    [
        ("2025-07-30", "waiting"),
        ("2025-07-31", "running"),
        ("2025-08-16", "due-soon"),
        ("2025-08-30", "due-soon"),
        ("2025-08-31", "overdue"),
    ],
)
def test_the_second_recheck_opens_60_and_ends_90_days_after_the_announcement(rules, day, state):
    found = ladder(rules, as_of=dt.date.fromisoformat(day))
    assert (found["started_on"], found["opens_on"], found["due_on"]) == tuple(map(pd.Timestamp, ("2025-06-01", "2025-07-31", "2025-08-30")))
    assert found["state"] == state


@pytest.mark.parametrize(
    ("of", "day", "state"),
    [("R0", "2025-08-10", "met"), ("R1", "2025-08-10", "met"), ("R1", "2025-09-10", "met-late"), ("R1", "2025-07-01", "overdue")],
)
def test_the_second_recheck_may_name_the_first_sample_or_the_first_recheck(rules, of, day, state):
    """One before its window opens does not count."""
    found = ladder(rules, recheck(day, of, "fail"), as_of=dt.date(2025, 12, 31))
    assert found["state"] == state
    assert found["result"] == ("" if state == "overdue" else "fail")


def test_facts_on_the_recheck_record_alone_are_enough(rules):
    """Some lists deliver the order with the recheck; some deliver the recheck as a correction of the first record."""
    apart = judged(
        rules,
        fail("2025-02-01", region="220303"),
        recheck("2025-05-01", "R0", "pass", ordered_on=str(ORDER), rectified_on="2025-04-01", recheck_on="2025-05-01", region="220999"),
        as_of=dt.date(2025, 12, 31),
    )
    together = judged(
        rules,
        fail(
            "2025-02-01", region="220303", ordered_on=str(ORDER), rectified_on="2025-04-01", recheck_on="2025-05-01", recheck_result="pass"
        ),
        as_of=dt.date(2025, 12, 31),
    )
    pd.testing.assert_frame_equal(apart, together)
    assert apart["region"].tolist() == ["220303", "220303"]


def test_sources_and_circles_are_kept_apart(rules):
    frame = records(
        fail("2025-02-01", ordered_on=str(ORDER)),
        recheck("2025-05-01", "R0", "pass", source="other"),
        recheck("2025-05-01", "R3", "fail", ordered_on="2025-03-02"),
        recheck("2025-05-02", "R2", "fail"),
    )
    found = terms(frame, rules.clocks, as_of=dt.date(2025, 12, 31))
    assert found[(found["order_key"] == "R0") & (found["term"] == "recheck")]["state"].tolist() == ["overdue"]


def test_overdue_comes_first_and_order_changes_nothing(rules):
    rng = np.random.default_rng(2)
    rows = []
    for number, days in enumerate(rng.integers(1, 120, 30).tolist()):
        day = dt.date(2025, 12, 31) - dt.timedelta(days=days)
        rows.append(fail(str(day), ordered_on=str(day), producer=f"E{number}"))
    frame = records(*rows)
    found = terms(frame, rules.clocks, as_of=dt.date(2025, 12, 31))
    late = (found["state"] == "overdue").to_numpy()
    assert late.any()
    assert not late[late.argmin() :].any()
    assert found.loc[late, "days_left"].is_monotonic_increasing
    pd.testing.assert_frame_equal(found, terms(frame.sample(frac=1, random_state=1), rules.clocks, as_of=dt.date(2025, 12, 31)))


def test_closure_counts_only_orders_whose_term_has_ended(rules, tmp_path):
    (tmp_path / "regions.csv").write_text(
        "code,parent,level,name_zh,name_en\n220000,,province,省,P\n220100,220000,prefecture,甲,A\n220102,220100,county,一,C1\n"
        "220200,220000,prefecture,乙,B\n220202,220200,county,二,C2\n",
        encoding="utf-8",
    )

    class File:
        dimension, path, format, options, crosswalk = "region", "regions.csv", "tree", {}, None

    tree = load_trees([File()], root=tmp_path, data=tmp_path)["region"]
    as_of = dt.date(2025, 12, 31)
    frame = records(
        fail("2025-02-01", ordered_on="2025-03-01"),
        recheck("2025-05-01", "R0", "pass"),  # closed in time
        fail("2025-02-01", ordered_on="2025-03-01"),
        recheck("2025-05-01", "R2", "fail"),  # rechecked in time, not closed
        fail("2025-02-01", ordered_on="2025-03-01"),
        recheck("2025-08-01", "R4", "pass"),  # late
        fail("2025-02-01", ordered_on="2025-03-01", region="220202"),  # never
        fail("2025-11-01", ordered_on="2025-12-01"),
        recheck("2025-12-20", "R7", "pass"),  # early, its term still runs
        fail("2025-02-01", ordered_on="2025-03-01", region=None),
    )
    found = closure_by_region(terms(frame, rules.clocks, as_of=as_of), tree, as_of=as_of).set_index("region")
    assert found[["orders", "due", "closed_in_time"]].to_dict("index") == {
        "": {"orders": 1, "due": 1, "closed_in_time": 0},
        "220100": {"orders": 4, "due": 3, "closed_in_time": 1},
        "220200": {"orders": 1, "due": 1, "closed_in_time": 0},
    }
    assert found.loc["220100", "share"] == pytest.approx(1 / 3)
    # R: binom.test(1, 3)$conf.int
    assert found.loc["220100", ["lower", "upper"]].tolist() == pytest.approx([0.008403759, 0.905700676], abs=1e-8)
    assert closure_by_region(terms(frame[:0], rules.clocks, as_of=as_of), tree, as_of=as_of).empty


def test_failures_without_an_order_are_counted(rules):
    frame = records(
        fail("2025-02-01"),
        fail("2025-02-01", ordered_on="2025-03-01"),
        fail("2025-02-01"),
        recheck("2025-05-01", "R2", "fail", ordered_on="2025-03-01"),
        fail("2025-02-01", counterfeit_claim=True),
        fail("2025-12-20"),
        sound("2025-02-01"),
    )
    assert orders_missing(frame, as_of=dt.date(2025, 12, 31)) == 1
