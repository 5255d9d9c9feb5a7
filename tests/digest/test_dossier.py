"""What stands beside the warnings: accidents, cases, recalls, registers, notices; only the centre's own, only counts."""

from __future__ import annotations

import dataclasses
import json
import re

import pandas as pd
import pytest

from riskwatch.assessment.types import Scope
from riskwatch.digest import Digest, DossierFrames, Text, render_email, render_html, render_json, render_markdown
from riskwatch.dossiers.accidents import accident_clocks
from riskwatch.dossiers.complaints import claimant_bursts
from riskwatch.dossiers.registers import certificates_in_force, laboratory_status, open_trade_notices, recalls_in_force
from riskwatch.runner.dossiers import first_reports
from tests.digest.conftest import AS_OF, CHANGCHUN, PROVINCE, printed_pages

FIRM, PERSON, KEY, LABORATORY = "91220101MA0Y3G5K2T", "claimant-7f3a", "ACC-2025-77", "某某检验中心"


def table(names, *rows):
    return pd.DataFrame([dict(zip(names.split(), row, strict=True)) for row in rows])


REPORTS = table(
    "record_key event_date known_at product region reporter deaths serious learned_at reported_at report_no first_report",
    (KEY, "2025-12-28", "2025-12-28", "P0501", "220104", "enterprise", 1, 6, "2025-12-28T08:00:00", "2025-12-28T11:30:00", 1, None),
    (KEY + "b", "2025-12-28", "2025-12-30", "P0501", "220104", "enterprise", 2, 6, None, None, 2, KEY),
    ("A2", "2025-12-29", "2025-12-29", "P0101", "220200", "county", 0, 0, "2025-12-29T08:00:00", "2025-12-29T09:00:00", 1, None),
    ("A3", "2025-11-20", "2025-11-21", "P0101", "220104", "enterprise", 0, 1, None, None, 1, None),
)
COMPLAINTS = table(
    "event_date product region complainant complaints",
    *(("2025-12-20", "P0301", "220104", PERSON, 1) for _ in range(90)),
    ("2025-12-21", "P0301", "220104", "other", 1),
    *(("2025-12-20", "P0102", "220102", PERSON, 1) for _ in range(12)),
    *(("2025-12-20", "P0102", "220102", f"c{n}", 1) for n in range(8)),
)
RECALLS = table(
    "event_date product region affected ends_on completion",
    ("2025-06-01", "P0201", "220000", 9000.0, "2025-12-10", 0.41),
    ("2025-12-01", "P0301", None, 100.0, "2026-03-01", 0.1),
    ("2025-05-01", "P0102", "220000", 100.0, "2025-12-20", 0.99),
    ("2025-12-01", "P0601", "220200", 100.0, "2026-02-01", 0.2),
)
CERTIFICATES = table(
    "record_key event_date enterprise scheme product region status valid_until",
    ("c1", "2025-12-15", FIRM, "ccc", "P0101", "220104", "revoked", "2027-01-01"),
    ("c2", "2020-12-20", "firm2", "licence", "P0501", "220102", "valid", "2025-12-19"),
    ("c3", "2020-12-20", "firm3", "licence", "P0501", "220102", "valid", "2026-12-19"),
    ("c4", "2025-10-01", "firm4", "licence", "P0501", "220102", "suspended", "2026-12-19"),
    ("c5", "2025-12-15", "firm5", "ccc", "P0101", "220200", "revoked", "2027-01-01"),
)
LABORATORIES = table(
    "record_key event_date laboratory item region calibration calibration_until capability",
    ("l1", "2024-12-01", LABORATORY, "小零件", "220104", "valid", "2025-12-01", "accredited"),
    ("l2", "2025-06-01", LABORATORY, "温升", "220104", "valid", "2026-12-01", "accredited"),
    ("l3", "2025-06-01", "l-b", "温升", "220104", "valid", "2026-12-01", "accredited"),
)
NOTICES = table(
    "event_date system member hs_code product title comment_until",
    ("2025-11-12", "tbt", "KR", "7321", "P0501", "草案标题", "2026-01-11"),
    ("2025-12-12", "tbt", "EU", "8504", None, "草案标题", "2026-01-20"),
    ("2025-12-12", "tbt", "US", "8504", "P0201", "草案标题", "2026-02-20"),
)
MEDIA = table("event_date product region reports", ("2025-12-20", "P0501", "220000", 7), ("2025-12-21", "P0501", None, 2))
STEPS = table("ladder step region", *(("spot-check", "announced", "220104"),) * 3, ("spot-check", "announced", "220200"))


