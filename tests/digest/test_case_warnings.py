"""Lists of single firms' cases in a table; a warning that took the place of others; terms of what was handed over."""

import datetime as dt
from types import SimpleNamespace

from riskwatch.assessment.types import Action, Assessment, Grade, Scope, Subject
from riskwatch.digest import Text, Trees, render_markdown
from riskwatch.digest.names import Namer
from riskwatch.lifecycle import EarlyWarning, WarningEvent

AS_OF = dt.date(2025, 12, 31)
EARLIER = dt.date(2025, 12, 20)
PROVINCE = SimpleNamespace(name="jilin", label=Text(zh="省中心", en="Centre"), region="220000", contact=None)


def warning(number, code, region, state="unchanged", **more):
    days = {"first_seen": EARLIER, "last_seen": AS_OF, "last_changed": EARLIER, "last_run": AS_OF}
    return EarlyWarning(
        warning_id=f"w{number}",
        fingerprint=f"f{number}",
        subject=Subject("product", code, region),
        state=state,
        grade=Grade.III,
        scope=Scope.ISOLATED,
        hazard="",
        **{**days, **more},
    )


def assessment(code, region, **facts):
    return Assessment(
        subject=Subject("product", code, region),
        as_of=AS_OF,
        hazard="",
        evidence=(),
        severity=1,
        probability=None,
        probability_range=None,
        risk="M",
        risk_range=None,
        confidence="C0",
        scope=Scope.ISOLATED,
        scope_figures={},
        grade=Grade.III,
        steps=(),
        actions=(),
        facts=facts,
    )


def failed(code, region, day=20):
    return {"rule": "recheck-failed", "kind": "product", "code": code, "region": region, "day": f"2025-12-{day}", "count": 1.0}


def action(due):
    owner = {"zh": "县局", "en": "county bureau"}
    return Action("enterprise", "handle", {"zh": "约谈", "en": "summon"}, owner, 5, "working-day", "warning-confirmed", due)


def test_cases_of_firms_are_a_table_and_each_centre_sees_its_own(build):
    cases = [failed("P0101", "220102", 20), failed("P0102", "220281", 28)]
    found = {
        "assessments": [assessment("P01", "220000", cases_only=True, speaks_for=cases)],
        "warnings": [warning(1, "P01", "220000", "new", first_seen=AS_OF, last_changed=AS_OF)],
        "events": [],
        "open_actions": {},
    }
    whole = build(PROVINCE, **found)
    assert (whole.warnings, whole.others) == ((), ())
    assert [(one.subject.en, one.place.code) for one in whole.case_warnings[0].cases] == [
        ("electric kettles", "220281"),
        ("electric blankets", "220102"),
    ]
    assert next(one.new for one in whole.bottom_line.counts if one.grade == "III") == 1
    text = render_markdown(whole, "en")
    assert "Cases of single firms: 2 failed rechecks" in text
    assert "electric kettles, Jiaohe" in text
    assert "个案类预警：复查不合格 2 起" in render_markdown(whole, "zh")
    city = build(**found)
    assert [one.place.code for one in city.case_warnings[0].cases] == ["220102"]
    assert city.case_warnings[0].elsewhere == 1
    elsewhere = {**found, "assessments": [assessment("P01", "220000", cases_only=True, speaks_for=cases[1:])]}
    assert build(**elsewhere).case_warnings == ()


def test_what_was_handed_over_has_no_line_but_keeps_its_terms(build):
    parts = [warning(number, code, "220100", "absorbed", covered_by="w9") for number, code in ((1, "P0101"), (2, "P0102"))]
    parent = warning(9, "P01", "220100", takes_over=("w1", "w2"), handed_on=EARLIER)
    found = build(
        PROVINCE,
        assessments=[],
        warnings=[*parts, parent],
        events=[],
        open_actions={"w1": [action(dt.date(2026, 1, 4))]},
    )
    assert [row.warning_id for row in found.others] == ["w9"]
    assert [one.subject.en for one in found.others[0].taken.subjects] == ["electric blankets", "electric kettles"]
    assert [(one.warning_id, one.due_on) for one in found.cases.this_week if one.warning_id] == [("w1", dt.date(2026, 1, 4))]
    assert (found.calibration.open, found.calibration.issued) == (1, 3)
    assert sum(one.unchanged for one in found.bottom_line.counts) == 1
    assert "(with 2 handed over)" in render_markdown(found, "en")
    assert "（含并入 2 条）" in render_markdown(found, "zh")


def test_a_card_says_whose_place_it_takes_on_the_day_by_its_reason_and_later_by_a_line(build):
    part = warning(1, "P0101", "220100", "absorbed", covered_by="w9")
    told = {"zh": "接续电热毯。", "en": "Takes over from electric blankets."}
    event = WarningEvent("e1", "w9", AS_OF, "worsened", "raised", told, Grade.IV, Grade.III)

    def card_of(day):
        parent = warning(9, "P01", "220100", "worsened", takes_over=("w1",), handed_on=day, last_changed=AS_OF)
        made = build(
            PROVINCE,
            assessments=[assessment("P01", "220100")],
            warnings=[part, parent],
            events=[event],
            open_actions={},
        )
        return made.warnings[0], render_markdown(made, "en")

    card, text = card_of(AS_OF)
    assert card.taken is None
    assert "Takes over from electric blankets." in text
    card, text = card_of(EARLIER)
    assert card.taken.since == EARLIER
    assert "Takes the place of electric blankets (Changchun), known since 2025-12-20; their deadlines stand." in text


def test_a_concern_of_all_regions_has_a_name() -> None:
    name = Namer(Trees()).subject("region", "")
    assert (name.zh, name.en) == ("全部地区", "all regions")
