"""How probable a grade is, and the nearest input that moves it: the same function, asked again."""

import datetime as dt
import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from assessment_world import RULES, injuries, judge_run, quiet, samples, signal, twice
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, norm

from riskwatch.assessment.confidence import level_of, row_levels
from riskwatch.assessment.grading import Floor, Inputs
from riskwatch.assessment.nearest import nearest_changes
from riskwatch.assessment.payload import to_payload
from riskwatch.assessment.risk import Scenario, matrix_risk, severity_mix
from riskwatch.assessment.rules import RISKS
from riskwatch.assessment.scope import ScopeFigures
from riskwatch.assessment.situation import Move, Signals, Situation
from riskwatch.assessment.types import Grade, Scope
from riskwatch.assessment.uncertainty import grade_distribution, risk_ranks

FIGURES = ScopeFigures(20.0, 1, 4, 0.2, "220100", 0.9, 0, None, 0, 3)


def situation(q=(1e-5,), windows=2, p=3e-4, severity=2, *, low=None, high=None, kinds=None, units=None, rules=RULES, **other):
    size = len(q)
    signals = Signals(
        q=np.array(q),
        windows=np.full(size, windows),
        newest=np.ones(size, dtype=bool),
        sound=np.ones(size, dtype=bool),
        weakened=np.zeros(size, dtype=bool),
        kinds=kinds or ("injury",) * size,
    )
    scenario = Scenario("injury-maximum", severity, p, p if low is None else low, p if high is None else high, estimated=units is not None)
    levels = row_levels(signals.q, signals.windows, signals.newest, signals.sound, signals.weakened, rules.confidence)
    level = level_of(levels, signals.kinds, confirmed=False, rules=rules.confidence)
    inputs = Inputs(risk=matrix_risk(severity, p, rules.matrix), confidence=f"C{level}", units_in_use=units, **other)
    return Situation(inputs, signals, (scenario,), (), Scope.REGIONAL, FIGURES, units, None, confirmed=False, rules=rules)


def certain(rules=RULES):
    return rules.model_copy(update={"uncertainty": rules.uncertainty.model_copy(update={"q_decades": 0.0, "units_factor": 1.0})})


def test_certain_inputs_give_the_proposed_grade_for_sure():
    one = situation(rules=certain())
    assert grade_distribution(one) == {one.grade().name: 1.0}


def test_the_probability_of_a_cell_is_that_of_the_log_normal():
    """p = 3e-5 within 3e-6 and 3e-4: above 1e-5 with the half below the median, severity 3."""
    one = situation(p=3e-5, severity=3, low=3e-6, high=3e-4, rules=certain())
    sigma = math.log(10) / norm.ppf(0.975)
    medium = norm.cdf(math.log(3) / sigma)
    high = norm.sf(math.log(1e-4 / 3e-5) / sigma)
    found = grade_distribution(one)
    assert found["III"] == pytest.approx(high, abs=0.01)
    assert found["IV"] == pytest.approx(medium - high, abs=0.02)
    assert found["WATCH"] == pytest.approx(1 - medium, abs=0.01)
    assert math.fsum(found.values()) == pytest.approx(1.0, abs=1e-5)


def test_an_uncertain_q_spreads_the_grade():
    just = situation(q=(0.00999,), p=5e-4)
    assert just.inputs.confidence == "C2"
    found = grade_distribution(just)
    assert found["IV"] == pytest.approx(0.5, abs=0.02)
    assert found["WATCH"] == pytest.approx(0.5, abs=0.02)


def test_no_floor_is_crossed_by_any_share():
    one = situation(p=1e-8, floors=(Floor("death", Grade.II),))
    assert set(grade_distribution(one)) == {"II"}


@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=20), st.integers(1, 4))
def test_ranks_of_many_probabilities_are_those_of_each(values, severity):
    found = risk_ranks(severity, np.array(values), RULES.matrix)
    assert [RISKS[rank] for rank in found] == [matrix_risk(severity, p, RULES.matrix) for p in values]


def test_the_mix_of_severities_is_the_posterior_of_the_share():
    levels, persons = np.array([1] * 18 + [3] * 2), np.ones(20)
    mix = severity_mix(levels, persons, 0.9)
    assert mix[1] == pytest.approx(beta.sf(0.9, 18.5, 2.5))
    assert sum(mix.values()) == pytest.approx(1.0)
    assert severity_mix(np.array([2, 2]), np.ones(2), 0.9) == {2: 1.0}


@pytest.mark.parametrize(
    ("one", "name", "grade", "after"),
    [
        (situation(p=5e-4, severity=2), "probability", "III", 1e-3),
        (situation(p=5e-4, severity=2), "probability", "WATCH", 1e-4),
        (situation(p=5e-4, severity=2), "q", "WATCH", 0.01),
        (situation(q=(0.2,), p=5e-4, severity=3), "q", "IV", 0.05),
        (situation(p=5e-4, severity=2, units=400_000.0), "units", "III", 500_000.0),
        (situation(p=5e-4, severity=2), "severity", "III", 3),
        (situation(q=(0.005,), p=5e-4, severity=2, windows=1), "windows", "IV", 2),
    ],
)
def test_the_threshold_is_found_to_one_part_in_a_hundred(one, name, grade, after):
    changes = nearest_changes(one, q=float(one.signals.q[0]), probability=one.scenarios[0].probability, severity=one.scenarios[0].severity)
    found = {(change.input, change.grade.name): change for change in changes}
    assert found[name, grade].after == pytest.approx(after, rel=0.01)
    assert [change.distance for change in changes] == sorted(change.distance for change in changes)


