"""What follows by itself: worse re-opens and shows, acknowledgements run out, missed terms escalate; and nothing twice."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence

import pytest

from riskwatch.assessment import Grade
from riskwatch.casework.case import Case, CaseEvent
from riskwatch.casework.reactions import react
from riskwatch.casework.silences import Matcher, Silence
from riskwatch.lifecycle import EarlyWarning, WarningEvent
from tests.casework.conftest import DAY, OFFICE, do, started, warned, worsened


def days(count: int) -> dt.date:
    return DAY + dt.timedelta(days=count)


def run(
    warning: EarlyWarning,
    case: Case,
    day: dt.date,
    happened: Sequence[WarningEvent] = (),
    silences: Sequence[Silence] = (),
    verdicts: Mapping[str, str] | None = None,
) -> tuple[Case, list[CaseEvent]]:
    """React once, and check that doing so again, or from the stored events, comes to the same."""
    name = warning.warning_id
    found = react([warning], happened, {name: case}, silences, OFFICE, as_of=day, verdicts=verdicts)
    assert react([warning], happened, {name: case}, silences, OFFICE, as_of=day, verdicts=verdicts) == found
    after = case
    for event in found.events:
        after = after.after(event)
        assert event.automatic
        assert not event.happened_at
    assert found.cases[name] == after
    assert react([warning], happened, {name: after}, silences, OFFICE, as_of=day, verdicts=verdicts).events == ()
    return after, list(found.events)


def kinds(events: Sequence[CaseEvent]) -> list[str]:
    return [event.kind for event in events]


def test_an_acknowledgement_expires_the_day_after_its_last() -> None:
    warning = warned(grade=Grade.IV, region="220102")
    case = do(started(warning), warning, "ack", "changchun-duty", until=days(3))
    assert kinds(run(warning, case, days(3))[1]) == []
    case, events = run(warning, case, days(4))
    assert kinds(events) == ["ack-expired"]
    assert (case.acknowledged_by, case.acknowledged_until, case.stage) == ("", None, "verify")
    case = do(case, warning, "ack", "changchun-duty", day=days(4))
    assert case.acknowledged_until is not None


def test_a_missed_term_escalates_level_by_level_and_then_says_so_once() -> None:
    warning = warned(grade=Grade.IV, region="220102")  # three working days to take it up
    case, told = started(warning), []
    for count in range(22):
        case, events = run(warning, case, days(count))
        told += [(count, one.kind, one.details.get("owner")) for one in events]
    # DAY is a Monday: due on Thursday the 4th; then three working days from each escalation (no weekend counts).
    assert told == [(4, "escalated", "prefecture"), (10, "escalated", "province"), (16, "overdue", None)]
    assert OFFICE.owner(case, warning) == "province"
    taken = do(case, warning, "ack", "jilin-duty", day=days(22))
    assert taken.clock_from == days(22)


def test_terms_skip_holidays_and_count_worked_weekends() -> None:
    eve = dt.date(2025, 12, 31)
    warning = warned(grade=Grade.IV, region="220102", opened=eve, first_seen=eve)
    counted = OFFICE.due(Case.start("w1", eve, "monitor"), warning)
    assert counted is not None
    # Holidays 1 to 3 January 2026, Sunday the 4th is worked.
    assert (counted.due_on, counted.worked) == (dt.date(2026, 1, 6), (dt.date(2026, 1, 4),))


def test_a_worsened_warning_reopens_a_closed_case_and_wipes_no_note() -> None:
    warning = warned()
    case = do(do(started(warning), warning, "comment", "changchun-duty"), warning, "close", "changchun-head", reason="false-alarm")
    assert run(warning, case, days(1))[1] == []
    again, events = run(warning, case, days(1), [worsened(warning, days(1))])
    assert kinds(events) == ["reopened"]
    assert (again.stage, again.closed_as, again.notes) == ("verify", "", 2)
    closed = do(again, warning, "close", "changchun-head", reason="known-issue", day=days(1))
    # The run of that day may be repeated: the same news does not open it twice.
    assert run(warning, closed, days(1), [worsened(warning, days(1))])[1] == []


def test_old_news_and_a_merged_case_reopen_nothing() -> None:
    warning = warned()
    case = do(started(warning), warning, "close", "changchun-head", reason="false-alarm")
    assert run(warning, case, days(2), [worsened(warning, days(1))])[1] == []
    merged = do(started(warning), warning, "merge", "changchun-head", to="w2", others={"w2": started(warned(2))})
    assert run(warning, merged, days(1), [worsened(warning, days(1))])[1] == []


def test_peoples_level_stands_until_the_machine_is_worse_than_when_they_decided() -> None:
    warning = warned()
    case = do(do(started(warning), warning, "ack", "changchun-duty"), warning, "confirm", "changchun-duty")
    case = do(case, warning, "regrade", "changchun-head", to="IV")
    assert (case.stage, case.standing(Grade.III)) == ("approve", Grade.IV)
    milder = dataclasses.replace(warning, grade=Grade.IV)
    assert run(milder, case, days(1))[1] == []
    assert run(warning, case, days(1), [worsened(warning, days(1))])[1] == []  # worse, and no higher a level
    worse = dataclasses.replace(warning, grade=Grade.II)
    again, events = run(worse, case, days(1))
    assert kinds(events) == ["asked-again"]
    assert (again.stage, again.level, again.confirmed, again.standing(Grade.II)) == ("assess", None, None, Grade.II)


def test_a_confirmed_level_is_asked_about_again_only_when_the_machine_rises() -> None:
    warning = warned(grade=Grade.II)
    case = do(do(started(warning), warning, "ack", "jilin-duty"), warning, "confirm", "jilin-duty")
    half = do(case, warning, "confirm", "jilin-analyst")
    assert kinds(run(dataclasses.replace(warning, grade=Grade.I), half, DAY)[1]) == ["asked-again"]
    case = do(half, warning, "confirm", "jilin-head")
    eased = dataclasses.replace(warning, grade=Grade.III)
    assert run(eased, case, DAY)[1] == []
    assert OFFICE.confirmed(case, eased)
    red = dataclasses.replace(warning, grade=Grade.I)
    assert not OFFICE.confirmed(case, red)
    assert kinds(run(red, case, DAY)[1]) == ["asked-again"]


def silence(until: int = 30, **matcher: str) -> Silence:
    return Silence("s1", Matcher(**(matcher or {"product": "P06"})), "known", "jilin-head", DAY, days(until))


def test_a_silence_hides_stops_the_terms_and_ends() -> None:
    warning = warned(grade=Grade.IV, region="220102")
    case, events = run(warning, started(warning), DAY, silences=[silence()])
    assert kinds(events) == ["silenced"]
    assert case.hidden_by == "s1"
    assert OFFICE.due(case, warning) is None
    assert run(warning, case, days(20), silences=[silence()])[1] == []
    shown, events = run(warning, case, days(31), silences=[silence()])
    assert (kinds(events)[0], events[0].details["cause"], shown.hidden_by) == ("shown", "ended", "")


def test_worsening_lifts_a_silence_for_good_for_that_warning() -> None:
    warning = warned()
    case, _ = run(warning, started(warning), DAY, silences=[silence()])
    case, events = run(warning, case, days(1), [worsened(warning, days(1))], [silence()])
    assert (events[0].kind, events[0].details["cause"], case.lifted) == ("shown", "worsened", ("s1",))
    assert "silenced" not in kinds(run(warning, case, days(2), silences=[silence()])[1])


def test_what_is_worse_on_the_first_day_is_read_that_day_and_hidden_the_next() -> None:
    warning = warned()
    case, events = run(warning, started(warning), DAY, [worsened(warning, DAY)], [silence()])
    assert "silenced" not in kinds(events)
    assert "silenced" in kinds(run(warning, case, days(1), silences=[silence()])[1])


@pytest.mark.parametrize("grade", [Grade.I, Grade.II])
def test_levels_one_and_two_are_never_hidden(grade: Grade) -> None:
    warning = warned(grade=grade)
    assert "silenced" not in kinds(run(warning, started(warning), DAY, silences=[silence()])[1])


def test_a_hidden_warning_that_rises_to_level_two_is_shown() -> None:
    warning = warned()
    case, _ = run(warning, started(warning), DAY, silences=[silence()])
    case, events = run(dataclasses.replace(warning, grade=Grade.II), case, DAY, silences=[silence()])
    assert (kinds(events), events[0].details["cause"]) == (["shown"], "unmatched")


def recheck() -> tuple[EarlyWarning, Case]:
    warning = warned()
    case = started(warning)
    for verb, actor in (("ack", "duty"), ("confirm", "duty"), ("confirm", "analyst"), ("confirm", "head"), ("recheck", "duty")):
        case = do(case, warning, verb, f"changchun-{actor}")
    return warning, case


def test_rechecks_on_record_close_or_escalate() -> None:
    warning, case = recheck()
    assert run(warning, case, DAY, verdicts={"w1": "open"})[1] == []
    closed, events = run(warning, case, DAY, verdicts={"w1": "closes"})
    assert (kinds(events), closed.closed_as, events[0].details["cause"]) == (["closed"], "true", "recheck")
    failed, events = run(warning, case, DAY, verdicts={"w1": "escalates"})
    assert (kinds(events), failed.stage, failed.recheck) == (["recheck-failed"], "handle", "failed")
    assert OFFICE.owner(failed, warning) == "province"


def test_passed_rechecks_of_level_two_wait_for_people() -> None:
    warning, case = recheck()
    orange = dataclasses.replace(warning, grade=Grade.II)
    case = dataclasses.replace(case, level_machine=Grade.II)
    passed, events = run(orange, case, DAY, verdicts={"w1": "closes"})
    assert (kinds(events), passed.recheck, passed.closed) == (["recheck-passed"], "passed", False)


@pytest.mark.parametrize(("grade", "taken", "closed"), [(Grade.IV, False, True), (Grade.II, False, False), (Grade.IV, True, False)])
def test_a_recovered_warning_closes_only_what_nobody_took_up_and_is_not_grave(grade: Grade, taken: bool, closed: bool) -> None:
    warning = warned(grade=grade)
    case = do(started(warning), warning, "ack", "jilin-duty") if taken else started(warning)
    after, _ = run(dataclasses.replace(warning, state="recovered"), case, days(1))
    assert after.closed == closed


@pytest.mark.parametrize("state", ["absorbed", "recovered"])
def test_no_term_runs_while_another_warning_speaks_or_it_is_gone(state: str) -> None:
    warning = warned(grade=Grade.II, state=state)
    assert OFFICE.due(started(warning), warning) is None
    assert "escalated" not in kinds(run(warning, started(warning), days(90))[1])


def test_an_automatic_event_that_no_longer_fits_changes_nothing() -> None:
    warning = warned(grade=Grade.IV, region="220102")
    event = react([warning], [], {}, [], OFFICE, as_of=days(4)).events[0]
    assert event.kind == "escalated"
    closed = do(started(warning), warning, "close", "changchun-head", reason="no-action")
    late = closed.after(dataclasses.replace(event, seq=closed.events + 1))
    assert (late.owner, late.stage, late.events) == ("", "close", closed.events + 1)


def test_a_missed_day_that_is_caught_up_after_a_later_act_moves_no_term_back() -> None:
    warning = warned(grade=Grade.IV, region="220102")
    late = react([warning], [], {}, [], OFFICE, as_of=days(4)).events[0]
    case = do(started(warning), warning, "ack", "changchun-duty", day=days(6))
    after = case.after(dataclasses.replace(late, seq=case.events + 1))
    assert (after.stage, after.clock_from, after.since, after.owner) == ("verify", days(6), days(6), "prefecture")
