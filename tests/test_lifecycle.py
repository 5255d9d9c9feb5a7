import datetime as dt
import json
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.assessment import Grade, Subject
from riskwatch.errors import AsOfError, StoreError
from riskwatch.lifecycle import STATES, EarlyWarning, WarningEvent, advance, fingerprint
from tests.made_warnings import RULES, alarm, assessed

MONDAY = dt.date(2024, 6, 17)


class Regions:
    attributes = pd.DataFrame()

    def path(self, code):
        return tuple(dict.fromkeys(("220000", code[:4] + "00", code)))

    def level_of(self, code):
        return "county"

    def name(self, code, language):
        return f"{code}-{language}"


TREES = {"region": Regions()}


def week(number):
    return MONDAY + dt.timedelta(days=7 * number)


def judged(number, *, region="220101", product="dolls", reason=""):
    """The signals frame of a run in week ``number``: the series was judged (or refused) in the week before."""
    end = week(number) - dt.timedelta(days=1)
    row = {"model": "injury-weekly", "stratum": "", "product": product, "industry": "", "region": region, "reason": reason}
    return pd.DataFrame([{**row, "period_end": end, "p_value": 0.5 if not reason else None}])


def concern(grade=Grade.III, *, number=0, region="220101", product="dolls", observed=30.0, floors=0.0, **changes):
    end = week(number) - dt.timedelta(days=1)
    evidence = alarm(product, region, end=end, observed=observed)
    facts = {"floor_events": [{"rule": "death", "count": floors}]} if floors else {}
    base = assessed(product, region, [evidence], as_of=week(number), grade=grade, hazard="mechanical", facts=facts)
    return replace(base, **changes)


def run(warnings, assessments, number=0, *, trees=TREES, frame="judged", day=0):
    frame = judged(number) if isinstance(frame, str) else frame
    return advance(warnings, assessments, as_of=week(number) + dt.timedelta(days=day), rules=RULES, judged=frame, trees=trees)


def only(outcome):
    assert len(outcome.warnings) == 1
    return outcome.warnings[0]


def kinds(outcome):
    return [(event.kind, event.cause) for event in outcome.events]


def test_a_new_concern_opens_one_warning_with_a_stable_id():
    outcome = run([], [concern()])
    warning = only(outcome)
    assert (warning.state, warning.grade, warning.times_seen) == ("new", Grade.III, 1)
    assert warning.fingerprint == fingerprint(Subject("product", "dolls", "220101"))
    assert kinds(outcome) == [("new", "opened")]
    assert outcome.events[0].grade_before == Grade.NONE
    assert only(run([], [concern()])).warning_id == warning.warning_id
    assert only(run([], [concern(number=1)], 1)).warning_id != warning.warning_id


def test_watch_and_none_open_nothing_and_watch_is_listed():
    outcome = run([], [concern(Grade.WATCH), concern(Grade.NONE, product="kites")])
    assert outcome.warnings == ()
    assert outcome.events == ()
    assert [one.subject.code for one in outcome.watch] == ["dolls"]


def test_the_unchanged_is_not_repeated():
    first = run([], [concern()])
    second = run(first.warnings, [concern(number=1)], 1)
    warning = only(second)
    assert second.events == ()
    assert (warning.state, warning.times_seen, warning.last_seen, warning.last_changed) == ("unchanged", 2, week(1), MONDAY)


@pytest.mark.parametrize(
    ("change", "kind", "cause", "word"),
    [
        ({"grade": Grade.II}, "worsened", "raised", "raised from Level III (yellow) to Level II (orange)"),
        (
            {"grade": Grade.IV, "facts": {"grade_probability": {"IV": 0.97, "III": 0.03}}},
            "eased",
            "lowered",
            "lowered from Level III (yellow) to Level IV (blue): lower levels are 97% probable",
        ),
        ({"region": "220100"}, "worsened", "spread", "Spread from 220101-en to 220100-en"),
        ({"observed": 60.0}, "worsened", "larger-excess", "grew from 20.0 to 50.0"),
        ({"floors": 1.0}, "worsened", "grave-event", "1 more grave event"),
        ({"grade": Grade.IV, "region": "220000", "facts": {"grade_probability": {"IV": 1.0}}}, "worsened", "spread", "lowered"),
    ],
)
def test_changes_have_reasons(change, kind, cause, word):
    first = run([], [concern()])
    outcome = run(first.warnings, [concern(number=1, **change)], 1)
    assert kinds(outcome) == [(kind, cause)]
    assert only(outcome).state == kind
    assert only(outcome).warning_id == only(first).warning_id
    assert word in outcome.events[0].reason["en"]
    assert outcome.events[0].reason["zh"]


