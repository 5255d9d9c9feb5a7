"""Casework in the digest: each card says where its case stands, what is set aside is counted, and it still prints on two pages."""

from __future__ import annotations

import datetime as dt
import html as html_module
import re

import pytest

from riskwatch.assessment import Grade
from riskwatch.casework.view import Handling
from riskwatch.digest import Digest, render_html, render_json, render_markdown, render_text
from riskwatch.rulebase import Text
from tests.digest.conftest import AS_OF, PROVINCE, make, printed_pages, province_day
from tests.digest.full_day import digest, ten_urgent

OWNER = Text(zh="省局", en="provincial bureau")
DESK = Text(zh="吉林省研判岗", en="Jilin Province, analyst post")
LATER = dt.date(2026, 1, 20)


def handled(warning, **changes):
    """Return where the case of a warning stands: every part of the line is there."""
    given = {
        "stage": "handle",
        "stage_label": Text(zh="处置", en="handling"),
        "owner": OWNER,
        "assignee": DESK,
        "acknowledged_by": DESK,
        "acknowledged_until": dt.date(2026, 1, 7),
        "due_on": dt.date(2026, 1, 6),
        "due_how": "working-days",
        "overdue": False,
        "escalations": 1,
        "machine": warning.grade,
        "level": None,
        "needed": 2,
        "signed": 1,
        "confirmed": False,
        "closed": False,
        "closed_as": None,
        "verdict": "",
        "hidden_until": None,
    }
    return Handling(**{**given, **changes})


def all_of(warnings, **changes):
    return {warning.warning_id: handled(warning, **changes) for warning in warnings}


def plain(text):
    return html_module.unescape(re.sub(r"\\(.)", r"\1", text))


@pytest.fixture(scope="module")
def worked():
    return make(PROVINCE, handled=all_of(province_day().warnings))


LINES = {
    "zh": ("处置（省局）", "承办吉林省研判岗", "签收至 01-07", "本阶段期限 01-06", "上移 1 次", "复核 1/2"),
    "en": ("Handling (provincial bureau)", "with Jilin Province, analyst post", "acknowledged to 01-07", "stage due 01-06", "reviewed 1/2"),
}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_card_says_stage_owner_assignee_acknowledgement_and_term(worked, language):
    full = [card for card in worked.warnings if card.in_full and card.grade in {"I", "II"}]
    assert full
    text = plain(render_markdown(worked, language))
    for card in full:
        part = text.split(f"({card.warning_id})")[1].split("\n### ")[0]
        for words in LINES[language]:
            assert words in part, words


@pytest.mark.parametrize(
    ("language", "head", "stage"), [("zh", "时限与阶段", "处置逾期"), ("en", "Next deadline, stage", "handling (overdue)")]
)
def test_a_row_says_its_next_deadline_and_the_stage_of_its_case(language, head, stage):
    made = make(PROVINCE, handled=all_of(province_day().warnings, overdue=True))
    rows = [row for row in made.others if row.shown and row.handling is not None]
    assert rows
    lines = plain(render_markdown(made, language)).splitlines()
    assert any(line.endswith(f"{head} |") for line in lines)
    assert sum(line.endswith(f"{stage} |") for line in lines) >= len(rows)
    assert head not in render_markdown(make(PROVINCE), language)


@pytest.mark.parametrize(("language", "proposed", "confirmed"), [("zh", "建议，", "已复核，"), ("en", "proposed, ", "confirmed, ")])
def test_levels_one_and_two_are_marked_as_proposed_until_enough_have_signed(language, proposed, confirmed):
    warnings = province_day().warnings
    for done, mark, other in ((False, proposed, confirmed), (True, confirmed, proposed)):
        made = make(PROVINCE, handled=all_of(warnings, confirmed=done))
        heads = [line for line in plain(render_markdown(made, language)).splitlines() if line.startswith("### ")]
        urgent = {card.warning_id for card in made.warnings if card.grade in {"I", "II"} and (card.in_full or card.brief)}
        marked = {code for code in urgent for line in heads if f"({code})" in line and mark in line}
        assert marked == urgent
        assert not any(other in line for line in heads)


def test_a_level_of_people_is_shown_beside_the_machines():
    warnings = province_day().warnings
    lead = next(one for one in warnings if one.grade is Grade.II)
    known = {**all_of(warnings), lead.warning_id: handled(lead, level=Grade.II, machine=Grade.III)}
    made = make(PROVINCE, handled=known)
    assert "人工定级二级（橙色），系统建议三级（黄色）" in plain(render_markdown(made, "zh"))
    assert "level set by people: Level II (orange); proposed by the system: Level III (yellow)" in plain(render_markdown(made, "en"))


def test_closed_and_silenced_ones_are_counted_and_not_listed():
    warnings = province_day().warnings
    base = make(PROVINCE)
    listed = [card.warning_id for card in base.warnings]
    gone, hidden = listed[0], listed[-1]
    by_id = {one.warning_id: one for one in warnings}
    known = all_of(warnings)
    known[gone] = handled(by_id[gone], closed=True, closed_as=Text(zh="误报", en="false alarm"), verdict="false")
    known[hidden] = handled(by_id[hidden], hidden_until=LATER)
    made = make(PROVINCE, handled=known)
    assert (made.set_aside.closed, made.set_aside.silenced, made.set_aside.silenced_until) == (1, 1, LATER)
    assert (made.calibration.confirmed, made.calibration.refuted) == (0, 1)
    assert made.calibration.open == base.calibration.open - 1
    assert "0 confirmed, 1 refuted" in plain(render_markdown(made, "en"))
    for language, line in (
        ("zh", "未列出：已销号 1 条；静默 1 条（最迟至 2026-01-20）；一旦加重即重新列出。"),
        ("en", "Not listed: 1 closed; 1 silenced (until 2026-01-20 at the latest); one that worsens is back."),
    ):
        text = plain(render_markdown(made, language))
        assert line in text
        assert text.count(gone) == text.count(hidden) == 0
    assert sum(count.new + count.raised for count in made.bottom_line.counts) == len(listed) - 2
    assert not any(case.warning_id in {gone, hidden} for case in (*made.cases.overdue, *made.cases.this_week))


def test_without_casework_nothing_is_said_and_old_digests_are_read():
    made = make(PROVINCE)
    assert made.set_aside is None
    assert "办理" not in render_markdown(made, "zh").split("## ")[2]
    text = render_json(made)
    stored = Digest.model_validate_json(re.sub(r',\s*"set_aside": null', "", re.sub(r',\s*"handling": null', "", text)))
    assert stored == made


def test_html_and_text_say_the_same(worked):
    for words in LINES["en"]:
        assert words in html_module.unescape(render_html(worked, "en"))
        assert words in render_text(worked, "en")


@pytest.mark.slow
@pytest.mark.parametrize(("red", "language"), [(3, "en"), (10, "zh")])
def test_a_full_day_with_a_line_on_every_card_still_prints_on_two_pages(tmp_path, red, language):
    # They are new: nobody has taken them up yet.
    fresh = {"stage_label": Text(zh="监测", en="monitoring"), "assignee": None, "acknowledged_by": None, "acknowledged_until": None}
    made = digest(red, handled=all_of(ten_urgent(red)[1], **fresh, escalations=0, signed=0, due_on=AS_OF))
    assert printed_pages(render_html(made, language), tmp_path) <= 2


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_ordinary_day_still_prints_on_two_pages(tmp_path, worked, language):
    assert worked.header.date == AS_OF
    assert printed_pages(render_html(worked, language), tmp_path) <= 2
