"""Where a case stands, on every branch of config/ladders.yaml."""

import copy
import datetime as dt
import itertools

import pandas as pd
import pytest
from assessment_world import ACTIONS, load
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from riskwatch.assessment.ladder_rules import LadderCatalogue
from riskwatch.assessment.ladders import CASE_COLUMNS, case_positions, ladder_position, step_counts, verdict, with_clocks
from riskwatch.enterprises import terms
from riskwatch.enterprises.rules import EnterpriseRules
from riskwatch.errors import ProjectError

CLOCKS = EnterpriseRules.model_validate(load("enterprises.yaml")).clocks
RAW = LadderCatalogue.model_validate(load("ladders.yaml"))
LADDERS = with_clocks(RAW, CLOCKS)
START = dt.date(2024, 1, 1)


def on(day):
    return START + dt.timedelta(days=day)


def at(ladder, *events, day):
    history = [(on(number), event) for number, event in events]
    return ladder_position(LADDERS.ladders[ladder], history, as_of=on(day), order=LADDERS.events)


@pytest.mark.parametrize(
    ("events", "day", "step", "result", "overdue", "proposed"),
    [
        ([], 10, "failed", "open", False, ""),
        ([(0, "result-received")], 40, "failed", "open", False, ""),  # the right to object has ended: no delay
        ([(0, "result-received"), (9, "reinspection-passed")], 10, "closed", "closes", False, ""),
        ([(0, "ordered")], 60, "ordered", "open", False, ""),
        ([(0, "ordered")], 61, "ordered", "escalates", True, "announce"),  # not corrected in time
        ([(0, "ordered"), (62, "not-rectified")], 62, "announce", "escalates", False, ""),
        ([(0, "ordered"), (30, "rectified")], 75, "rectified", "open", False, ""),
        ([(0, "ordered"), (30, "rectified")], 76, "rectified", "open", True, ""),  # the authority is late, the firm is not
        ([(0, "ordered"), (30, "rectified"), (50, "recheck-passed")], 60, "closed", "closes", False, ""),
        ([(0, "ordered"), (50, "recheck-passed")], 60, "closed", "closes", False, ""),
        ([(0, "ordered"), (20, "restarted")], 30, "restarted", "escalates", False, ""),
        ([(0, "ordered"), (20, "restarted"), (50, "recheck-passed")], 60, "closed", "closes", False, ""),
        ([(0, "ordered"), (50, "no-show")], 60, "no-show", "escalates", False, ""),
        ([(0, "ordered"), (50, "no-show"), (60, "no-show")], 60, "announce", "escalates", False, ""),
        ([(0, "ordered"), (50, "recheck-failed")], 60, "announce", "escalates", False, ""),
        ([(0, "ordered"), (50, "recheck-failed"), (55, "announced")], 60, "announced", "escalates", False, ""),
        ([(0, "ordered"), (50, "recheck-failed"), (55, "announced"), (100, "recheck-passed")], 110, "announced", "escalates", False, ""),
        ([(0, "ordered"), (50, "recheck-failed"), (55, "announced"), (115, "recheck-passed")], 120, "closed", "closes", False, ""),
        ([(0, "ordered"), (50, "recheck-failed"), (55, "announced")], 146, "announced", "escalates", True, ""),
        ([(0, "ordered"), (50, "recheck-failed"), (55, "announced"), (120, "recheck-failed")], 121, "article-17", "escalates", False, ""),
        (
            [(0, "ordered"), (50, "recheck-failed"), (55, "announced"), (120, "recheck-failed"), (125, "stop-ordered"),
             (200, "recheck-failed")],
            201, "revoke", "escalates", False, "",
        ),
        (
            [(0, "ordered"), (50, "recheck-failed"), (55, "announced"), (120, "no-show"), (125, "stop-ordered"), (200, "recheck-passed")],
            201, "closed", "closes", False, "",
        ),
    ],
)  # fmt: skip
def test_spot_checks(events, day, step, result, overdue, proposed):
    found = at("spot-check", *events, day=day)
    assert (found.step, found.result, found.overdue, found.proposed) == (step, result, overdue, proposed)


def test_a_second_recheck_before_it_opens_does_not_count():
    found = at("spot-check", (0, "ordered"), (50, "recheck-failed"), (55, "announced"), (114, "recheck-passed"), day=114)
    assert found.ignored == ((on(114), "recheck-passed", "too-early"),)
    (second,) = found.terms
    assert (second.opens_on, second.due_on, second.how) == (on(115), on(145), "natural-days")


@pytest.mark.parametrize(
    ("events", "day", "step", "result"),
    [
        ([(0, "result-received")], 91, "failed", "escalates"),
        ([(0, "ordered")], 91, "disposal", "escalates"),  # the day of the result is not on record: the order stands for it
        ([(0, "result-received"), (5, "ordered"), (60, "rectified"), (80, "recheck-passed")], 90, "closed", "closes"),
        ([(0, "ordered"), (60, "rectified"), (80, "recheck-failed")], 90, "case", "escalates"),
        ([(0, "ordered"), (60, "rectified"), (80, "recheck-failed"), (120, "recheck-failed")], 130, "systemic", "escalates"),
        ([(0, "ordered"), (95, "not-rectified")], 99, "talk", "escalates"),
    ],
)
def test_food(events, day, step, result):
    found = at("food", *events, day=day)
    assert (found.step, found.result) == (step, result)