def frames():
    status = laboratory_status(LABORATORIES, as_of=AS_OF)
    return DossierFrames(
        accidents=accident_clocks(first_reports(REPORTS, as_of=AS_OF)),
        bursts=claimant_bursts(COMPLAINTS, as_of=AS_OF),
        recalls=recalls_in_force(RECALLS, as_of=AS_OF),
        certificates=certificates_in_force(CERTIFICATES, as_of=AS_OF),
        laboratories=status.assign(region="220104"),
        notices=open_trade_notices(NOTICES, as_of=AS_OF),
        media=MEDIA,
        steps=STEPS,
        labels={("spot-check", "announced"): Text(zh="已公告，待再次复查", en="announced, second recheck awaited")},
    )


@pytest.fixture(scope="module")
def digest(build):
    return build(dossiers=frames())


@pytest.fixture(scope="module")
def pages(digest):
    return {language: render_markdown(digest, language) for language in ("zh", "en")}


def section(text, start, end):
    return text[text.index(start) : text.index(end)]


def test_first_reports_carry_the_newest_toll_and_only_news():
    found = first_reports(REPORTS, as_of=AS_OF)
    assert list(zip(found["record_key"], found["deaths"], found["serious"], strict=True)) == [(KEY, 2, 6), ("A2", 0, 0)]
    late = first_reports(REPORTS.assign(known_at="2025-12-30"), as_of=AS_OF)
    assert set(late["record_key"]) == {KEY, "A2", "A3"}  # long past, learnt of yesterday


def test_accidents_are_those_of_the_centre_and_persons_under_five_are_not_counted(digest, pages):
    (line,) = digest.dossier.accidents
    assert (line.deaths, line.serious, line.hours, line.allowed, line.state) == (None, 6, 3.5, 1.0, "late")
    assert "Accident reports, last 7 days: 1 accident, 1 reported late." in section(pages["en"], "## 3", "## 4")
    assert "under 5 died, 6 seriously injured; reported after 3.5 h of 1 h allowed: late." in pages["en"]
    assert "死亡 不足 5 人、重伤 6 人；获知后 3.5 小时报告（时限 1 小时），迟报。" in section(pages["zh"], "## 三", "## 四")


def test_the_province_sees_both_late_ones_first(build):
    found = build(PROVINCE, dossiers=frames()).dossier.accidents
    assert [line.state for line in found] == ["late", "in-time"]
    assert (found[1].deaths, found[1].serious) == (0, 0)


def test_cases_and_licences_are_counted_within_the_centre(digest, pages):
    assert [(one.step, one.cases) for one in digest.dossier.steps] == [("announced", 3)]
    assert "抽查不合格后需升级处置的案件：已公告，待再次复查 3 件。" in section(pages["zh"], "## 六", "## 七")
    assert [(one.scheme, one.status, one.firms) for one in digest.dossier.certificates] == [
        ("ccc", "revoked", 1),
        ("licence", "expired", 1),
    ]
    assert (
        "Firms that lost a licence or certificate in 30 days: compulsory certification: revoked 1; production licences: expired 1."
        in section(pages["en"], "## 4", "## 5")
    )


