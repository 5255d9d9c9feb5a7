"""Silences: what they match, how long, who may; and what closed cases say of the models."""

from __future__ import annotations

import datetime as dt

import pytest

from riskwatch.assessment import Grade, Subject
from riskwatch.casework.case import CaseEvent
from riskwatch.casework.precision import closures, precision
from riskwatch.casework.silences import Hidden, Matcher, add_silence, end_silence, hidden_by, silence_of
from riskwatch.errors import CaseworkError
from tests.casework.conftest import DAY, OFFICE, warned

AT = "2025-12-01T01:00:00.000000Z"


def add(matcher: Matcher, until: dt.date = DAY, reason: str = "known", actor: str = "jilin-head"):
    return add_silence(matcher, until=until, reason=reason, actor=actor, as_of=DAY, happened_at=AT, office=OFFICE)


@pytest.mark.parametrize(
    ("matcher", "hit"),
    [
        ({"product": "P06"}, True),
        ({"product": "P07"}, False),
        ({"region": "220000"}, True),
        ({"region": "220200"}, False),
        ({"hazard": "electrical", "grade": "III"}, True),
        ({"hazard": "electrical", "grade": "IV"}, False),
        ({"model": "injury-weekly"}, True),
        ({"model": "other"}, False),
        ({}, False),
    ],
)
def test_all_that_is_given_must_hold(matcher: dict[str, str], hit: bool) -> None:
    assert Matcher(**matcher).matches(warned(), Grade.III, OFFICE) is hit


def test_what_a_warning_lacks_matches_nothing() -> None:
    bare = warned(hazard="", series=(), subject=Subject("industry", "C13", ""))
    for matcher in ({"product": "P06"}, {"region": "220000"}, {"hazard": "electrical"}, {"model": "injury-weekly"}):
        assert not Matcher(**matcher).matches(bare, Grade.III, OFFICE)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"matcher": Matcher()}, "would hide everything"),
        ({"matcher": Matcher(grade="II")}, "level II is never hidden; may be hidden: III, IV"),
        ({"until": DAY + dt.timedelta(days=91)}, r"between 2025-12-01 and 2026-03-01 \(90 days\), got 2026-03-02"),
        ({"until": DAY - dt.timedelta(days=1)}, "got 2025-11-30"),
        ({"reason": ""}, "a reason in words is needed"),
        ({"actor": "jilin-duty"}, "silences need analyst or leader"),
        ({"actor": "changchun-head"}, r"\(region 220100\) cannot silence all regions"),
        ({"actor": "changchun-head", "matcher": Matcher(region="220200")}, "cannot silence 220200"),
    ],
)
def test_what_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(CaseworkError, match=message):
        add(**{"matcher": Matcher(product="P06"), **given})  # type: ignore[arg-type]


def test_the_longest_silence_is_granted_and_can_be_ended_once() -> None:
    last = DAY + dt.timedelta(days=90)
    silence, event = add(Matcher(region="220102"), until=last, actor="changchun-head")
    assert (event.kind, event.case_id, event.seq) == ("silence-add", silence.silence_id, 1)
    assert [silence.in_force(day) for day in (DAY - dt.timedelta(days=1), DAY, last, last + dt.timedelta(days=1))] == [
        False,
        True,
        True,
        False,
    ]
    day = DAY + dt.timedelta(days=4)
    ended, event = end_silence(silence, actor="changchun-head", as_of=day, happened_at=AT, note="", office=OFFICE)
    assert (event.seq, ended.in_force(day), ended.in_force(day - dt.timedelta(days=1))) == (2, False, True)
    with pytest.raises(CaseworkError, match="is over since 2025-12-05"):
        end_silence(ended, actor="changchun-head", as_of=day, happened_at=AT, note="", office=OFFICE)


def test_of_several_the_one_that_ends_last_hides() -> None:
    short, _ = add(Matcher(product="P06", region="220000"), until=DAY)
    long, _ = add(Matcher(product="P06", region="220000"), until=DAY + dt.timedelta(days=2))
    assert silence_of(warned(), Grade.III, [long, short], OFFICE, day=DAY) == long
    assert silence_of(warned(), Grade.III, [long, short], OFFICE, day=DAY, lifted=[long.silence_id]) == short
    assert silence_of(warned(), Grade.II, [long, short], OFFICE, day=DAY) is None


def auto(case: str, seq: int, day: int, kind: str, **details: str) -> CaseEvent:
    return CaseEvent(f"{case}{seq}", case, seq, DAY + dt.timedelta(days=day), kind, details={"silence": "s1", **details})


def test_what_a_silence_hid_is_listed_with_its_days() -> None:
    events = [
        auto("w1", 1, 0, "silenced"),
        auto("w1", 2, 5, "shown", cause="worsened"),
        auto("w2", 1, 2, "silenced"),
    ]
    day = dt.timedelta(days=1)
    assert hidden_by(events)["s1"] == (Hidden("w1", DAY, DAY + 5 * day, "worsened"), Hidden("w2", DAY + 2 * day))


def close(
    case: str, reason: str, grade: str = "III", models: tuple[str, ...] = ("m1",), *, seq: int = 1, kind: str = "close", **more: object
):
    details = {"reason": reason, "machine": grade, "models": list(models), "effective": True, **more}
    return CaseEvent(f"{case}-{seq}", case, seq, DAY, kind, "jilin-head", AT, details)


def test_precision_by_model_and_level_leaves_out_what_says_nothing() -> None:
    events = [
        *(close(f"t{number}", "true", models=("m1", "m2") if number == 0 else ("m1",)) for number in range(8)),
        close("f1", "false-alarm"),
        close("f2", "artefact"),
        close("k", "known-issue", models=()),
        close("d", "duplicate"),
        close("half", "false-alarm", effective=False),
        close("again", "false-alarm"),
        close("again", "", seq=2, kind="reopen"),
    ]
    table = precision(events, OFFICE.rules).set_index(["model", "grade"])
    one = table.loc[("m1", "III")]
    assert (one["closed"], one["judged"], one["right"], one["duplicate"], one["precision"]) == (11, 10, 8, 1, 0.8)
    # statsmodels 0.14: proportion_confint(8, 10, method="wilson").
    assert (one["lower"], one["upper"]) == pytest.approx((0.4901625, 0.9433178), abs=1e-7)
    assert table.loc[("m2", "III"), "closed"] == 1
    assert table.loc[("events", "III"), "right"] == 1
    assert table.loc[("all", "III"), "closed"] == 12
    assert precision(events, OFFICE.rules)["model"].iloc[0] == "all"


def test_without_closures_there_is_a_table_without_rows() -> None:
    assert precision([], OFFICE.rules).empty
    assert closures([]).empty


def test_a_case_closed_again_counts_with_its_last_reason() -> None:
    events = [close("w", "false-alarm"), close("w", "", seq=2, kind="reopened"), close("w", "true", seq=3)]
    assert closures(events)["reason"].tolist() == ["true"]