@pytest.mark.parametrize(
    ("events", "day", "step", "result"),
    [
        ([(0, "defect-known")], 2, "defect", "open"),
        ([(0, "defect-known")], 3, "defect", "escalates"),
        ([(0, "defect-known"), (1, "recall-confirmed")], 11, "planned", "open"),
        ([(0, "defect-known"), (1, "recall-confirmed")], 12, "planned", "escalates"),
        ([(0, "defect-known"), (1, "recall-refused")], 2, "order", "escalates"),
        ([(0, "defect-known"), (1, "recall-refused"), (3, "recall-ordered"), (9, "plan-filed")], 40, "running", "open"),
        ([(0, "recall-confirmed"), (5, "plan-filed"), (90, "recall-completed"), (99, "report-filed")], 100, "closed", "closes"),
        ([(0, "recall-confirmed"), (5, "plan-filed"), (90, "recall-completed"), (99, "recall-ineffective")], 100, "order", "escalates"),
    ],
)
def test_recalls_counted_without_a_calendar(events, day, step, result):
    found = at("recall", *events, day=day)
    assert (found.step, found.result) == (step, result)


EVENTS = st.lists(st.tuples(st.integers(0, 200), st.sampled_from(sorted(LADDERS.events))), max_size=8)


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.randoms(use_true_random=False), st.sampled_from(sorted(LADDERS.ladders)))
def test_neither_the_order_of_rows_nor_repeats_nor_the_future_matter(events, chance, ladder):
    first = at(ladder, *events, day=150)
    mixed = events + events[:2]
    chance.shuffle(mixed)
    assert at(ladder, *mixed, day=150) == first
    assert at(ladder, *[one for one in mixed if one[0] <= 150], day=150) == first


def test_an_unknown_event_and_missing_clocks_are_explained():
    with pytest.raises(ProjectError, match="event 'vanished' is not known"):
        at("spot-check", (0, "vanished"), day=1)
    with pytest.raises(ProjectError, match="takes its length from"):
        with_clocks(RAW, None)


def test_laws_owners_and_domains_of_the_ladders_exist():
    for ladder in RAW.ladders.values():
        for one in itertools.chain(ladder.terms.values(), ladder.steps.values()):
            assert set(one.legal) <= set(ACTIONS.legal_basis)
            assert one.owner in ACTIONS.owners
        assert set(ladder.domains) <= ACTIONS.known_domains


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("first",), "nowhere", "first step 'nowhere' is not defined"),
        (("steps", "ordered", "on", "rectified"), "nowhere", "leads to 'nowhere', no step"),
        (("steps", "closed", "on"), {"ordered": "failed"}, "a step that closes leads nowhere"),
        (("steps", "revoke", "on", "licence-revoked"), "revoke", "no way to close a case from there"),
        (("terms", "correct", "amount"), 60, "either an amount or an enterprise_clock"),
        (("terms", "correct", "lapse"), "nowhere", "lapse 'nowhere' is no step"),
        (("terms", "correct", "starts"), ["someday"], "event 'someday' is not defined"),
    ],
)
def test_broken_ladders_are_refused(path, value, message):
    data = copy.deepcopy(load("ladders.yaml"))
    node = data["ladders"]["spot-check"]
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    with pytest.raises(ValidationError, match=message):
        LadderCatalogue.model_validate(data)


def checks(*rows):
    base = {"event_date": on(0), "product": "dolls", "region": "220101", "verdict": "fail", "recheck_of": "", "published_on": pd.NaT}
    base |= {"ordered_on": pd.NaT, "rectified_on": pd.NaT, "recheck_on": pd.NaT, "recheck_result": "", "source": "s"}
    frame = pd.DataFrame([{**base, **row} for row in rows])
    for name in ("event_date", "published_on", "ordered_on", "rectified_on", "recheck_on"):
        frame[name] = pd.to_datetime(frame[name])
    return frame


def cases(frame, day):
    return case_positions(terms(frame, CLOCKS, as_of=on(day)), LADDERS.ladders["spot-check"], as_of=on(day), order=LADDERS.events)


def test_recheck_results_on_record_close_or_escalate():
    frame = checks(
        {"record_key": "a", "producer": "A", "ordered_on": on(5), "rectified_on": on(30), "recheck_on": on(40), "recheck_result": "pass"},
        {"record_key": "b", "producer": "B", "ordered_on": on(5), "recheck_on": on(40), "recheck_result": "fail", "published_on": on(45)},
        {"record_key": "c", "producer": "C", "ordered_on": on(5)},
    )
    found = cases(frame, 50)
    assert tuple(found.columns) == CASE_COLUMNS
    assert found["step"].tolist() == ["closed", "announced", "ordered"]
    assert verdict(found) == "escalates"
    assert verdict(found.iloc[[0]]) == "closes"
    assert verdict(found.iloc[[0, 2]]) == "open"
    assert step_counts(found) == {"announced": 1, "closed": 1, "ordered": 1}
    assert found["due_on"].dt.date.tolist()[1:] == [on(45 + 90), on(65)]
    pd.testing.assert_frame_equal(cases(frame.sample(frac=1, random_state=1), 50), found)
    assert cases(frame, 70)["result"].tolist() == ["closes", "escalates", "escalates"], "the third was not corrected in time"
    assert verdict(cases(frame.iloc[:0], 50)) == "open"
