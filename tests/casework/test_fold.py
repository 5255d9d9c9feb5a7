"""Properties of the fold over random acts and days: no illegal state, no dependence on order, nothing lost."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.assessment import Grade
from riskwatch.casework.case import AUTOMATIC, Case, CaseEvent, fold, fold_all
from riskwatch.casework.reactions import react
from riskwatch.casework.rules import VERBS, LifecycleRules
from riskwatch.casework.silences import Matcher, Silence
from riskwatch.casework.verbs import perform
from riskwatch.errors import CaseworkError, StoreError
from tests.casework.conftest import DAY, OFFICE, asked, started, warned, worsened
from tests.made_warnings import load

RULES = OFFICE.rules
SILENCE = Silence("s1", Matcher(product="P06"), "known", "jilin-head", DAY + dt.timedelta(days=5), DAY + dt.timedelta(days=12))
GRADES = (Grade.IV, Grade.III, Grade.II, Grade.I)

acts = st.tuples(
    st.just("act"),
    st.sampled_from(VERBS),
    st.sampled_from(("jilin-duty", "jilin-analyst", "jilin-analyst-2", "jilin-head", "changchun-head", "siping-duty")),
    st.sampled_from(GRADES),
    st.sampled_from(tuple(RULES.closures)),
    st.sampled_from(("", "passed", "failed")),
)
nights = st.tuples(
    st.just("night"), st.integers(1, 9), st.sampled_from(GRADES), st.booleans(), st.sampled_from(("", "closes", "escalates"))
)


def play(steps: list[tuple[Any, ...]]) -> tuple[Case, list[CaseEvent], list[CaseworkError]]:
    """Let people act and nights pass on one case; refusals are kept beside."""
    warning, day = warned(grade=Grade.III), DAY
    case, events, refused = started(warning), [], []
    others = {"w2": started(warned(2))}
    for step in steps:
        if step[0] == "night":
            _, count, grade, worse, verdict = step
            day += dt.timedelta(days=count)
            warning = dataclasses.replace(warning, grade=grade)
            happened = [worsened(warning, day)] if worse else []
            found = react([warning], happened, {"w1": case}, [SILENCE], OFFICE, as_of=day, verdicts={"w1": verdict} if verdict else {})
            case, events = found.cases["w1"], [*events, *found.events]
            continue
        _, verb, actor, grade, reason, result = step
        to = {"regrade": grade.name, "assign": "jilin-analyst", "merge": "w2"}.get(verb, "")
        more = {"to": to, "reason": reason, "result": result if verb == "recheck" else "", "day": day, "at": f"{day}T0{len(events) % 10}"}
        try:
            event = perform(asked(verb, actor, **more), case, warning, OFFICE, others=others)
        except CaseworkError as error:
            refused.append(error)
        else:
            case, events = case.after(event), [*events, event]
        check(case, grade)
    return case, events, refused


def check(case: Case, grade: Grade) -> None:
    """A case is never in a state that the rules do not know."""
    assert case.stage in RULES.stages
    assert case.closed == (case.stage == RULES.closed) == (case.closed_on is not None)
    assert not case.closed or (case.closed_as in RULES.closures and not case.hidden_by and case.signing is None)
    assert not case.merged_into or case.closed_as == RULES.merged_as
    assert (case.acknowledged_by == "") == (case.acknowledged_until is None)
    assert len(set(case.signers)) == len(case.signers)
    assert (case.confirmed is None) == (case.level_machine is None) == (not case.signers)
    assert case.level is None or case.level == case.confirmed
    if case.confirmed in {Grade.I, Grade.II}:
        assert len(case.signers) >= 2
    assert case.opened <= case.since <= case.clock_from
    assert case.standing(grade) in GRADES


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(acts, nights), max_size=40))
def test_no_sequence_of_acts_and_nights_leads_to_an_illegal_state(steps: list[tuple[Any, ...]]) -> None:
    case, events, _ = play(steps)
    check(case, Grade.III)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert len({event.event_id for event in events}) == len(events)
    assert all(event.kind in {*VERBS, *AUTOMATIC} for event in events)
    moves: dict[tuple[str, str], set[str]] = {}
    for one in RULES.transitions:
        for stage in one.stages:
            moves.setdefault((stage, one.verb), {stage}).update({one.to, one.partly} - {""})
    for event in events:
        if not event.automatic:
            allowed = {
                to for one in RULES.transitions if one.verb == event.kind for to in (one.to, one.partly, event.details["stage_before"])
            }
            assert (event.details["stage_before"], event.kind) in moves
            assert event.details["stage"] in allowed


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(acts, nights), max_size=30), st.randoms(use_true_random=False))
def test_the_fold_is_deterministic_whatever_the_order_of_reading(steps: list[tuple[Any, ...]], chance: random.Random) -> None:
    case, events, _ = play(steps)
    shuffled = list(events)
    chance.shuffle(shuffled)
    start = started(warned())
    assert fold(start, shuffled) == fold(start, events) == case
    # Any prefix is a case of its own: reading as of an earlier day needs no other rule.
    cut = chance.randint(0, len(events))
    assert fold(fold(start, events[:cut]), events[cut:]) == case


@settings(max_examples=30, deadline=None)
@given(st.lists(acts, max_size=15), st.lists(acts, max_size=15), st.randoms(use_true_random=False))
def test_events_of_different_cases_are_independent(one: list[Any], two: list[Any], chance: random.Random) -> None:
    first, mine, _ = play(one)
    second, theirs, _ = play(two)
    theirs = [dataclasses.replace(event, case_id="w5") for event in theirs]
    mixed = [*mine, *theirs, CaseEvent("x", "silence", 1, DAY, "silence-add", "jilin-head")]
    chance.shuffle(mixed)
    cases = fold_all({"w1": DAY, "w5": DAY, "w9": DAY}, mixed, RULES.first)
    assert cases["w1"] == first
    assert cases["w5"] == dataclasses.replace(second, case_id="w5")
    assert cases["w9"] == Case.start("w9", DAY, RULES.first)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(acts, nights), max_size=30))
def test_a_repeated_night_adds_nothing(steps: list[tuple[Any, ...]]) -> None:
    case, _, _ = play(steps)
    day = max(case.last_on or DAY, DAY) + dt.timedelta(days=1)
    warning = warned()
    found = react([warning], [worsened(warning, day)], {"w1": case}, [SILENCE], OFFICE, as_of=day)
    assert react([warning], [worsened(warning, day)], found.cases, [SILENCE], OFFICE, as_of=day).events == ()


def test_two_events_of_one_number_and_a_strange_one_are_refused() -> None:
    start = started(warned())
    event = perform(asked("ack", "jilin-duty"), start, warned(), OFFICE)
    with pytest.raises(StoreError, match="two events number 1"):
        fold(start, [event, dataclasses.replace(event, event_id="other")])
    with pytest.raises(StoreError, match="is of case w9"):
        fold(start, [dataclasses.replace(event, case_id="w9")])
    with pytest.raises(StoreError, match="is not as written"):
        fold(start, [dataclasses.replace(event, kind="assign")])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": "nowhere"}, "first: 'nowhere' is no stage"),
        ({"merged_as": "because"}, "merged_as: 'because' is no closure reason"),
        ({"transitions": [{"from": ["monitor"], "verb": "ack", "to": "verify"}]}, "no way to close a case"),
        ({"transitions": [{"from": ["monitor"], "verb": "ack", "to": "close"}]}, "close and merge lead to 'close'"),
        ({"actors": {"x": {"label": {"zh": "一", "en": "x"}, "roles": ["king"]}}}, "actors.x: 'king' is no role"),
    ],
)
def test_rules_that_do_not_hold_together_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LifecycleRules.model_validate({**load("lifecycle.yaml"), **change})


def test_two_transitions_for_one_stage_and_verb_are_refused() -> None:
    content = load("lifecycle.yaml")
    with pytest.raises(ValueError, match="ack from 'monitor' has two transitions"):
        LifecycleRules.model_validate({**content, "transitions": [*content["transitions"], {"from": ["monitor"], "verb": "ack"}]})


def test_the_shipped_register_names_desks_for_every_centre_that_ships() -> None:
    regions = {centre["region"] for centre in load("centres.yaml")["centres"]}
    for region in regions:
        roles = {role for actor in RULES.actors.values() if actor.region == region for role in actor.roles}
        assert {"clerk", "analyst", "leader"} <= roles, region
