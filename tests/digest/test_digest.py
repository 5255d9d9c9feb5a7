"""The digest as data: who sees what, in which order, and that nothing is lost or given away."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from riskwatch.assessment.types import Subject
from riskwatch.digest import Digest, GradeLabel, QualityReport, Recent, Text, render_html, render_json, render_markdown
from riskwatch.errors import RiskwatchError


def test_sections_follow_the_brief(ordinary):
    names = list(json.loads(render_json(ordinary)))
    assert names == [
        "schema_version",
        "header",
        "bottom_line",
        "warnings",
        "others",
        "incidents",
        "focus",
        "systemic",
        "cases",
        "external",
        "quality",
        "coverage",
        "calibration",
        "sign_off",
        "indicators",
        "words",
        "catalogue",
        "dossier",
        "case_warnings",
        "set_aside",
    ]


def test_json_is_the_canonical_form(ordinary):
    assert Digest.model_validate_json(render_json(ordinary)) == ordinary


def test_order_is_grade_then_excess(ordinary):
    assert [item.warning_id for item in ordinary.warnings] == ["W2025-0131", "W2025-0137", "W2025-0138", "W2025-0140", "W2025-0141"]


def test_a_prefecture_sees_its_own_and_what_contains_it(ordinary):
    places = {item.warning_id: (item.place.code, item.place.relation) for item in (*ordinary.warnings, *ordinary.others)}
    assert places["W2025-0131"] == ("220100", "inside")
    assert places["W2025-0137"] == ("220000", "wider")
    assert "W2025-0139" not in places  # Jilin City's
    assert "W2025-0143" not in places  # Tonghua's
    assert "长春市" in render_markdown(ordinary, "zh")
    assert "吉林省·全省性" in render_markdown(ordinary, "zh")
    assert "Jilin, province-wide" in render_markdown(ordinary, "en")


def test_evidence_of_other_prefectures_stays_away(ordinary):
    charger = next(item for item in ordinary.warnings if item.warning_id == "W2025-0137")
    assert [item.place.code for item in charger.measures] == ["220100", "220000"]


def test_counts_add_up(ordinary):
    counts = {item.grade: item for item in ordinary.bottom_line.counts}
    assert (counts["II"].raised, counts["II"].open) == (1, 1)
    assert (counts["III"].new, counts["III"].unchanged, counts["III"].open) == (2, 1, 3)
    assert (counts["IV"].new, counts["IV"].eased, counts["IV"].recovered, counts["IV"].open) == (2, 1, 1, 4)
    shown = len(ordinary.warnings) + len(ordinary.others)
    assert shown == sum(item.open + item.recovered for item in ordinary.bottom_line.counts)


def test_nothing_is_dropped_silently(build, day):
    many = [dataclasses.replace(day.assessments[4], subject=Subject("product", f"X{number}", "220104")) for number in range(30)]
    warnings = [
        SimpleNamespace(**{**vars(day.warnings[4]), "warning_id": f"M{number}", "subject": item.subject})
        for number, item in enumerate(many)
    ]
    digest = build(assessments=many, warnings=warnings, events=[])
    assert len(digest.warnings) == 30
    assert "今日无新增与加重预警" not in render_markdown(digest, "zh")
    assert "新增与加重预警均为四级，列表如下。" in render_markdown(digest, "zh")
    assert "另有 15 条未在此列出（四级（蓝色） 15 条）" in render_markdown(digest, "zh")
    assert "15 warnings are not listed here (Level IV (blue): 15)" in render_markdown(digest, "en")


def test_unchanged_are_rows_and_old_recoveries_are_silent(ordinary):
    rows = {item.warning_id: item.change for item in ordinary.others}
    assert rows == {"W2025-0088": "eased", "W2025-0099": "recovered", "W2025-0096": "unchanged", "W2025-0101": "unchanged"}


def test_an_assessment_goes_to_the_nearest_place(build, day):
    wide = SimpleNamespace(**{**vars(day.warnings[0]), "warning_id": "WIDE", "subject": Subject("product", "P0101", "220000")})
    digest = build(warnings=[wide, day.warnings[0]], events=[])
    assert [item.warning_id for item in digest.warnings] == ["W2025-0131"]
    assert [item.warning_id for item in digest.others] == ["WIDE"]
    moved = build(warnings=[wide], events=[])
    assert [item.warning_id for item in moved.warnings] == ["WIDE"]


def test_clocks(ordinary):
    overdue = [(item.kind, item.days_left, item.count) for item in ordinary.cases.overdue]
    assert overdue == [("rectify", -11, 2), ("action", -5, 1), ("recheck", -3, 3)]
    assert [(item.kind, item.days_left) for item in ordinary.cases.this_week] == [("action", 2), ("recheck", 4)]
    assert [item.days_left for item in ordinary.incidents.clocks][:1] == [0]


def test_due_dates_of_unchanged_warnings_do_not_slide(build):
    without = build(open_actions={})
    assert "W2025-0096" not in {item.warning_id for item in (*without.cases.overdue, *without.cases.this_week)}
    assert {row.due_on for row in without.others} == {None}


def test_movers_are_rises_only(ordinary):
    for mover in (*ordinary.focus.products, *ordinary.focus.industries, *ordinary.focus.regions):
        assert mover.measure.observed > mover.measure.expected
    assert ordinary.focus.products[0].code == "P0101"
    assert "220100" not in {mover.code for mover in ordinary.focus.regions}


def test_unverified_law_is_marked(ordinary):
    assert "《产品质量监督抽查管理暂行办法（令18）》第45–46条（未核实）" in render_markdown(ordinary, "zh")
    assert "art. 45–46 (unverified)" in render_markdown(ordinary, "en")
    zh = render_markdown(ordinary, "zh")
    assert "《产品质量法（2018）》第18条；" in zh


def test_law_without_a_flag_is_unverified(build, day):
    actions = tuple(
        dataclasses.replace(action, legal_basis=({"law": {"zh": "某法", "en": "Some Law"}, "article": "1"},))
        for action in day.assessments[0].actions
    )
    digest = build(assessments=[dataclasses.replace(day.assessments[0], actions=actions)])
    assert not any(law.verified for action in digest.warnings[0].actions for law in action.legal_basis)
    assert "《某法》第1条（未核实）" in render_markdown(digest, "zh")


def test_assumed_probability_says_so(build, day):
    facts = {**day.assessments[0].facts, "probability_is_assumed": True}
    digest = build(assessments=[dataclasses.replace(day.assessments[0], facts=facts), *day.assessments[1:]])
    assert "1/2,300（假设值，非估计）" in render_markdown(digest, "zh")
    assert "1/2,300 (assumed, not estimated)" in render_markdown(digest, "en")


def test_levels_one_and_two_need_two_reviewers(ordinary, build, day):
    assert ordinary.sign_off.reviewers == 2
    assert build(warnings=day.warnings[1:]).sign_off.reviewers == 1


def test_quiet_day_has_its_coverage_proof(build):
    digest = build(warnings=[], assessments=[], events=[], simulated=False)
    assert digest.coverage.tests == 33
    assert digest.coverage.expected_by_chance == pytest.approx(0.33)
    zh, en = render_markdown(digest, "zh"), render_markdown(digest, "en")
    assert "今日无新增与加重预警。已判别" in zh
    assert "不等于无风险" in zh
    assert "5,208 records" in en
    assert "2 of 4 expected sources" in en
    assert "模拟" not in zh
    assert "13 above limit, 13 of them kept at a false-discovery rate of 0.05 (at most 0.7 false on average)" in en


def test_q_values_are_made_where_the_run_has_none(build, day):
    frame = build.__globals__["signals_frame"](day.assessments)
    q_values = [(0.9 if number > 5 else 0.001) for number in range(len(frame))]
    given = build(signals=frame.assign(q_value=q_values)).coverage.kept
    made = build(signals=frame.assign(p_value=[0.0001] + [0.5] * (len(frame) - 1)).drop(columns="q_value"))
    assert given == sum(
        number <= 5 for number in range(len(frame)) if frame["region"].iloc[number] in {"220000", "220100", "220102", "220104", "220184"}
    )
    assert made.coverage.kept == 1


def test_a_day_without_any_test_is_no_all_clear(build):
    empty = build(warnings=[], assessments=[], events=[], signals=build_empty(), quality=QualityReport(), recent=Recent())
    assert empty.coverage.tests == 0
    assert "不能据此判断无风险" in render_markdown(empty, "zh")
    assert "没有来源状态信息" in render_markdown(empty, "zh")
    assert "尚无历史预警可供校准" in render_markdown(empty, "zh")


def build_empty():
    names = (
        "model",
        "stream",
        "product",
        "industry",
        "region",
        "stratum",
        "frequency",
        "period_start",
        "period_end",
        "observed",
        "exposure",
        "expected",
        "lower",
        "upper",
        "p_value",
        "q_value",
        "alarm",
        "reason",
    )
    return pd.DataFrame({name: pd.Series(dtype="object") for name in names})


def test_silent_sources_are_named_first(ordinary):
    assert [item.state for item in ordinary.quality.sources] == ["silent", "late", "on-time", "on-time", "closed"]
    html = render_html(ordinary, "zh")
    assert "长春市直报医院静默（最新获知 2025-11-24）" in html


def test_a_centre_is_told_of_the_silence_that_concerns_it(build):
    quality = build.__globals__["QUALITY"]
    homes = {"injury": {"220104": (1, 3), "220200": (2, 4), "220000": (0, 1)}, "spot_check": {"220200": (1, 1), "220000": (0, 2)}}
    sources = tuple(dataclasses.replace(one, region="220100" if one.source == "cc-injury" else "") for one in quality.sources)
    told = {}
    for name, region in (("changchun", "220100"), ("jilin-city", "220200"), ("province", "220000")):
        centre = SimpleNamespace(**{**vars(build.__globals__["PROVINCE"]), "name": name, "region": region})
        told[name] = build(centre, quality=dataclasses.replace(quality, sources=sources, silent_reporters=homes))
    assert told["changchun"].quality.silent_reporters == (("injury", 1, 4),)
    assert told["jilin-city"].quality.silent_reporters == (("injury", 2, 5), ("spot_check", 1, 3))
    assert told["province"].quality.silent_reporters == (("injury", 3, 8), ("spot_check", 1, 3))
    states = {name: [line.source for line in one.quality.sources] for name, one in told.items()}
    assert "cc-injury" in states["changchun"]
    assert "cc-injury" in states["province"]
    assert states["jilin-city"] == ["rasff", "jl-injury", "jl-spot", "jl-2019"]
    assert (told["changchun"].coverage.sources_expected, told["jilin-city"].coverage.sources_expected) == (4, 3)
    assert "injury surveillance, 1 of 4" in render_markdown(told["changchun"], "en").lower()


def test_calibration_is_honest(ordinary, build, day):
    assert "尚无人工结案" in render_markdown(ordinary, "zh")
    closed = {"W2025-0040": SimpleNamespace(closed=True, verdict="true", hidden_until=None)}
    assert "证实占已结案 100.0%（n=1）" in render_markdown(build(handled=closed), "zh")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"issue_no": 0}, "build_digest: issue_no must be >= 1, got 0"),
        ({"signals": pd.DataFrame({"model": []})}, "missing: stream, product"),
    ],
)
def test_bad_arguments_are_named(build, changes, message):
    with pytest.raises(RiskwatchError, match=message):
        build(**changes)


def test_repeated_identifiers_are_refused(build, day):
    with pytest.raises(RiskwatchError, match="warning ids must be unique, got 'W2025-0131' twice"):
        build(warnings=[day.warnings[0], day.warnings[0]])


def test_order_of_inputs_does_not_matter(ordinary, build, day):
    shuffled = build(
        warnings=day.warnings[::-1],
        events=day.events[::-1],
        assessments=day.assessments[::-1],
    )
    assert render_json(shuffled) == render_json(ordinary)


def test_unknown_codes_are_shown_as_codes(build, day):
    stranger = dataclasses.replace(day.assessments[0], subject=Subject("product", "ZZ99", "220100"))
    warning = SimpleNamespace(**{**vars(day.warnings[0]), "subject": stranger.subject})
    digest = build(assessments=[stranger], warnings=[warning])
    assert digest.warnings[0].subject.zh == "ZZ99"


def test_infinite_and_missing_figures_stay_out_of_the_json(build, day):
    evidence = dataclasses.replace(day.assessments[0].evidence[0], expected=0.0, lower=np.nan, upper=np.inf, q_value=np.nan)
    digest = build(assessments=[dataclasses.replace(day.assessments[0], evidence=(evidence,))])
    lead = digest.warnings[0].measures[0]
    assert (lead.ratio, lead.lower, lead.upper, lead.q_value) == (None, None, None, None)
    assert "基线期无发生" in render_markdown(digest, "zh")
    assert "NaN" not in render_json(digest)
    assert "Infinity" not in render_json(digest)


def test_a_series_is_shown_once_with_its_newest_period_and_the_widest_place_first(build, day):
    first = day.assessments[0]
    older = dataclasses.replace(
        first.evidence[0], period_start=dt.date(2025, 12, 15), period_end=dt.date(2025, 12, 21), observed=15, windows=1
    )
    hotter = dataclasses.replace(first.evidence[1], observed=40)
    digest = build(assessments=[dataclasses.replace(first, evidence=(hotter, first.evidence[0], older))])
    card = digest.warnings[0]
    assert [(item.place.code, item.observed) for item in card.measures] == [("220100", 18), ("220104", 40)]
    assert card.measures_total == 2


def test_what_must_be_done_at_once_says_so(build, day):
    action = dataclasses.replace(day.assessments[0].actions[0], deadline=0)
    digest = build(assessments=[dataclasses.replace(day.assessments[0], actions=(action,))])
    assert "立即办理" in render_markdown(digest, "zh")
    assert "at once" in render_markdown(digest, "en")


def test_measures_due_together_are_one_line_with_all_owners(build, day):
    first = day.assessments[0].actions[1]
    other = dataclasses.replace(first, owner={"zh": "平台经营者", "en": "platform"})
    digest = build(assessments=[dataclasses.replace(day.assessments[0], actions=(first, other, first))])
    case = next(item for item in digest.cases.this_week if item.warning_id == "W2025-0131")
    assert (case.count, case.owner.zh) == (3, "县（市、区）市场监督管理局、平台经营者")


def test_a_warning_that_rests_on_a_floor_alone(build, day):
    digest = build(assessments=[dataclasses.replace(day.assessments[0], evidence=())])
    assert digest.warnings[0].measures == ()
    assert "依个案底线规则提出，无超限序列" in render_markdown(digest, "zh")
    assert render_html(digest, "en")


def test_goods_of_a_domain_have_their_own_names_of_levels_on_cards_and_lists(build, day):
    own = tuple(
        GradeLabel(grade=grade, name=Text(zh=f"食品{grade}级", en=f"Food grade {grade}"), colour="#123456")
        for grade in ("I", "II", "III", "IV")
    )
    labels = dataclasses.replace(build.__globals__["LABELS"], domains={"food": own})
    rule_set = {"rule_set": {"domain": "food", "from": "2024-01-01", "version": "x"}}
    food = [
        dataclasses.replace(one, facts={**one.facts, **rule_set}) if number in {0, 1, 4, 9} else one
        for number, one in enumerate(day.assessments)
    ]
    digest = build(assessments=food, labels=labels)
    domains = {one.warning_id: one.domain for one in (*digest.warnings, *digest.others)}
    assert {name for name, domain in domains.items() if domain == "food"} == {"W2025-0131", "W2025-0137", "W2025-0140", "W2025-0088"}
    text = render_markdown(digest, "en")
    # The card and what it was before, the card of the province, a row, a row that eased, the systemic watch, a term to report.
    assert "[Food grade II]" in text
    assert "was Food grade III" in text
    assert "| **[Food grade IV]** | new | electric kettles" in text
    assert "| **[Food grade IV]** | eased, was Food grade III | electric kettles" in text
    assert "- **[Food grade III]** e-bike chargers" in text
    assert "To report: Food grade II, electric blankets" in text
    assert "Food grade II, electric blankets: 1 measure" in text
    # What is of no domain keeps the common names; so do the counts by level.
    assert "[Level III (yellow)] new children's toys" in text
    assert "| Level I (red) | Level II (orange) |" in text
    assert "#123456" in render_html(digest, "zh")
    kept = SimpleNamespace(**{**vars(day.warnings[10]), "evidence": {"domain": "food"}})
    alone = build(assessments=[], warnings=[kept], events=[], labels=labels)
    assert [row.domain for row in alone.others] == ["food"]