@given(st.floats(1e-7, 0.3), st.integers(1, 4), st.floats(1e-6, 0.15))
@settings(max_examples=15, deadline=None)
def test_a_change_moves_the_grade_and_a_slightly_smaller_one_does_not(p, severity, q):
    one = situation(q=(q,), p=p, severity=severity)
    for change in nearest_changes(one, q=q, probability=p, severity=severity):
        if change.input in ("q", "probability"):
            side = math.copysign(change.distance, change.after - change.before)
            assert one.grade(Move(**{change.input: side})) == change.grade
            less = one.grade(Move(**{change.input: side * (1 - 0.002 / change.distance)})) if change.distance > 0.01 else one.grade()
            assert less != change.grade or change.grade == one.grade()


def test_a_second_look_at_the_whole_assessment_gives_the_proposed_grade():
    """The situation's own grade is the grade that was decided: both walk the same rules."""
    runs = [
        judge_run(twice("dolls", "220100"), injury=injuries("dolls", 30)),
        judge_run(twice("scooters", "220100"), injury=injuries("scooters", 30, severity="severe")),
        judge_run(twice("kites", stream="spot_check"), checks=[samples("kites", 40, 12, selection="targeted")]),
    ]
    for found in (one for run in runs for one in run):
        shares = found.facts["grade_probability"]
        assert math.fsum(shares.values()) == pytest.approx(1.0, abs=1e-5)
        assert found.grade.name in shares
        assert all(change["grade"] != found.grade.name for change in found.facts["nearest_changes"])
    targeted = {one["input"]: one for one in runs[2][0].facts["nearest_changes"]}
    assert targeted["targeted"]["before"] == 1.0


CELLS = st.lists(
    st.tuples(st.floats(1e-7, 0.3), st.integers(1, 4), st.booleans(), st.sampled_from(["injury", "inspection", "media"])),
    min_size=1,
    max_size=6,
)


@given(CELLS, CELLS)
def test_more_evidence_never_lowers_confidence(some, more):
    def level(cells):
        q, windows, newest, kinds = zip(*cells, strict=True)
        size = len(cells)
        levels = row_levels(np.array(q), np.array(windows), np.array(newest), np.ones(size, bool), np.zeros(size, bool), RULES.confidence)
        return level_of(levels, kinds, confirmed=False, rules=RULES.confidence)

    assert level([*some, *more]) >= level(some)


@given(st.randoms(use_true_random=False))
@settings(max_examples=3, deadline=None)
def test_the_order_of_signals_and_records_changes_nothing(random):
    rows = [*twice("dolls", "220100"), *twice("dolls", "220200"), *twice("scooters", "220100"), *quiet("kites", "220100"), signal("toys")]
    cards = [*injuries("dolls", 30, region="220101"), *injuries("scooters", 20, severity="severe"), *injuries("dolls", 9, region="220201")]
    first = judge_run(rows, injury=cards)
    random.shuffle(rows)
    random.shuffle(cards)
    texts = [json.dumps([to_payload(one) for one in run], sort_keys=True) for run in (first, judge_run(rows, injury=cards))]
    assert texts[0] == texts[1]


def test_silent_reporters_take_one_level_from_the_evidence_of_their_area():
    rows, cards = twice("dolls", "220100"), injuries("dolls", 30)
    base = judge_run(rows, injury=cards)[0]
    silent = judge_run(rows, injury=cards, quality={"silent": {"injury": {base.subject.region: 0.6}}})[0]
    some = judge_run(rows, injury=cards, quality={"silent": {"injury": {base.subject.region: 0.3}}})[0]
    assert (base.confidence, silent.confidence, some.confidence) == ("C2", "C1", "C2")
    step = next(one for one in silent.steps if one.rule == "confidence.silent-reporters")
    assert step.outcome.startswith("one level less")


def test_presumed_serious_needs_evidence_of_the_hazard_itself():
    checks = [samples("kites", 40, 12, item="三聚氰胺")]
    entry = RULES.presumed_serious["banned-or-illegal"].model_copy(update={"since": dt.date(2024, 1, 1)})
    rules = RULES.model_copy(update={"presumed_serious": {"banned-or-illegal": entry}})
    found = judge_run(twice("kites", stream="spot_check"), checks=checks, rules=rules)[0]
    assert (found.hazard, found.risk, found.risk_range) == ("illegal-additive", "S", None)
    # The list applies from its own day on.
    before = judge_run(twice("kites", stream="spot_check"), checks=checks)[0]
    assert next(step for step in before.steps if step.rule == "risk.presumed-serious").outcome == "does not hold"


def test_frames_are_not_needed_for_a_situation():
    one = situation()
    assert replace(one, presumed=True).moved(Move(probability=-3.0)).risk == "S"
    assert isinstance(pd.Series(grade_distribution(one)).sum(), float)
