"""An alert budget: counting, searching, and editing single values, on made-up figures with answers known by hand."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from scipy import stats

from riskwatch.backtest.budget import at_least, poisson_interval, reaches, rises_of, search, settings_of, weeks_of
from riskwatch.backtest.rules import Knob
from riskwatch.backtest.scalars import edited, unified, value_at, written
from riskwatch.errors import ProjectError
from tests.backtest.test_score import DAYS, Paths, frame, stood

LABEL = {"zh": "旋钮", "en": "knob"}
Q = ("grading.confidence.q_strong", "grading.confidence.q_weak")


@given(st.lists(st.integers(0, 60), min_size=1, max_size=60), st.floats(0, 70), st.data())
def test_the_nearest_of_all_settings_is_found_where_counts_grow(counts: list[int], wanted: float, data: st.DataObject) -> None:
    rising = sorted(counts)
    today = data.draw(st.integers(0, len(rising) - 1))
    asked: list[int] = []
    found = search(lambda at: asked.append(at) or rising[at], len(rising), wanted, today)  # type: ignore[func-returns-value]
    assert len(asked) == len(set(asked)), "each setting is replayed once"
    assert len(asked) <= 3 + max(len(rising) - 2, 0).bit_length()
    assert {0, today} <= set(found.counts) <= set(range(len(rising)))
    assert found.monotone
    assert abs(rising[found.chosen] - wanted) == min(abs(count - wanted) for count in rising)
    if found.met == "yes":
        assert found.below is not None
        assert rising[found.below] == max(count for count in rising if count <= wanted)
        if found.above is not None and rising[found.below] != wanted:  # it stops where the budget is met to the last warning
            assert rising[found.above] == min(count for count in rising if count > wanted)
    else:
        assert (found.met == "too low") == (rising[0] > wanted)
        assert (found.met == "too high") == (rising[-1] < wanted)


@given(st.lists(st.integers(0, 40), min_size=2, max_size=40), st.floats(0, 40), st.floats(0, 40), st.data())
def test_a_larger_budget_never_gives_fewer_warnings(counts: list[int], one: float, other: float, data: st.DataObject) -> None:
    rising = sorted(counts)
    today = data.draw(st.integers(0, len(rising) - 1))
    low, high = (rising[search(rising.__getitem__, len(rising), wanted, today).chosen] for wanted in sorted((one, other)))
    assert low <= high


@given(st.lists(st.integers(0, 40), min_size=1, max_size=40), st.floats(0, 50), st.data())
def test_where_counts_bend_the_nearest_tried_is_chosen_and_it_is_said(counts: list[int], wanted: float, data: st.DataObject) -> None:
    today = data.draw(st.integers(0, len(counts) - 1))
    found = search(counts.__getitem__, len(counts), wanted, today)
    tried = [counts[at] for at in sorted(found.counts)]
    assert found.monotone == (tried == sorted(tried))
    assert abs(counts[found.chosen] - wanted) == min(abs(count - wanted) for count in tried)


def test_of_two_equally_near_the_one_nearer_to_todays_is_taken() -> None:
    counts = [0, 4, 4, 6, 6, 9]
    assert search(counts.__getitem__, 6, 5.0, 4).chosen in {3, 4}
    assert search(counts.__getitem__, 6, 5.0, 1).chosen in {1, 2}
    found = search(counts.__getitem__, 6, 5.0, 3)
    assert (found.chosen, counts[found.below or 0], counts[found.above or 0]) == (3, 4, 6)


def test_a_rate_has_the_exact_interval() -> None:
    """Garwood 1936, as tables have it: 10 events, 4.80 to 18.39; none, 0 to 3.69."""
    assert poisson_interval(10) == pytest.approx((4.7954, 18.3904), abs=1e-4)
    assert poisson_interval(0) == pytest.approx((0.0, 3.6889), abs=1e-4)
    low, high = poisson_interval(7, 0.9)
    assert stats.poisson.sf(6, low) == pytest.approx(0.05)
    assert stats.poisson.cdf(7, high) == pytest.approx(0.05)


STOOD = frame(
    stood("opened", 3, 5, "III,III,III"),
    stood("raised", 1, 6, "IV,IV,II,II,IV,III"),  # up on day 3, down on day 5, up again on day 6
    stood("first-day", 0, 4, "II,II,II,II,II"),
    stood("elsewhere", 4, 6, "I,I,I", region="2202"),
    stood("minor", 4, 6, "IV,IV,IV"),
    stood("death", 7, 8, "II,II", models=()),
    [row for row in stood("absorbed", 2, 8, "III,III,III,III,III,III,III") if row["day"] not in DAYS[4:6]],  # another spoke for it
)


def rises(first: int = 1, jurisdiction: str = "2201", level: str = "III+", table: pd.DataFrame = STOOD) -> list[tuple[str, dt.date]]:
    regions = Paths()
    found = rises_of(table, DAYS, DAYS[first], at_least(level), lambda place: reaches(regions, place, jurisdiction))
    return list(zip(found["warning_id"], found["day"], strict=True))


def test_warnings_are_counted_when_they_reach_the_level() -> None:
    assert rises() == [("absorbed", DAYS[2]), ("opened", DAYS[3]), ("raised", DAYS[3]), ("raised", DAYS[6]), ("death", DAYS[7])]
    assert rises(first=3)[0] == ("opened", DAYS[3])
    assert ("elsewhere", DAYS[4]) in rises(jurisdiction="22")
    assert rises(jurisdiction="220105") == rises(), "a district reads of the whole prefecture around it"
    assert [name for name, _ in rises(level="IV+")] == ["raised", "absorbed", "opened", "minor", "death"]
    assert rises(level="I") == []


def test_the_order_of_rows_does_not_count() -> None:
    rows = STOOD.to_dict("records")
    rows = [rows[at] for at in np.random.default_rng(3).permutation(len(rows))]
    assert rises(table=pd.DataFrame(rows, columns=STOOD.columns)) == rises()


def test_rises_tell_the_level_before_and_what_rests_on_events_alone() -> None:
    found = rises_of(STOOD, DAYS, DAYS[1], at_least("III+"), lambda _: True).set_index("warning_id")
    assert found.loc["opened", "grade_before"] == ""
    assert found.loc["raised", "grade_before"].tolist() == ["IV", "IV"]
    assert found.index[found["events_alone"].astype(bool)].tolist() == ["death"]
    weeks = weeks_of(found.reset_index(), DAYS[1], DAYS[-1])
    assert weeks["opened"].sum() == len(found)
    assert weeks["week"].nunique() == len(DAYS) - 1
    assert weeks_of(found.iloc[:0].reset_index(), DAYS[1], DAYS[2])["opened"].tolist() == [0] * 8


def test_levels_are_those_that_there_are() -> None:
    assert at_least("III+") == at_least("III") == ("III", "II", "I")
    with pytest.raises(ProjectError, match="no level 'V'"):
        at_least("V")


def test_a_factor_moves_all_thresholds_together_and_leaves_out_what_the_rules_forbid() -> None:
    knob = Knob.model_validate({"label": LABEL, "thresholds": Q, "least": 0.1, "most": 10, "per_decade": 2})
    today = {Q[0]: 0.01, Q[1]: 0.05}
    made, at = settings_of(knob, today, lambda one: float(one[Q[1]]) < 0.3)
    assert [one[Q[0]] for one in made] == [0.001, 0.0032, 0.01, 0.032]
    assert [one[Q[1]] for one in made] == [0.005, 0.016, 0.05, 0.16]
    assert made[at] == today
    fine, at = settings_of(knob.model_copy(update={"per_decade": 40, "least": 0.9, "most": 1.1}), {Q[0]: 0.01}, lambda _: True)
    assert fine[at] == {Q[0]: 0.01}
    assert len({tuple(one.values()) for one in fine}) == len(fine), "two digits: the same value is one setting"


def test_a_knob_of_values_needs_todays_among_them() -> None:
    knob = Knob.model_validate({"label": LABEL, "thresholds": ["grading.confidence.windows"], "values": [3, 2, 1]})
    made, at = settings_of(knob, {"grading.confidence.windows": 2}, lambda _: True)
    assert (at, [one["grading.confidence.windows"] for one in made]) == (1, [3, 2, 1])
    with pytest.raises(ProjectError, match="is 5, not one of"):
        settings_of(knob, {"grading.confidence.windows": 5}, lambda _: True)
    text = Knob.model_validate({"label": LABEL, "thresholds": ["grading.lifts.min_confidence"], "least": 0.1, "most": 10})
    with pytest.raises(ProjectError, match="only numbers"):
        settings_of(text, {"grading.lifts.min_confidence": "C1"}, lambda _: True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"thresholds": ["grading.floors.death"], "values": ["II"]},
        {"thresholds": ["grading.severity.percentile"], "least": 0.1, "most": 2},
        {"thresholds": ["grading.confidence.windows"]},
        {"thresholds": ["grading.confidence.windows"], "values": [1, 2], "least": 0.1, "most": 2},
        {"thresholds": list(Q), "values": [1, 2]},
        {"thresholds": ["grading.confidence.windows"], "values": [1, 1]},
    ],
)
def test_floors_and_severity_are_no_knob(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"grading|knob|values"):
        Knob.model_validate({"label": LABEL, **wrong})


TEXT = """# 注释 comment\r
a: # kept
  x: 0.05   # old value
  'y': "C1"
  list: [1, 2]