def test_a_slightly_larger_excess_and_a_narrower_place_are_no_news():
    first = run([], [concern(region="220100")])
    outcome = run(first.warnings, [concern(number=1, region="220101", observed=38.0)], 1)
    assert outcome.events == ()
    assert only(outcome).subject.region == "220100"
    assert only(outcome).summary["place_now"] == "220101"


def test_slow_growth_is_measured_against_the_last_change():
    warnings = run([], [concern(observed=30)]).warnings
    seen = []
    for number, observed in enumerate((34, 38, 42, 46), start=1):
        outcome = run(warnings, [concern(number=number, observed=observed)], number)
        seen += kinds(outcome)
        warnings = outcome.warnings
    assert seen == [("worsened", "larger-excess")]


def test_absence_cools_and_recovers_after_judged_windows():
    warnings = run([], [concern()]).warnings
    cooling = run(warnings, [], 1)
    assert kinds(cooling) == [("eased", "absent")]
    assert only(cooling).grade == Grade.III
    again = run(cooling.warnings, [], 1, day=1)
    assert again.events == ()
    recovered = run(again.warnings, [], 2)
    assert kinds(recovered) == [("recovered", "judged-clear")]
    assert only(recovered).state == "recovered"
    assert only(recovered).grade == Grade.NONE
    assert recovered.events[0].grade_before == Grade.III


@pytest.mark.parametrize("frame", [None, judged(1, reason="unripe"), judged(1, product="kites"), judged(0)])
def test_what_was_not_judged_does_not_recover(frame):
    warnings = run([], [concern()]).warnings
    for day in range(5):
        outcome = run(warnings, [], 1, frame=frame, day=day)
        assert outcome.events == ()
        warnings = outcome.warnings
    assert only(outcome).state == "unchanged"
    assert only(outcome).last_seen == MONDAY


def test_a_series_rolled_up_to_its_parent_counts_as_judged():
    warnings = run([], [concern()]).warnings
    assert kinds(run(warnings, [], 1, frame=judged(1, region="220100"))) == [("eased", "absent")]
    assert kinds(run(warnings, [], 1, frame=judged(1, region="220201"))) == []


def test_below_warning_level_eases_and_then_recovers():
    warnings = run([], [concern()]).warnings
    eased = run(warnings, [concern(Grade.WATCH, number=1)], 1)
    # One window below warning level does not lower it: the reader is told why it stands.
    assert kinds(eased) == [("eased", "below")]
    assert only(eased).grade == Grade.III
    assert "1 judged window(s) lower of 2 needed" in only(eased).held["en"]
    assert eased.watch == ()
    back = run(eased.warnings, [concern(Grade.III, number=2)], 2)
    assert kinds(back) == []
    assert (only(back).held, only(back).lower_windows) == ({}, 0)
    sure = run(warnings, [concern(Grade.WATCH, number=1, facts={"grade_probability": {"WATCH": 0.99, "III": 0.01}})], 1)
    assert kinds(sure) == [("eased", "lowered")]
    assert only(sure).grade == Grade.WATCH
    gone = run(eased.warnings, [concern(Grade.WATCH, number=2)], 2)
    assert kinds(gone) == [("eased", "lowered"), ("recovered", "judged-clear")]


