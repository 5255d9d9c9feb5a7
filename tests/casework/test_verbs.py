"""What people may do: who, from where, with how many signatures; and what is refused, with its rule."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from riskwatch.assessment import Grade
from riskwatch.casework.case import Signing
from riskwatch.casework.notes import NOTE_LIMIT, clean_note
from riskwatch.casework.verbs import perform
from riskwatch.errors import CaseworkError
from tests.casework.conftest import DAY, OFFICE, asked, do, started, warned

WAY = [
    ("ack", "changchun-duty", "verify"),
    ("confirm", "changchun-duty", "assess"),
    ("confirm", "changchun-analyst", "approve"),
    ("confirm", "changchun-head", "handle"),
    ("act", "changchun-duty", "handle"),
    ("recheck", "changchun-duty", "recheck"),
]


def test_the_whole_way_of_a_level_three_through_all_stages() -> None:
    warning = warned()
    case, seen = started(warning), ["monitor"]
    for verb, actor, stage in WAY:
        case = do(case, warning, verb, actor)
        seen.append(case.stage)
        assert case.stage == stage
    case = do(case, warning, "recheck", "changchun-duty", result="passed")
    assert (case.recheck, case.confirmed) == ("passed", Grade.III)
    case = do(case, warning, "close", "changchun-head", reason="true")
    assert (case.stage, case.closed_as, case.closed_on) == ("close", "true", DAY)
    # 建议等级 is where a level lacks a signature: III needs one, so that only I and II stop there.
    assert set(OFFICE.rules.stages) - {*seen, "close"} == {"propose"}


@pytest.mark.parametrize("grade", [Grade.I, Grade.II])
def test_levels_one_and_two_stop_at_the_proposal_until_a_second_reviewer_signs(grade: Grade) -> None:
    warning = warned(grade=grade)
    case = do(do(started(warning), warning, "ack", "changchun-duty"), warning, "confirm", "changchun-duty")
    case = do(case, warning, "confirm", "jilin-analyst")
    assert (case.stage, case.confirmed) == ("propose", None)
    assert case.signing == Signing("level", grade.name, ("jilin-analyst",), grade)
    with pytest.raises(CaseworkError, match='"jilin-analyst" has signed this already; it takes 2 different actors'):
        do(case, warning, "confirm", "jilin-analyst")
    case = do(case, warning, "confirm", "jilin-analyst-2")
    assert (case.stage, case.confirmed, case.signers) == ("approve", grade, ("jilin-analyst", "jilin-analyst-2"))
    assert OFFICE.confirmed(case, warning)


def test_closing_level_two_takes_two_actors_who_say_the_same() -> None:
    warning = warned(grade=Grade.II)
    case = do(started(warning), warning, "ack", "jilin-duty")
    case = do(case, warning, "close", "jilin-analyst", reason="false-alarm")
    assert not case.closed
    assert case.stage == "verify"
    other = do(case, warning, "close", "jilin-head", reason="artefact")
    assert not other.closed  # another reason is another proposal
    assert other.signing is not None
    assert other.signing.by == ("jilin-head",)
    case = do(case, warning, "close", "jilin-head", reason="false-alarm")
    assert case.closed_as == "false-alarm"


def test_one_actor_cannot_regrade_a_red_level_down_and_close_it_alone() -> None:
    warning = warned(grade=Grade.I)
    case = do(do(started(warning), warning, "ack", "jilin-duty"), warning, "confirm", "jilin-duty")
    case = do(case, warning, "regrade", "jilin-analyst", to="IV")
    assert (case.level, case.stage) == (None, "propose")
    case = do(case, warning, "regrade", "jilin-head", to="IV")
    assert (case.level, case.level_machine, case.standing(warning.grade)) == (Grade.IV, Grade.I, Grade.IV)
    case = do(case, warning, "close", "jilin-head", reason="no-action")
    assert not case.closed  # the machine still says I: closing needs two


def test_raising_a_blue_level_to_red_takes_two() -> None:
    warning = warned(grade=Grade.IV)
    case = do(do(started(warning), warning, "ack", "jilin-duty"), warning, "confirm", "jilin-duty")
    case = do(case, warning, "regrade", "jilin-analyst", to="I")
    assert case.level is None
    case = do(case, warning, "confirm", "jilin-head")
    assert (case.level, case.level_machine, case.stage) == (Grade.I, Grade.IV, "approve")


@pytest.mark.parametrize(
    ("verb", "actor", "more", "message"),
    [
        ("fly", "jilin-head", {}, 'no verb "fly"'),
        ("ack", "nobody", {}, 'no actor "nobody"'),
        ("confirm", "jilin-head", {}, 'not possible in stage "monitor"'),
        ("close", "changchun-duty", {"reason": "true"}, 'is clerk, stage "monitor" needs analyst or leader'),
        ("close", "changchun-head", {"reason": "because"}, 'no closure reason "because"'),
        ("close", "jilin-city-head", {"reason": "true"}, r"\(region 220200\) cannot decide on region 220100"),
        ("ack", "siping-duty", {}, "cannot decide on region 220100"),
        ("assign", "changchun-head", {}, "to whom"),
        ("assign", "changchun-head", {"to": "siping-duty"}, "has nothing to do with region 220100"),
        ("comment", "changchun-duty", {"note": "  "}, "a reason in words is needed"),
        ("ack", "changchun-duty", {"until": dt.date(2026, 6, 1)}, "holds from 2025-12-01 until 2025-12-08 at the longest"),
        ("ack", "changchun-duty", {"until": dt.date(2025, 11, 30)}, "asked for 2025-11-30"),
        ("ack", "changchun-duty", {"day": dt.date(2025, 11, 30)}, "2025-11-30 lies before 2025-12-01"),
        ("merge", "changchun-head", {"to": "w1"}, "itself"),
        ("merge", "changchun-head", {"to": "w9"}, "no case"),
        ("reopen", "changchun-head", {}, 'not possible in stage "monitor"'),
    ],
)
def test_what_is_refused_says_by_which_rule(verb: str, actor: str, more: dict[str, object], message: str) -> None:
    warning = warned()
    with pytest.raises(CaseworkError, match=message):
        perform(asked(verb, actor, **more), started(warning), warning, OFFICE)


def test_regrading_asks_for_a_known_level() -> None:
    warning = warned()
    case = do(do(started(warning), warning, "ack", "changchun-duty"), warning, "confirm", "changchun-duty")
    with pytest.raises(CaseworkError, match='no level "V"'):
        do(case, warning, "regrade", "changchun-head", to="V")


def test_the_owner_is_the_highest_of_region_level_and_escalation() -> None:
    county, city = warned(grade=Grade.IV, region="220102"), warned(grade=Grade.II)
    assert OFFICE.owner(started(county), county) == "county"
    assert OFFICE.owner(started(city), city) == "province"
    assert OFFICE.owner(dataclasses.replace(started(county), owner="prefecture"), county) == "prefecture"
    nowhere = warned(region="")
    assert OFFICE.owner(started(nowhere), nowhere) == "province"
    with pytest.raises(CaseworkError, match="owned by the province"):
        do(started(city), city, "close", "changchun-head", reason="true")


def test_a_desk_that_was_closed_down_may_not_act() -> None:
    actors = {**OFFICE.rules.actors, "old": OFFICE.rules.actors["jilin-head"].model_copy(update={"active": False})}
    office = dataclasses.replace(OFFICE, rules=OFFICE.rules.model_copy(update={"actors": actors}))
    with pytest.raises(CaseworkError, match="no longer in use"):
        perform(asked("ack", "old"), started(warned()), warned(), office)


def test_merging_closes_as_a_duplicate_of_an_open_case() -> None:
    warning, other = warned(), warned(2)
    case = do(started(warning), warning, "merge", "changchun-head", to="w2", others={"w2": started(other)})
    assert (case.closed_as, case.merged_into) == ("duplicate", "w2")
    with pytest.raises(CaseworkError, match="closed"):
        do(started(other), other, "merge", "changchun-head", to="w1", others={"w1": case})


def test_reopening_by_people_clears_the_closure_and_keeps_the_notes() -> None:
    warning = warned()
    case = do(started(warning), warning, "close", "changchun-head", reason="no-action")
    again = do(case, warning, "reopen", "changchun-analyst")
    assert (again.stage, again.closed_as, again.closed_on, again.notes) == ("verify", "", None, 2)


def test_the_given_end_of_an_acknowledgement_counts_working_days_with_the_holidays() -> None:
    eve = dt.date(2025, 12, 31)  # New Year's Day follows, and a worked Sunday, 4 January
    event = perform(asked("ack", "changchun-duty", day=eve), started(warned()), warned(), OFFICE)
    assert event.details["until"] == "2026-01-08"


PERSONAL = ("张三", "李某", "13812345678", "220102199001011234", "吉A12345", "长春市宏达电器有限公司", "someone@example.com", "王小明")


@pytest.mark.parametrize(
    "text",
    [
        "张三来电 13812345678，已核",
        "经办人：张三，身份证 220102199001011234",
        "由王小明核实，车牌吉A12345",
        "与长春市宏达电器有限公司负责人李某联系，someone@example.com",
        "王小明反映同批次",
        "转张三局长阅",
    ],
)
def test_a_note_is_stored_without_what_identifies_anyone(text: str) -> None:
    event = perform(asked("comment", "changchun-duty", note=text), started(warned()), warned(), OFFICE)
    stored = str(event.details["note"])
    assert "***" in stored
    for word in PERSONAL:
        assert word not in stored


def test_an_ordinary_note_is_kept_as_it_is() -> None:
    for text in ("同批次产品已下架，待复查", "order to correct served, recheck in March", "高温天气下故障增多"):
        assert clean_note(text) == text.replace("，", ",")


def test_names_of_the_configured_list_are_taken_out_and_long_notes_refused() -> None:
    assert "Robert" not in clean_note("asked Robert Miller about it", given_names=frozenset({"robert"}))
    with pytest.raises(CaseworkError, match=f"at most {NOTE_LIMIT} characters"):
        clean_note("x" * (NOTE_LIMIT + 1))
