"""Artefacts in a concern's own records: lapsed calibrations, and one claimant who writes many times."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from assessment_world import AS_OF, RULES, WEEKS, injuries, samples, signal, twice

from riskwatch.assessment.doubts import Doubt, lapsed_samples, lapsed_share, split
from tests.assessment.test_other_streams import judge

DAY = WEEKS[1][0]
ITEM = "小零件"


def register(*rows):
    """Entries of laboratories: name, item, days before the samples at which it began, days after at which it ends, state."""
    return pd.DataFrame(
        [
            {
                "record_key": f"L{number}",
                "event_date": pd.Timestamp(DAY - dt.timedelta(days=before)),
                "laboratory": name,
                "item": item,
                "calibration": state,
                "calibration_until": pd.Timestamp(DAY + dt.timedelta(days=after)),
            }
            for number, (name, item, before, after, state) in enumerate(rows)
        ]
    )


LAPSED = register(("good", ITEM, 300, 60, "valid"), ("bad", ITEM, 300, -10, "valid"))


def checks_of(laboratories, failed=12):
    """Samples whose failures come from these laboratories in turn, and their failing items."""
    rows, items = samples("dolls", 40, failed)
    for number, row in enumerate(rows):
        row |= {"laboratory": laboratories[number % len(laboratories)], "reported_on": row["event_date"] + dt.timedelta(days=2)}
    return rows, items


def found_with(laboratories, *, register=LAPSED, more=(), records=()):
    rows, items = checks_of(laboratories)
    streams = {"spot_check": pd.DataFrame(rows), "laboratory": register, **dict(records)}
    (one,) = judge([*twice("dolls", "220101", stream="spot_check"), *more], streams, items)
    return one


def artefacts(one):
    return next(step for step in one.steps if step.rule == "lower.artefact").inputs["flags"]


def test_failures_of_a_lapsed_laboratory_lower_the_grade():
    good, half, bad = (found_with(names) for names in (["good"], ["good", "bad"], ["bad", "bad", "good"]))
    assert artefacts(good) == artefacts(half) == [], "half is not most"
    assert artefacts(bad) == ["lapsed-calibration"]
    assert bad.grade == good.grade - 1
    assert bad.facts["doubts"] == [{"kind": "lapsed-calibration", "stream": "spot_check", "share": pytest.approx(0.667), "of": 12.0}]
    assert "doubts" not in good.facts
    assert "artefact" in " ".join(text["en"] for text in bad.what_would_change)


def test_a_lapsed_laboratory_does_not_corroborate_injuries_and_does_not_lower_them():
    cards = {"injury": pd.DataFrame(injuries("dolls", 30, cause="", diagnosis=""))}
    both = [found_with([name], more=twice("dolls", "220101"), records=cards) for name in ("good", "bad")]
    (alone,) = judge(twice("dolls", "220101"), cards)
    assert [one.confidence for one in both] == ["C3", "C2"]
    assert artefacts(both[1]) == []
    assert both[1].grade >= alone.grade
    quality = next(step for step in both[1].steps if step.rule == "confidence.quality")
    assert quality.inputs["failing"] == {"spot_check": ["lapsed-calibration"]}


def share(laboratories, entries, items=(ITEM,)):
    rows, _ = checks_of(laboratories)
    frame = pd.DataFrame(rows)
    bad = [(sample, item, "fail") for sample in frame.index[frame["failed"] > 0] for item in items]
    return lapsed_share(frame, lapsed_samples(frame, pd.DataFrame(bad, columns=["sample", "item", "verdict"]), entries))[0]


def test_what_counts_as_lapsed():
    assert share(["x"], LAPSED) == 0, "nothing is known of the laboratory"
    assert share(["bad"], LAPSED, ["蛋白质"]) == 0, "another item"
    assert share(["bad"], LAPSED, [ITEM, "蛋白质"]) == 0, "one failing item was measured well"
    assert share(["bad"], LAPSED, ()) == 0, "the calibration of one item says nothing of the whole laboratory"
    assert share(["bad"], register(("bad", None, 300, -10, "valid")), [ITEM, "蛋白质"]) == 1
    assert share(["bad"], register(("bad", None, 300, -10, "valid"), ("bad", ITEM, 90, 90, "valid"))) == 0, "the item has one of its own"
    assert share(["bad"], register(("bad", ITEM, 300, 60, "valid"), ("bad", ITEM, 5, 60, "failed"))) == 1
    assert share(["bad"], register(("bad", ITEM, 300, -200, "valid"), ("bad", ITEM, 5, 60, "valid"))) == 0, "renewed"
    assert share(["bad"], register(("bad", ITEM, -30, 60, "failed"), ("bad", ITEM, 300, 60, "valid"))) == 0, "failed after the report"


def test_the_order_of_rows_does_not_matter():
    rows, items = checks_of(["bad", "good", "bad"])
    frame = pd.DataFrame(rows)
    bad = pd.DataFrame({"sample": frame.index[frame["failed"] > 0], "item": ITEM, "verdict": "fail"})
    assert len(items) == len(bad)
    shuffled = np.random.default_rng(1).permutation(len(frame))
    lapsed = lapsed_samples(frame, bad, LAPSED)
    assert lapsed.any()
    assert not lapsed.all()
    np.testing.assert_array_equal(lapsed_samples(frame.iloc[shuffled], bad.iloc[::-1], LAPSED.iloc[::-1]), lapsed[shuffled])


def complaints(people):
    return pd.DataFrame(
        [
            {
                "record_key": f"T{number}",
                "source": "complaints",
                "event_date": AS_OF - dt.timedelta(days=1 + number % 40),
                "product": ["dolls", "kites"][number % 2],
                "region": ["220101", "220102"][number % 2],
                "complainant": who,
                "complaints": 1,
                "problem": "quality",
            }
            for number, who in enumerate(people)
        ]
    )


ONE, MANY = ["z"] * 40 + [f"c{n}" for n in range(20)], [f"c{n}" for n in range(60)]


def test_a_subject_most_of_whose_complaints_are_one_persons_is_lowered():
    rows = [signal("toys", "220100", stream="complaint", week=week) for week in (0, 1)]
    (many,) = judge(rows, {"complaint": complaints(MANY)})
    (one,) = judge(rows, {"complaint": complaints(ONE)})
    assert artefacts(many) == []
    assert artefacts(one) == ["claimant-burst"]
    assert one.grade == many.grade - 1
    assert one.facts["doubts"] == [{"kind": "claimant-burst", "stream": "complaint", "share": pytest.approx(0.667), "of": 60.0}]
    assert "'z'" not in str(one.facts)


def test_nobody_lowers_a_warning_by_writing_many_complaints():
    more = twice("dolls", "220101", stream="complaint")
    quiet, loud = (found_with(["good"], more=more, records={"complaint": complaints(who)}) for who in (MANY, ONE))
    (alone,) = (found_with(["good"]),)
    assert [quiet.confidence, loud.confidence, alone.confidence] == ["C3", "C2", "C2"]
    assert loud.grade == alone.grade


def test_kinds_that_the_rules_do_not_list_count_for_nothing():
    doubt = Doubt("claimant-burst", "complaint", 0.9, 50)
    assert split([doubt], ["complaint"], RULES.lowers.artefact_flags) == (("claimant-burst",), {})
    assert split([doubt], ["complaint", "injury"], RULES.lowers.artefact_flags) == ((), {"complaint": "claimant-burst"})
    assert split([doubt], ["injury"], RULES.lowers.artefact_flags) == ((), {})
    assert split([doubt], ["complaint"], ["backlog"]) == ((), {})
