"""Personal data never appears, wherever it is planted."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskwatch.assessment.types import Step
from riskwatch.digest import QualityReport, SourceHealth, render_email, render_html, render_json, render_markdown
from riskwatch.digest.privacy import MASK, MIN_CELL, age_bands, guarded, integer_fact, item_counts, scrub

IDENTITY = "220102197803124416"
CREDIT = "91220101MA0Y3G5K2T"
PHONE = "13904311234"
PLATE = "吉A·C1234"
NAME = "张建国"
FIRM = "长春某某电器有限公司"
HOSPITAL = "某某骨科医院"
SECRETS = (IDENTITY, CREDIT, PHONE, "139-0431-1234", "0431-88921234", "zhang@example.com", PLATE, "6222021234567890123")
NARRATIVE = f"患者{NAME}，身份证{IDENTITY}，电话{PHONE}，在{FIRM}购买，就诊于{HOSPITAL}"


def everything(digest):
    mail = render_email(digest, "zh")
    pages = [render_html(digest, language) for language in ("zh", "en")] + [render_markdown(digest, language) for language in ("zh", "en")]
    return "\n".join([render_json(digest), mail.html, mail.subject, *pages])


def test_facts_pass_by_whitelist_only(build, day):
    """Names cannot be told by pattern: whatever is not a known figure stays behind."""
    first = day.assessments[0]
    injuries = {
        **first.facts["injuries"],
        "narrative": NARRATIVE,
        "by_outcome": {"admitted": 3, NAME: 1},
        "age_bands": {"5-9": 6, NARRATIVE: 9, "37": 1},
        "deaths": NARRATIVE,
    }
    checks = {
        "items": [{"item": "标志", "failed": 3, "producer_name": FIRM}, {"item": "温升", "failed": NARRATIVE}],
        "shared_item": NARRATIVE,
    }
    facts = {
        **first.facts,
        "injuries": injuries,
        "spot_checks": checks,
        "name": {"zh": NAME, "en": NAME},
        "narrative": NARRATIVE,
        "largest_producer": FIRM,
    }
    planted = dataclasses.replace(
        first,
        facts=facts,
        scope_figures={**first.scope_figures, "producer_names": [FIRM], "largest_region": NARRATIVE, "counties": NARRATIVE},
        steps=(*first.steps, Step(NARRATIVE, {"record": NARRATIVE}, NARRATIVE, first.grade)),
        hazard=NARRATIVE,
    )
    digest = build(assessments=[planted])
    text = everything(digest)
    for secret in (*SECRETS, NAME, FIRM, HOSPITAL):
        assert secret not in text
    card = digest.warnings[0]
    assert (card.died, card.admitted, card.counties) == (None, 3, None)
    assert [item.zh for item, _ in card.failed_items] == ["标志"]


@pytest.mark.parametrize("secret", SECRETS)
def test_identifiers_are_masked_in_every_sentence(build, day, secret):
    planted = f"说明 {secret} 结束"
    first = day.assessments[0]
    action = dataclasses.replace(first.actions[0], measure={"zh": planted, "en": planted}, owner={"zh": planted, "en": planted})
    facts = {**first.facts, "spot_checks": {"items": [{"item": planted, "failed": 5}]}}
    assessment = dataclasses.replace(first, actions=(action,), what_would_change=({"zh": planted, "en": planted},), facts=facts)
    event = SimpleNamespace(**{**vars(day.events[0]), "reason": {"zh": planted, "en": planted}})
    quality = QualityReport(
        sources=(SourceHealth("s", planted, planted, None, None, 0, "silent", 0, planted, planted),),
        rolled_up=((planted, planted, "", "", planted),),
        failed_models=(planted,),
    )
    text = everything(build(assessments=[assessment], events=[event], quality=quality, series_history={}))
    assert secret not in text
    assert text.count(MASK) > 10 or text.count("\\*\\*\\*") > 10


@pytest.mark.parametrize(
    "harmless", ["2025-12-31", "1,234,567 件", "GB 4706.1-2005 第13条", "q=0.004", "220100", "令18", "W2025-0131", "第45–46条"]
)
def test_figures_and_standards_are_not_masked(harmless):
    assert scrub(harmless) == harmless


def test_small_cells_are_suppressed_with_a_second():
    assert age_bands({"0-4": 9, "5-9": 2, "65+": 7}) == (("0-4", 9), ("5-9", None), ("65+", None))
    assert age_bands({"0-4": 9, "5-9": 2, "65+": 3}) == (("0-4", 9), ("5-9", None), ("65+", None))
    assert age_bands({"0-4": 9, "5-9": None, "10\u201314": 6, "65+": 7}) == (("0-4", 9), ("5-9", None), ("10-14", None), ("65+", 7))
    assert age_bands({"0-4": 2, "5-9": 3}) == ()
    assert age_bands("0-4: 3") == ()


@given(st.dictionaries(st.sampled_from(["0-4", "5-9", "10-14", "15-24", "25-44", "45-64", "65+", "x"]), st.integers(0, 30)))
def test_no_small_cell_can_be_recovered(counts):
    shown = age_bands(counts)
    assert all(count is None or count >= MIN_CELL for _, count in shown)
    assert sum(count is None for _, count in shown) != 1


@pytest.mark.parametrize("value", ["3", True, -1, 2.5, None, [3], {"n": 3}, float("nan")])
def test_only_whole_numbers_are_figures(value):
    assert integer_fact({"deaths": value}, "deaths") is None


def test_items_need_a_name_and_a_count():
    assert item_counts([{"item": "a", "failed": 1.0}, {"item": "", "failed": 3}, {"failed": 2}, "x", {"item": "b", "failed": "9"}]) == (
        ("a", 1),
    )
    assert item_counts("标志") == ()


@pytest.mark.parametrize("figure", ["0.07377049180327869", "0.013812345678", "12.012345678901234567", "0.5555555555555556"])
def test_the_decimals_of_a_figure_are_no_identifier(figure: str) -> None:
    assert guarded(f"share {figure} of samples") == f"share {figure} of samples"
    assert guarded(f"card {figure.replace('.', '9').rjust(16, '6')[:16]}") == "card ***"