def test_recalls_notices_and_media_stand_with_the_external_signals(digest, pages):
    assert [(one.state, one.completion) for one in digest.dossier.recalls] == [("overdue", 0.41), ("running", 0.1)]
    text = section(pages["en"], "## 7", "## 8")
    assert "Domestic recalls not completed: 2, overdue 1: e-bike chargers (41.0% done, overdue since 2025-12-10)" in text
    assert "comments due within 30 days: 2: Korea, gas cookers (until 2026-01-11); European Union, tariff code 8504" in text
    assert "Media reports, last 28 days: 9: gas cookers 9." in text


def test_bursts_and_laboratories_stand_with_the_data_quality(digest, pages):
    assert [(one.by_one, one.complaints) for one in digest.dossier.bursts] == [(90, None), (12, 20)]
    text = section(pages["en"], "## 8", "## 9")
    assert "90 about children's toys (Chaoyang), nearly all there are; 12 of 20 about electric kettles (Nanguan)." in text
    assert "Laboratories: 1 of 2 without valid calibration or capability for some items (小零件)" in text


def test_nothing_identifies_a_person_a_firm_or_a_laboratory(digest):
    mail = render_email(digest, "zh")
    texts = [render_json(digest), mail.html, *(render_html(digest, language) for language in ("zh", "en"))]
    for text in texts:
        for secret in (FIRM, PERSON, KEY, LABORATORY, "草案标题", "firm2"):
            assert secret not in text


def test_a_digest_without_dossiers_says_nothing_of_them_and_stored_ones_stay_valid(ordinary):
    stored = json.loads(render_json(ordinary))
    del stored["dossier"]
    for item in stored["warnings"]:
        for name in ("spread", "related", "held", "emergency"):
            del item[name]
    for item in stored["others"]:
        del item["held"]
    assert Digest.model_validate(stored) == ordinary
    assert not re.search(
        "Accident reports|recalls not completed|Laboratories:|Media reports|Cases to escalate", render_markdown(ordinary, "en")
    )


@pytest.mark.parametrize(("centre", "language"), [(CHANGCHUN, "zh"), (PROVINCE, "en")])
def test_an_ordinary_day_with_dossiers_prints_on_two_pages(build, tmp_path, centre, language):
    assert printed_pages(render_html(build(centre, dossiers=frames()), language), tmp_path) <= 2


NOTED = {
    "related": {
        "cause": {"hazard": "burn-fire", "category": "P01", "items": ["机密项目"], "producers": 3},
        "lead": {"kind": "product", "code": "P0101", "region": "220100"},
        "subjects": [{"kind": "product", "code": "P0201", "region": "220000"}, {"kind": "product", "code": "P0601", "region": "222400"}],
    },
    "emergency": {
        "kind": "event",
        "level": "II",
        "label": {"zh": "重大（Ⅱ级）", "en": "grave (level II)"},
        "declared_by": {"zh": "省级人民政府", "en": "provincial government"},
        "calls": [{"role": "duty", "within_hours": 0}, {"role": "bureau", "within_hours": 1, "contact": "13904311234"}],
    },
}
FIGURES = {"joins": 4, "joins_p": 0.012, "untouched_excess_p": 0.4}
BATCH = {
    "spot_checks": {"largest_batch_share": 0.62, "failed_with_batch": 8.0},
    "complaint": {"largest_platform_share": 0.3, "with_platform": 40},
}


def noted(build, day, *, facts=NOTED, figures=FIGURES, held=None):
    first, second, *rest = day.assessments
    one = dataclasses.replace(first, facts={**first.facts, **facts}, scope_figures={**first.scope_figures, **figures})
    back = {**facts.get("related", {}), "subjects": [{"kind": "product", "code": "P0101", "region": "220100"}]}
    other = dataclasses.replace(second, facts={**second.facts, **({"related": back} if "related" in facts else {})})
    if held is not None:
        for warning in day.warnings:
            warning.held = held
    try:
        return build(assessments=[one, other, *rest], warnings=day.warnings)
    finally:
        for warning in day.warnings:
            vars(warning).pop("held", None)


