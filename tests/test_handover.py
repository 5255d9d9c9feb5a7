"""What happens to open warnings when concerns change shape."""

import datetime as dt
import json
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.assessment import Grade
from riskwatch.lifecycle import EarlyWarning, advance
from tests import made_warnings as made
from tests.made_warnings import RULES, Tree

FIRST = dt.date(2025, 12, 1)  # a Monday
PARTS = ("P0302", "P0304", "P0305")


TREES = {"product": Tree(category=3, product=5), "region": Tree(province=2, prefecture=4, county=6)}


def alarm(product, region="220100", *, day=0, observed=30.0):
    """One alarmed week: the last that ended before the day."""
    return made.alarm(product, region, end=FIRST + dt.timedelta(days=day // 7 * 7 - 1), observed=observed)


def about(code, evidence, grade=Grade.III, *, region="220100", day=0, facts=None):
    return made.assessed(code, region, evidence, as_of=FIRST + dt.timedelta(days=day), grade=grade, facts=facts)


def judged(day, products=("P03", *PARTS), regions=("220100", "220101", "220201")):
    end = FIRST + dt.timedelta(days=day // 7 * 7 - 1)
    row = {"model": "injury-weekly", "stratum": "", "industry": "", "reason": "", "p_value": 0.5, "period_end": end}
    return pd.DataFrame([{**row, "product": product, "region": region} for product in products for region in regions])


def run(warnings, assessments, day, *, frame="judged"):
    frame = judged(day) if isinstance(frame, str) else frame
    return advance(warnings, assessments, as_of=FIRST + dt.timedelta(days=day), rules=RULES, judged=frame, trees=TREES)


def of(outcome, code):
    return next(one for one in outcome.warnings if one.subject.code == code)


def kinds(outcome):
    return sorted((event.kind, event.cause) for event in outcome.events)


def alone(day, *codes, grade=Grade.III, **more):
    return [about(code, [alarm(code, day=day, **more)], grade, day=day) for code in codes]


def together(day, *codes, grade=Grade.III):
    return about("P03", [alarm(code, day=day) for code in ("P03", *codes)], grade, day=day)


def test_a_category_takes_over_and_its_products_keep_identity_and_history():
    first = run([], alone(0, "P0302", "P0304"), 0)
    outcome = run(first.warnings, [together(3, "P0302", "P0304")], 3)
    assert kinds(outcome) == [("absorbed", "handed-over"), ("absorbed", "handed-over"), ("new", "opened")]
    parent, part = of(outcome, "P03"), of(outcome, "P0302")
    assert (parent.state, parent.first_seen, parent.opened) == ("new", FIRST, FIRST + dt.timedelta(days=3))
    assert parent.takes_over == tuple(sorted(one.warning_id for one in first.warnings))
    assert (part.warning_id, part.state, part.covered_by) == (of(first, "P0302").warning_id, "absorbed", parent.warning_id)
    assert (part.grade, part.proposed_on, part.last_changed) == (Grade.III, FIRST, FIRST)
    told = next(event for event in outcome.events if event.warning_id == part.warning_id)
    assert parent.warning_id in told.reason["zh"]
    assert "P03-en" in told.reason["en"]
    opened = next(event for event in outcome.events if event.kind == "new")
    assert "P0302-zh" in opened.reason["zh"]
    assert "Takes over from P0302-en" in opened.reason["en"]


def test_the_level_does_not_fall_by_the_handover_and_hysteresis_goes_on():
    warnings = run([], alone(0, "P0302", grade=Grade.II), 0).warnings
    # One window proposes less: held.
    warnings = run(warnings, alone(7, "P0302", grade=Grade.IV), 7).warnings
    assert (warnings[0].grade, warnings[0].lower_windows) == (Grade.II, 1)
    sure = replace(together(9, "P0302", grade=Grade.IV), facts={"grade_probability": {"IV": 1.0}})
    outcome = run(warnings, [sure], 9)
    parent = of(outcome, "P03")
    assert (parent.grade, parent.lower_windows) == (Grade.II, 1)
    assert parent.held["en"]
    # The window that the product had counted counts for the category: the next is the second.
    later = run(outcome.warnings, [together(14, "P0302", grade=Grade.IV)], 14)
    assert of(later, "P03").grade == Grade.IV
    assert kinds(later) == [("eased", "lowered")]


def test_a_higher_level_of_the_products_raises_an_open_category():
    warnings = run([], [together(0, "P0304", grade=Grade.IV), *alone(0, "P0302", grade=Grade.II)], 0).warnings
    outcome = run(warnings, [together(1, "P0302", "P0304", grade=Grade.IV)], 1)
    assert of(outcome, "P03").grade == Grade.II
    assert kinds(outcome) == [("absorbed", "handed-over"), ("worsened", "took-over")]


def test_there_and_back_is_no_news():
    first = run([], alone(0, "P0302", "P0304"), 0)
    over = run(first.warnings, [together(1, "P0302", "P0304")], 1)
    back = run(over.warnings, alone(2, "P0302"), 2)
    assert kinds(back) == [("absorbed", "handed-down"), ("resumed", "own-again")]
    part, parent, other = of(back, "P0302"), of(back, "P03"), of(back, "P0304")
    assert (part.warning_id, part.state, part.first_seen) == (of(first, "P0302").warning_id, "unchanged", FIRST)
    assert (parent.state, parent.covered_by) == ("absorbed", part.warning_id)
    # The product that fell quiet is spoken for until its own series was judged clear.
    assert (other.state, other.covered_by) == ("absorbed", part.warning_id)
    again = run(back.warnings, [together(3, "P0302", "P0304")], 3)
    assert kinds(again) == [("absorbed", "handed-over"), ("resumed", "own-again")]
    assert of(again, "P03").warning_id == parent.warning_id
    assert len(again.warnings) == 3
    clear = run(run(back.warnings, alone(8, "P0302"), 8).warnings, alone(15, "P0302"), 15)
    assert (of(clear, "P0304").state, of(clear, "P03").state, of(clear, "P0302").state) == ("recovered", "recovered", "unchanged")
    assert kinds(clear) == [("recovered", "judged-clear")] * 2


def test_the_level_of_a_category_passes_to_the_one_product_that_is_left():
    over = run(run([], alone(0, "P0302", "P0304"), 0).warnings, [together(1, "P0302", "P0304", grade=Grade.II)], 1)
    back = run(over.warnings, alone(2, "P0302", grade=Grade.IV), 2)
    assert of(back, "P0302").grade == Grade.II
    assert of(back, "P0302").held["zh"]
    assert "worsened" not in [event.kind for event in back.events]


def test_a_trouble_of_its_own_stays_its_own():
    first = run([], alone(0, "P0302", "P0304"), 0)
    outcome = run(first.warnings, [together(1, "P0304"), *alone(1, "P0302")], 1)
    assert of(outcome, "P0302").state == "unchanged"
    assert of(outcome, "P0304").state == "absorbed"
    split = run(run(first.warnings, [together(1, "P0302", "P0304")], 1).warnings, [together(2, "P0304"), *alone(2, "P0302")], 2)
    assert (of(split, "P0302").state, of(split, "P03").state) == ("unchanged", "unchanged")
    assert kinds(split) == [("resumed", "own-again")]


def test_a_category_below_warning_level_takes_nothing_over():
    first = run([], alone(0, "P0302"), 0)
    outcome = run(first.warnings, [together(1, "P0302", grade=Grade.WATCH)], 1)
    assert len(outcome.warnings) == 1
    assert (outcome.warnings[0].grade, outcome.warnings[0].state) == (Grade.III, "eased")
    assert outcome.warnings[0].held["en"]


def test_an_event_that_a_category_speaks_for_is_handed_over():
    event = {"floor_events": [{"rule": "death", "count": 1.0}], "speaks_for": [{"kind": "product", "code": "P0302", "region": "220101"}]}
    first = run([], [about("P0302", [], Grade.II, region="220101", facts=event)], 0)
    outcome = run(first.warnings, [replace(together(1, "P0304", grade=Grade.II), facts=event)], 1)
    assert (of(outcome, "P0302").state, of(outcome, "P03").first_seen) == ("absorbed", FIRST)


def test_an_absorbed_warning_whose_speaker_has_recovered_stands_alone_until_it_was_judged():
    over = run(run([], alone(0, "P0302"), 0).warnings, [together(1, "P0302")], 1)
    only_category = run(over.warnings, [], 8, frame=judged(8, ["P03"]))
    gone = run(only_category.warnings, [], 15, frame=judged(15, ["P03"]))
    # Products lie within the category: what was judged of it was judged of them.
    assert {one.state for one in gone.warnings} == {"recovered"}
    silent = [replace(one, series=(("other", "", "P0302", "", "220100"),)) if one.state == "absorbed" else one for one in over.warnings]
    gone = run(run(silent, [], 8).warnings, [], 15)
    assert (of(gone, "P03").state, of(gone, "P0302").state) == ("recovered", "eased")
    assert ("resumed", "speaker-gone") in kinds(gone)


def test_warnings_of_an_earlier_version_are_read():
    payload = run([], alone(0, "P0302"), 0).warnings[0].to_payload()
    for name in ("opened", "proposed_on", "handed_on", "takes_over"):
        del payload[name]
    old = EarlyWarning.from_payload(payload)
    assert (old.opened, old.takes_over) == (None, ())
    assert of(run([old], [together(1, "P0302")], 1), "P0302").state == "absorbed"


SHAPES = st.lists(
    st.tuples(
        st.integers(1, 5),  # days since the last run
        st.sets(st.sampled_from(PARTS)),  # alarmed products
        st.sets(st.sampled_from(PARTS), max_size=1),  # which of them are a trouble of their own
        st.booleans(),  # the category is the concern
        st.sampled_from([Grade.WATCH, Grade.IV, Grade.III, Grade.I]),
        st.sampled_from([Grade.WATCH, Grade.IV, Grade.II]),
        st.sampled_from(["220100", "220101", "220000"]),
        st.sampled_from([15.0, 30.0, 80.0]),
        st.booleans(),  # series were judged
    ),
    min_size=2,
    max_size=8,
)


def shaped(day, products, own, category, grades, region, observed):
    whole, part = grades
    mine = products & own if category else products
    found = [about(code, [alarm(code, "220101", day=day, observed=observed)], part, region="220101", day=day) for code in sorted(mine)]
    if category and products - mine:
        rows = [alarm("P03", region, day=day, observed=observed), *(alarm(code, region, day=day) for code in sorted(products - mine))]
        found.append(about("P03", rows, whole, region=region, day=day))
    return found


@given(SHAPES, st.randoms())
@settings(max_examples=40, deadline=None)
def test_whatever_the_shapes_every_alarm_has_one_live_warning_and_nothing_vanishes(steps, shuffled):
    warnings, day = (), 0
    for gap, products, own, category, whole, part, region, observed, was_judged in steps:
        day += gap
        found = shaped(day, products, own, category, (whole, part), region, observed)
        frame = judged(day) if was_judged else None
        outcome = run(warnings, found, day, frame=frame)
        _check_day(warnings, outcome, found, day)
        again = run(outcome.warnings, found, day, frame=frame)
        assert again.warnings == outcome.warnings
        assert again.events == ()
        mixed, given_found = list(warnings), list(found)
        shuffled.shuffle(mixed)
        shuffled.shuffle(given_found)
        assert run(mixed, given_found, day, frame=frame) == outcome
        warnings = outcome.warnings


def _check_day(before, outcome, found, day):
    today = FIRST + dt.timedelta(days=day)
    known = {one.warning_id: one for one in outcome.warnings}
    live = {one.warning_id for one in outcome.warnings if one.live}
    graded = [one for one in found if one.grade >= Grade.IV]
    speaking = [one for one in outcome.warnings if one.live and one.last_seen == today]
    assert sorted(one.subject.code for one in speaking) == sorted(one.subject.code for one in graded)
    told = {(event.warning_id, event.kind) for event in outcome.events}
    for was in before:
        now = known[was.warning_id]
        assert (now.opened, now.fingerprint) == (was.opened, was.fingerprint)
        if now.state == "recovered" and was.state != "recovered":
            assert (now.warning_id, "recovered") in told
        if was.live and now.state == "absorbed":
            assert (now.warning_id, "absorbed") in told
            assert known[now.covered_by].grade >= was.grade
        if was.state == "absorbed" and now.live:
            assert (now.warning_id, "resumed") in told
        if now.live and was.live and now.grade != was.grade:
            assert {"worsened", "eased"} & {kind for warning_id, kind in told if warning_id == now.warning_id}
    for now in outcome.warnings:
        assert (now.state == "absorbed") == bool(now.covered_by)
        if now.covered_by:
            assert now.covered_by in live
            assert now.warning_id in known[now.covered_by].takes_over
        assert EarlyWarning.from_payload(json.loads(json.dumps(now.to_payload(), allow_nan=False))) == now
    assert len({event.event_id for event in outcome.events}) == len(outcome.events)


@pytest.mark.parametrize("days", [(1, 2, 3, 4), (1, 3, 5, 8)])
def test_flipping_shapes_open_one_warning_each(days):
    outcome = run([], alone(0, "P0302", "P0304"), 0)
    news = []
    for number, day in enumerate(days):
        found = [together(day, "P0302", "P0304")] if number % 2 == 0 else alone(day, "P0302", "P0304")
        outcome = run(outcome.warnings, found, day)
        news += [event for event in outcome.events if event.kind in {"new", "worsened", "eased", "recovered"}]
    assert len(outcome.warnings) == 3
    assert [event.cause for event in news] == ["opened"]


def test_statistics_beside_a_list_of_cases_are_news_and_place_it():
    def cases(day, *where):
        listed = [{"kind": "product", "code": code, "region": region} for code, region in where]
        return about("P03", [], region="220000", day=day, facts={"cases_only": True, "speaks_for": listed})

    first = run([], [cases(0, ("P0304", "220101"))], 0)
    wider = run(first.warnings, [cases(1, ("P0304", "220101"), ("P0302", "220201"))], 1)
    assert kinds(wider) == []
    told = run(wider.warnings, [about("P03", [alarm("P03", day=2)], day=2)], 2)
    assert kinds(told) == [("worsened", "alarm")]
    assert told.warnings[0].subject.region == "220100"
    # The list covers the whole province: that is no spread of what the statistics placed.
    later = run(told.warnings, [cases(3, ("P0304", "220101"))], 3)
    assert (kinds(later), later.warnings[0].subject.region) == ([], "220100")


def test_a_list_of_cases_takes_over_from_events_but_not_from_statistics():
    listed = {"speaks_for": [{"kind": "product", "code": "P0302", "region": "220101"}]}
    by_statistics = run([], alone(0, "P0302"), 0)
    outcome = run(by_statistics.warnings, [about("P03", [], region="220000", day=7, facts=listed)], 7)
    assert of(outcome, "P0302").state == "eased"
    by_event = run([], [about("P0302", [], region="220101", facts=listed)], 0)
    outcome = run(by_event.warnings, [about("P03", [], region="220000", day=7, facts=listed)], 7)
    assert of(outcome, "P0302").state == "absorbed"
    # And down: when an alarm speaks for the only case of a list, the list has nothing left to say.
    back = run(outcome.warnings, [replace(about("P0304", [alarm("P0304", day=8)], day=8), facts=listed)], 8)
    assert (of(back, "P03").state, of(back, "P03").covered_by) == ("absorbed", of(back, "P0304").warning_id)
