"""The digest's section of quality indicators: short, only what is to be told, in both languages, and nothing of a record's text."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest

from riskwatch.digest import Digest, render_email, render_html, render_json, render_markdown
from riskwatch.digest.indicators import IndicatorInputs
from riskwatch.indicators.attainment import attainment
from riskwatch.indicators.overview import overview
from riskwatch.indicators.values import prepare
from tests.digest.conftest import AS_OF, CHANGCHUN, PROVINCE, printed_pages
from tests.indicators.conftest import frame, record, shipped, years

NOW = "2025-12-20"


def inputs(*rows):
    catalogue = shipped()
    values = prepare(frame(*rows), catalogue.indicators, catalogue.methods)
    regions = [region for region in values["region"].unique() if region != "CN"]
    return IndicatorInputs(overview(values, catalogue, as_of=AS_OF), attainment(values, catalogue, as_of=AS_OF, regions=regions), catalogue)


def quarter(code, region, now, before, *, known=NOW, **more):
    return [
        record(code, region, "2024-09-30", before, kind="quarter", **more),
        record(code, region, "2025-09-30", now, kind="quarter", known=known, **more),
    ]


ROWS = (
    *quarter("quality-loss-rate", "220100", 1.9, 1.4, se=0.03),  # worse, as lower is better
    *quarter("export-pass-rate", "220100", 99.2, 99.1, n=300),  # within its uncertainty
    *quarter("producer-service-satisfaction", "220100", 80.0, 74.0, se=0.5, known="2025-11-01"),  # better, but no news any more
    *quarter("consumer-service-satisfaction", "220100", 84.0, 80.0, se=0.5),  # better, and news
    *years("customer-satisfaction", "220100", [77, 77, 77, 77, 77, 77.0], se=0.5),  # D4 is at risk
    *years("engineering-satisfaction", "220100", [77, 77, 77.0], se=0.5),  # stopped after 2021
    *years("customer-satisfaction", "220000", [77, 77, 77, 77, 77, 79.0], se=0.5),
    *years("customer-satisfaction", "CN", [77, 77, 77, 77, 77, 81.0], se=0.5),
)


FALLEN = (
    "emission-compliance",
    "completed-works-conformity",
    "first-acceptance-other",
    "key-source-compliance",
    "drinking-source-compliance",
    "energy-standard-conformity",
    "maintenance-works-conformity",
)


def fallen(region):
    """Seven indicators that have become worse, and it is news."""
    before = [record(code, region, "2023-12-31", 99.0, n=9000) for code in FALLEN]
    return before + [record(code, region, "2024-12-31", 90.0, n=9000, known=NOW) for code in FALLEN]


def test_only_what_is_to_be_told_and_what_asks_for_something_first(build):
    section = build(indicators=inputs(*ROWS)).indicators
    assert [(line.why, line.code) for line in section.lines] == [
        ("worse", "quality-loss-rate"),
        ("at-risk", "customer-satisfaction"),
        ("lost", "engineering-satisfaction"),
    ]
    risk = section.lines[1]
    assert (risk.target, risk.asked, risk.target_year, risk.period) == ("D4", 80.0, 2026, "2024")
    assert risk.chance < 0.2
    assert (risk.national, risk.wider, risk.wider_name.en) == (-4.0, -2.0, "Jilin")
    assert section.lines[2].missing_since == "2022"
    # The better one is counted, not printed; what did not change, and what is no news any more, is neither.
    assert (section.more, section.targets_at_risk, section.lost) == (1, 1, 1)


def test_no_more_lines_than_the_rules_allow(build):
    rows = fallen("220100")
    section = build(indicators=inputs(*rows)).indicators
    assert (len(section.lines), section.more) == (3, 4)
    assert "另有 4 项未列出" in render_markdown(build(indicators=inputs(*rows)), "zh")


def test_a_day_without_news_says_so_in_one_line(build):
    digest = build(indicators=inputs(*years("waste-treatment", "220100", [98, 98, 98, 98, 98, 98.0])))
    assert digest.indicators.lines == ()
    assert "近 28 天没有值得注意的变化" in render_markdown(digest, "zh")
    assert "Nothing of note has changed within 28 days" in render_markdown(digest, "en")


def test_there_is_no_section_without_figures_of_the_region(build, ordinary):
    assert ordinary.indicators is None
    assert "宏观质量指标" not in render_markdown(ordinary, "zh")
    assert build(indicators=inputs(*years("waste-treatment", "220200", [98, 98.0]))).indicators is None


def test_digests_stored_before_there_were_indicators_stay_valid(ordinary):
    stored = json.loads(render_json(ordinary))
    del stored["indicators"]
    assert Digest.model_validate(stored) == ordinary


def test_a_province_hears_of_series_that_stopped_within_it(build):
    rows = [*ROWS, *years("customer-satisfaction", "222400", [70, 71, 72.0], se=0.5)]
    lost = [line.place.code for line in build(PROVINCE, indicators=inputs(*rows)).indicators.lines if line.why == "lost"]
    assert lost == ["222400", "220100"]
    assert {line.place.code for line in build(indicators=inputs(*rows)).indicators.lines} == {"220100"}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_form_shows_the_section_before_the_signatures(build, language):
    digest = build(indicators=inputs(*ROWS))
    heading, last = {"zh": ("附、宏观质量指标", "十、联系人与签批"), "en": ("Annex: macro quality indicators", "10 Contacts")}[language]
    for text in (render_markdown(digest, language), render_html(digest, language), render_email(digest, language).text):
        assert text.index(heading) < text.index(last)
        assert "1.90" in text
    text = render_markdown(digest, language)
    assert ("2026 年 ≥ 80" if language == "zh" else "≥ 80 in 2026") in text
    if language == "zh":
        section = re.sub(r"&\w+;", "", text[text.index(heading) : text.index(last)])
        assert set(re.findall(r"[A-Za-z]+", section)) <= {"Q", "D"}


def test_no_text_of_a_record_passes(build):
    secret = "张三 13812345678 某某有限公司"
    given = inputs(*ROWS)
    given.overview["note"] = secret
    given.overview["source"] = secret
    given.targets["note"] = secret
    digest = build(indicators=given)
    for text in (render_json(digest), render_markdown(digest, "zh"), render_html(digest, "en")):
        assert "13812345678" not in text
        assert "某某有限公司" not in text


@pytest.mark.parametrize(("centre", "language"), [(CHANGCHUN, "zh"), (PROVINCE, "en")])
def test_an_ordinary_day_with_a_full_section_prints_on_two_pages(build, tmp_path, centre, language):
    flat = {
        "manufacturing-pass-rate": 93.62,
        "quality-loss-rate": 1.9,
        "customer-satisfaction": 77.8,
        "producer-service-satisfaction": 77.6,
    }
    rows = [row for code, value in flat.items() for row in years(code, centre.region, [value] * 6, se=0.4)]
    rows += [row for code in flat for row in years(code, "CN", [flat[code]] * 6, se=0.1)]
    digest = build(centre, indicators=inputs(*rows))
    assert {line.why for line in digest.indicators.lines} == {"at-risk"}
    assert len(digest.indicators.lines) == 3
    assert printed_pages(render_html(digest, language), tmp_path) <= 2


def test_the_day_is_given_and_not_read(build):
    later = shipped().methods.recent_days
    rows = quarter("quality-loss-rate", "220100", 1.9, 1.4, se=0.03, known=str(AS_OF - dt.timedelta(days=later)))
    assert build(indicators=inputs(*rows)).indicators.lines == ()