def flicker(rules, grades):
    warnings, events, levels = (), [], []
    for number, grade in enumerate(grades):
        outcome = advance(warnings, [concern(grade, number=number)], as_of=week(number), rules=rules, judged=judged(number), trees=TREES)
        warnings, events = outcome.warnings, [*events, *kinds(outcome)]
        levels.append(only(outcome).grade)
    return events, levels


def test_a_level_does_not_flicker():
    series = [Grade.III, Grade.IV] * 6
    hasty = RULES.model_copy(update={"lifecycle": RULES.lifecycle.model_copy(update={"lower_after": 1})})
    assert len(flicker(hasty, series)[0]) == 12
    events, levels = flicker(RULES, series)
    assert events == [("new", "opened")]
    assert set(levels) == {Grade.III}


def test_a_level_rises_at_once_and_falls_after_two_windows():
    events, levels = flicker(RULES, [Grade.IV, Grade.II, Grade.III, Grade.III, Grade.IV, Grade.II])
    assert levels == [Grade.IV, Grade.II, Grade.II, Grade.III, Grade.III, Grade.II]
    assert events == [("new", "opened"), ("worsened", "raised"), ("eased", "lowered"), ("worsened", "raised")]


def test_a_level_does_not_fall_on_a_day_that_brings_another_grave_event():
    """Lower levels are sure, and another person died: worse in a lower level is no news that a reader can use."""
    first = run([], [concern(Grade.II)])
    sure = {"grade_probability": {"III": 1.0}, "floor_events": [{"rule": "death", "count": 1.0}]}
    died = run(first.warnings, [concern(Grade.III, number=1, facts=sure)], 1)
    assert kinds(died) == [("worsened", "grave-event")]
    assert only(died).grade is Grade.II
    assert "another grave event has come in: the level is held" in only(died).held["en"]
    assert "等级暂不下调" in only(died).held["zh"]
    calm = run(died.warnings, [concern(Grade.III, number=2, facts=sure)], 2)
    assert (kinds(calm), only(calm).grade, only(calm).held) == ([("eased", "lowered")], Grade.III, {})


def test_the_same_window_seen_again_does_not_lower():
    warnings = run([], [concern()]).warnings
    for day in range(5):
        outcome = run(warnings, [concern(Grade.IV, number=1)], 1, day=day)
        warnings = outcome.warnings
        assert outcome.events == ()
        assert (only(outcome).grade, only(outcome).lower_windows) == (Grade.III, 1)


def test_a_floor_raises_at_once_and_ends_at_once():
    events = []
    warnings = ()
    for number, grade in enumerate((Grade.IV, Grade.II, Grade.IV)):
        found = concern(grade, number=number, floors=float(grade == Grade.II), evidence=())
        outcome = run(warnings, [found], number)
        warnings, events = outcome.warnings, [*events, *kinds(outcome)]
    assert events == [("new", "opened"), ("worsened", "raised"), ("eased", "lowered")]
    assert "left the look-back" in outcome.events[0].reason["en"]


def test_silent_reporters_hold_a_warning_open():
    warnings = run([], [concern()]).warnings

    def later(shares, number):
        frame = judged(number).assign(stream="injury")
        return advance(warnings, [], as_of=week(number), rules=RULES, judged=frame, trees=TREES, silent=shares)

    held = later({"injury": {"220101": 0.4}}, 3)
    assert held.events == ()
    assert (only(held).state, only(held).absent_windows, only(held).grade) == ("unchanged", 0, Grade.III)
    assert "40%" in only(held).held["en"]
    assert "40%" in only(held).held["zh"]
    for other in ({"injury": {"220101": 0.1}}, {"spot_check": {"220101": 0.9}}, {"injury": {"220200": 0.9}}):
        assert kinds(later(other, 3)) == [("eased", "absent")]
    # Once they report again, judged windows count as before, from the last that was taken into account.
    frame = pd.concat([judged(3), judged(4)])
    assert kinds(advance(held.warnings, [], as_of=week(4), rules=RULES, judged=frame, trees=TREES)) == [("recovered", "judged-clear")]


