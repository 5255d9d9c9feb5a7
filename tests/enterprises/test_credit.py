"""Proposed classes: the rule and the figures behind them; more failures never help; nobody listed gets off."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from enterprises_world import fail, recheck, records, sound
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from riskwatch.enterprises import EnterpriseRules, current_classes, enterprise_history, propose, summary, terms
from riskwatch.enterprises.rules import CreditRules, rank

AS_OF = dt.date(2025, 12, 31)


def register(*rows: tuple[str, str, str, bool, str]) -> pd.DataFrame:
    """Return credit records of (enterprise, day, class, listed, valid until)."""
    frame = pd.DataFrame(rows, columns=["enterprise", "event_date", "credit_class", "listed", "valid_until"])
    for name in ("event_date", "valid_until"):
        frame[name] = pd.to_datetime(frame[name]).astype("datetime64[s]")
    return frame.assign(source="list", authority="", listed=frame["listed"].astype("boolean"))


def proposals(rules: EnterpriseRules, frame: pd.DataFrame, credit: pd.DataFrame | None = None) -> pd.DataFrame:
    found = enterprise_history(frame, as_of=AS_OF, window_days=rules.windows.repeat_days).frame
    clocks = terms(frame, rules.clocks, as_of=AS_OF)
    classes = current_classes(register() if credit is None else credit, as_of=AS_OF)
    return propose(found, clocks, classes, rules.credit).set_index("enterprise")


def test_each_rule_by_its_figures(rules):
    frame = records(
        *[sound(f"2025-01-{day:02d}", producer="clean") for day in range(1, 11)],
        *[sound(f"2025-01-{day:02d}", producer="few") for day in range(1, 9)],
        *[fail(f"2025-01-{day:02d}", producer="thrice") for day in range(1, 4)],
        *[fail(f"2025-01-{day:02d}", producer="often") for day in range(1, 8)],
        fail("2025-01-01", producer="once"),
        fail("2025-01-01", producer="late", ordered_on="2025-02-01"),
        fail("2025-01-01", producer="again", record_key="A"),
        recheck("2025-05-01", "A", "fail", producer="again"),
    )
    found = proposals(rules, frame)
    assert found["proposed"].to_dict() == {
        "list/clean": "A",
        "list/few": "B",
        "list/thrice": "C",
        "list/often": "D",
        "list/once": "B",
        "list/late": "C",
        "list/again": "C",
    }
    assert found.loc["list/clean", "rule"] == "clean-record"
    assert found.loc["list/once", "rule"] == ""
    assert found.loc["list/late", "rule"] == "overdue"
    assert "repeat_failures=2" in found.loc["list/thrice", "evidence"]
    assert found.loc["list/thrice", "reason_zh"] == "窗口期内三批次以上不合格"
    assert (found["change"] == "first").all()


def test_the_class_in_force_is_the_newest_that_was_known(rules):
    credit = register(
        ("E1", "2024-01-01", "A", False, "2025-01-01"),
        ("E1", "2025-01-01", "C", False, "2026-01-01"),
        ("E1", "2025-01-01", "B", False, "2026-01-01"),
        ("E1", "2026-01-05", "A", False, "2027-01-01"),
        ("E2", "2024-01-01", "D", False, "2025-01-01"),
        ("E3", "2024-01-01", "B", True, "2025-01-01"),
    )
    found = current_classes(credit, as_of=AS_OF).set_index("enterprise")
    assert found["class_in"].to_dict() == {"list/E1": "C", "list/E2": "D", "list/E3": "B"}
    assert found["expired"].to_dict() == {"list/E1": False, "list/E2": True, "list/E3": True}


def test_improvements_are_small_and_never_on_failing_evidence(rules):
    frame = records(
        *[sound(f"2025-01-{day:02d}", producer="up") for day in range(1, 12)],
        *[fail(f"2025-01-{day:02d}", producer="down") for day in range(1, 4)],
        *[fail(f"2025-01-{day:02d}", producer="held") for day in range(1, 4)],
        sound("2025-01-01", producer="expired"),
        sound("2025-01-01", producer="kept"),
    )
    credit = register(
        ("up", "2025-03-01", "D", False, "2026-04-01"),
        ("down", "2025-03-01", "A", False, "2026-04-01"),
        ("held", "2025-03-01", "D", False, "2026-04-01"),
        ("expired", "2023-03-01", "D", False, "2024-04-01"),
        ("kept", "2025-03-01", "C", False, "2026-04-01"),
        ("unseen", "2025-03-01", "C", False, "2026-04-01"),
    )
    found = proposals(rules, frame, credit)
    assert found["proposed"].to_dict() == {
        "list/up": "C",
        "list/down": "C",
        "list/held": "D",
        "list/expired": "B",
        "list/kept": "C",
        "list/unseen": "C",
    }
    assert found["change"].to_dict() == {
        "list/up": "better",
        "list/down": "worse",
        "list/held": "same",
        "list/expired": "first",
        "list/kept": "same",
        "list/unseen": "same",
    }
    assert found.loc["list/held", "reason_en"].endswith("no improvement on failing evidence")
    assert found.loc["list/expired", "reason_zh"].endswith("原等级已过有效期")


def test_old_overdue_terms_fade(rules):
    frame = records(fail("2021-01-01", ordered_on="2021-02-01"))
    found = enterprise_history(frame, as_of=AS_OF, window_days=730).frame
    clocks, classes = terms(frame, rules.clocks, as_of=AS_OF), current_classes(register(), as_of=AS_OF)
    assert propose(found, clocks, classes, rules.credit)["rule"].tolist() == ["overdue"]
    assert propose(found, clocks, classes, rules.credit, overdue_since=dt.date(2024, 1, 1))["rule"].tolist() == [""]


def test_candidates_are_pointers_and_listed_ones_are_none(rules):
    rows = [fail(f"2025-01-0{k}", producer=who, record_key=f"{who}{k}") for who in ("x", "y") for k in range(1, 4)]
    rows += [recheck(f"2025-05-0{k}", f"{who}{k}", "fail", producer=who) for who in ("x", "y") for k in range(1, 4)]
    found = proposals(rules, records(*rows), register(("y", "2025-03-01", "D", True, "2028-03-01")))
    assert found["candidacy"].to_dict() == {"list/x": "recheck-failed-thrice", "list/y": ""}
    assert found["proposed"].tolist() == ["D", "D"]
    assert found.loc["list/y", "reason_en"].endswith("on the list of serious violators")


SAMPLES = st.lists(
    st.tuples(st.sampled_from(["pass", "fail", "recheck-fail", "recheck-pass", "follow-fail"]), st.integers(0, 900), st.booleans()),
    max_size=25,
)
CLASS = st.sampled_from(["", "A", "B", "C", "D"])


def _rows(given_) -> list[dict]:
    out = []
    for kind, days, ordered in given_:
        day = str(AS_OF - dt.timedelta(days=days))
        order = {"ordered_on": day} if ordered and kind == "fail" else {}
        out.append(
            {
                "pass": sound(day),
                "fail": fail(day, **order),
                "recheck-fail": recheck(day, "Z", "fail"),
                "recheck-pass": recheck(day, "Z", "pass"),
                "follow-fail": fail(day, selection="follow-up"),
            }[kind]
        )
    return out


@settings(max_examples=25, deadline=None)
@given(SAMPLES, SAMPLES, CLASS, st.booleans(), st.booleans())
def test_more_failures_never_give_a_better_class(rules, base, more, held, listed, expired):
    worse = [row for row in more if row[0].endswith("fail")]
    until = "2025-06-01" if expired else "2026-06-01"
    credit = register(*([("E1", "2025-03-01", held, listed, until)] if held else []))
    frame = records(sound("2025-01-01"), *_rows(base), *_rows(worse))
    some = frame.iloc[: 1 + len(base)]
    before, after = (proposals(rules, part, credit).loc["list/E1"] for part in (some, frame))
    assert rank(after["proposed"]) >= rank(before["proposed"])
    if listed and held:
        assert rank(before["proposed"]) >= rank(rules.credit.listed)
    if before["candidacy"]:
        assert after["candidacy"]


@settings(max_examples=8, deadline=None)
@given(SAMPLES, st.randoms())
def test_the_order_of_records_changes_nothing(rules, base, random):
    frame = records(sound("2025-01-01"), *_rows(base))
    order = list(range(len(frame)))
    random.shuffle(order)
    pd.testing.assert_frame_equal(proposals(rules, frame), proposals(rules, frame.iloc[order]))


def _credit(shipped: EnterpriseRules, /, **changes: object) -> CreditRules:
    return CreditRules.model_validate(shipped.credit.model_dump() | changes)


def test_rules_that_could_reward_failures_are_refused(rules):
    shipped = rules.credit.model_dump()["rules"]
    with pytest.raises(ValidationError, match="from the worst class to the best"):
        _credit(rules, rules=shipped[::-1])
    good = next(entry for entry in shipped if entry["good"])
    with pytest.raises(ValidationError, match="good is for a class better than the default"):
        _credit(rules, rules=[{**good, "credit_class": "D"}])
    with pytest.raises(ValidationError, match="at_least is for a class worse than the default"):
        _credit(rules, rules=[{**shipped[0], "credit_class": "A"}])
    with pytest.raises(ValidationError, match="needs at least one condition"):
        _credit(rules, rules=[{**shipped[0], "at_least": {}}])
    with pytest.raises(ValidationError, match="is there twice"):
        _credit(rules, rules=[shipped[0], shipped[0]])


def test_the_summary_counts_and_names_nobody(rules):
    frame = records(
        *[fail(f"2025-01-0{k}", producer="x", record_key=f"x{k}") for k in range(1, 4)],
        *[recheck(f"2025-05-0{k}", f"x{k}", "fail", producer="x", ordered_on="2025-03-01") for k in range(1, 4)],
        sound("2025-01-01", producer="y"),
        fail("2025-01-01", producer=None),
        fail("2025-01-01", producer="z", counterfeit_claim=True),
    )
    histories = enterprise_history(frame, as_of=AS_OF, window_days=730)
    clocks = terms(frame, rules.clocks, as_of=AS_OF)
    found = propose(
        histories.frame, clocks, current_classes(register(("y", "2025-03-01", "A", False, "2026-01-01")), as_of=AS_OF), rules.credit
    )
    counts = summary(histories, clocks, found, as_of=AS_OF, missing=2)
    assert (counts.enterprises, counts.repeat_failers, counts.recheck_failers, counts.claims) == (3, 1, 1, 1)
    # Three second rechecks, and three corrections of which nothing is on record.
    assert (counts.orders, counts.overdue, counts.orders_missing, counts.candidates) == (3, 6, 2, 1)
    assert (counts.unattributed, counts.unattributed_failed) == (1, 1)
    assert counts.closure[["region", "orders", "due", "closed_in_time"]].to_numpy().tolist() == [["220102", 3, 3, 0]]
    assert "x" not in {str(value) for value in vars(counts).values()}