b: {x: 0.001, z: true} # flow
"""


def test_an_edit_keeps_every_other_byte() -> None:
    new = edited(TEXT, {"a.x": 0.00002, "a.y": "C2", "b.x": 0.5, "b.z": False})
    assert new == TEXT.replace("0.05 ", "0.00002 ").replace('"C1"', '"C2"').replace("x: 0.001", "x: 0.5").replace("true", "false")
    assert edited(new, {"a.x": 0.05, "a.y": "C1", "b.x": 0.001, "b.z": True}) == TEXT
    assert value_at(new, "a.x") == 0.00002
    diff = unified(TEXT, edited(TEXT, {"a.x": 0.04}), "config/grading.yaml")
    assert [line for line in diff.splitlines() if line[0] in "+-"][2:] == ["-  x: 0.05   # old value", "+  x: 0.04   # old value"]
    assert unified(TEXT, TEXT, "x") == ""


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.dictionaries(st.sampled_from("xyz"), st.integers(-5, 5), min_size=1), min_size=1),
    st.floats(1e-9, 0.99),
    st.data(),
)
def test_any_value_of_any_mapping(content: dict[str, dict[str, int]], value: float, data: st.DataObject) -> None:
    lines = [f"{key}: # {key}\n" + "".join(f"  {name}:  {number} # n\n" for name, number in part.items()) for key, part in content.items()]
    text = "".join(lines)
    key = data.draw(st.sampled_from(sorted(content)))
    name = data.draw(st.sampled_from(sorted(content[key])))
    new = edited(text, {f"{key}.{name}": value})
    assert YAML(typ="safe", pure=True).load(new)[key][name] == value
    changed = [(one, other) for one, other in zip(text.splitlines(), new.splitlines(), strict=True) if one != other]
    assert len(changed) == 1
    assert changed[0][1] == changed[0][0].replace(f":  {content[key][name]} ", f":  {written(value)} ")


def test_what_cannot_be_changed_alone_is_refused() -> None:
    shared = "a: {x: &one 1}\nb: {x: *one}\n"
    for text, path in ((shared, "b.x"), ("a: {x: 1}\n", "a.z"), ("a: {x: 1}\n", "a"), ("a: {x: [1]}\n", "a.x.y")):
        with pytest.raises(ProjectError):
            edited(text, {path: 2})
    with pytest.raises(ProjectError, match=r"no value at a\.z"):
        value_at("a: {x: 1}\n", "a.z")


def test_numbers_have_no_exponent() -> None:
    assert [written(value) for value in (1e-7, 0.05, 3, True, "C1")] == ["0.0000001", "0.05", "3", "true", "C1"]