def test_what_returns_is_new_and_linked():
    warnings = run([], [concern()]).warnings
    for number in (1, 2):
        warnings = run(warnings, [], number).warnings
    outcome = run(warnings, [concern(number=5)], 5)
    fresh = next(one for one in outcome.warnings if one.state == "new")
    assert kinds(outcome) == [("new", "returned")]
    assert fresh.previous == warnings[0].warning_id
    assert fresh.fingerprint == warnings[0].fingerprint


def test_a_wider_concern_takes_over_from_the_narrow_ones():
    two = run([], [concern(region="220101"), concern(region="220102")])
    assert len(two.warnings) == 2
    outcome = run(two.warnings, [concern(number=1, region="220100")], 1)
    assert sorted(event.cause for event in outcome.events) == ["handed-over", "spread"]
    covered = [one for one in outcome.warnings if one.covered_by]
    assert len(covered) == 1
    assert covered[0].state == "absorbed"
    assert covered[0].covered_by == next(one.warning_id for one in outcome.warnings if not one.covered_by)


def test_a_warning_on_a_floor_alone_expires():
    death = concern(Grade.II, floors=1.0, evidence=())
    warnings = run([], [death]).warnings
    assert run(warnings, [], 1).warnings[0].state == "eased"
    assert kinds(run(warnings, [], 2)) == [("recovered", "expired")]


def test_other_places_and_subjects_are_other_concerns():
    warnings = run([], [concern()]).warnings
    assert len(run(warnings, [concern(number=1, region="220201")], 1).warnings) == 2
    assert len(run(warnings, [concern(number=1, product="kites")], 1).warnings) == 2


def test_days_run_forward_only():
    warnings = run([], [concern(number=3)], 3).warnings
    with pytest.raises(AsOfError, match="was already advanced to 2024-07-08, asked for 2024-06-17"):
        run(warnings, [])


STEPS = st.lists(
    st.tuples(
        st.sampled_from([None, Grade.NONE, Grade.WATCH, Grade.IV, Grade.III, Grade.I]),
        st.sampled_from(["220101", "220100", "220000"]),
        st.sampled_from([15.0, 30.0, 80.0]),
        st.booleans(),
    ),
    min_size=1,
    max_size=7,
)


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_any_history_is_idempotent_and_every_change_has_an_event(steps):
    warnings = ()
    for number, (grade, region, observed, was_judged) in enumerate(steps):
        found = [] if grade is None else [concern(grade, number=number, region=region, observed=observed)]
        frame = judged(number) if was_judged else None
        outcome = run(warnings, found, number, frame=frame)
        again = run(outcome.warnings, found, number, frame=frame)
        assert again.events == ()
        assert again.warnings == outcome.warnings
        before = {one.warning_id: one for one in warnings}
        told = {event.warning_id for event in outcome.events}
        for one in outcome.warnings:
            assert one.state in STATES
            was = before.get(one.warning_id)
            assert (was is None or was.grade != one.grade) <= (one.warning_id in told)
            assert EarlyWarning.from_payload(json.loads(json.dumps(one.to_payload(), allow_nan=False))) == one
        for event in outcome.events:
            assert event.reason["zh"]
            assert event.reason["en"]
            assert WarningEvent.from_payload(json.loads(json.dumps(event.to_payload(), allow_nan=False))) == event
        assert len({event.event_id for event in outcome.events}) == len(outcome.events)
        warnings = outcome.warnings


def test_the_order_of_warnings_and_assessments_does_not_matter():
    found = [concern(), concern(region="220201"), concern(product="kites")]
    warnings = run([], found).warnings
    later = [concern(number=1, region="220000"), concern(Grade.I, number=1, product="kites")]
    one = run(warnings, later, 1)
    assert run(tuple(reversed(warnings)), list(reversed(later)), 1) == one


def test_foreign_payloads_are_refused():
    with pytest.raises(StoreError, match=r"EarlyWarning.from_payload: not as written by to_payload: KeyError: 'first_seen'"):
        EarlyWarning.from_payload({})
    with pytest.raises(StoreError, match=r"WarningEvent.from_payload: not as written by to_payload: KeyError: 'as_of'"):
        WarningEvent.from_payload({})