def test_the_cause_is_told_on_the_card_of_the_lead_and_pointed_at_from_the_others(build, day):
    digest = noted(build, day)
    lead, other = digest.warnings[:2]
    assert lead.related.tells
    assert [one.subject.en for one in lead.related.subjects] == ["e-bike chargers"]  # the one in another prefecture belongs there
    assert not other.related.tells
    text = render_markdown(digest, "en")
    assert text.count("Same cause (fire and burns, shared producers 3) as: e-bike chargers (Jilin, province-wide).") == 1
    assert text.count("Same cause as electric blankets (Changchun): told there.") == 1
    assert "机密项目" not in render_json(digest)


def test_scope_figures_are_said_only_where_they_say_something(build, day):
    digest = noted(build, day, facts=BATCH)
    text = render_markdown(digest, "en")
    told = "one batch has 62.0% of the failures with a batch number; high areas lie side by side (shared borders 4, p=0.012)"
    assert f"Spread: {told}." in text
    assert digest.warnings[0].spread.platform_share is None
    few = {"spot_checks": {"largest_batch_share": 1.0, "failed_with_batch": 4.0}, "complaint": {"largest_platform_share": 1.0}}
    assert "Spread:" not in render_markdown(noted(build, day, facts=few, figures={"joins_p": 0.3}), "en")
    one = noted(build, day, facts={"complaint": {"largest_platform_share": 0.75, "with_platform": 8}}, figures={})
    assert "分布：载明平台的记录中 75.0% 属同一平台。" in render_markdown(one, "zh")


SUPPLIERS = {"failed": 16, "known": 11, "named": 3, "same": 8, "producers": 3, "usual_known": 20, "p_value": 0.001, "verdict": "shared"}


@pytest.mark.parametrize(
    ("scope", "suppliers", "told"),
    [
        (Scope.SYSTEMIC, SUPPLIERS, "8 of 11 failed samples with a known supplier name the same one; 3 firms"),
        (
            Scope.INDUSTRY_WIDE,
            {**SUPPLIERS, "same": 2, "verdict": "none"},
            "no supplier stands out: 2 of 11 failed samples",
        ),
        (
            Scope.SYSTEMIC,
            {**SUPPLIERS, "verdict": "unknown"},
            "11 of 16 failed samples name a supplier: whether",
        ),
        (Scope.SYSTEMIC, {**SUPPLIERS, "known": 4, "verdict": "unknown"}, "hardly any failed sample has its supplier on record"),
        (Scope.SYSTEMIC, None, "no supplier tells whether the cause is shared"),
        (Scope.INDUSTRY_WIDE, {**SUPPLIERS, "verdict": "unknown"}, ""),
        (Scope.REGIONAL, SUPPLIERS, ""),
    ],
)
def test_what_suppliers_tell_is_on_the_card(build, day, scope, suppliers, told):
    first, *rest = day.assessments
    one = dataclasses.replace(first, scope=scope, scope_figures={**first.scope_figures, "suppliers": suppliers})
    digest = build(assessments=[one, *rest])
    text = render_markdown(digest, "en")
    assert (told in text) if told else "supplier" not in text
    assert (digest.warnings[0].spread.suppliers is not None) == bool(told)
    assert not told or "供应商" in render_markdown(digest, "zh")


def test_the_emergency_response_opens_the_measures_and_calls_nobody_by_number(build, day):
    digest = noted(build, day)
    text = render_markdown(digest, "en")
    line = "Emergency response proposed: grave (level II), declared by: provincial government; first calls within 1 h."
    assert line in text
    assert text.index(line) < text.index("order a stop of sales")
    assert "13904311234" not in render_json(digest)
    lower = noted(build, day, facts={"emergency": {**NOTED["emergency"], "level": "III"}})
    assert lower.warnings[0].emergency is None


def test_a_held_level_says_why_on_the_card_and_in_its_row(build, day):
    digest = noted(build, day, held={"zh": "等级暂不下调 13904311234", "en": "one window of two, 13904311234"})
    text = render_markdown(digest, "en")
    assert "Held: one window of two" in text
    assert "unchanged (held)" in text
    assert "13904311234" not in render_json(digest)
