"""Days with more urgent warnings than full cards have room: what stays, what is said to be elsewhere, and that it prints on two pages."""

from __future__ import annotations

import dataclasses
import html as html_module
import itertools
import re

import pytest

from riskwatch.digest import render_html, render_markdown
from riskwatch.digest.build import forms
from riskwatch.digest.cards import action_line
from riskwatch.digest.urgency import first_first, within_a_day
from tests.digest.conftest import AS_OF, action, printed_pages
from tests.digest.full_day import digest, ten_urgent


@pytest.fixture(scope="module")
def full():
    return digest()


def cards(text):
    """Split a Markdown digest into its cards, by warning id."""
    found = {}
    for part in text.split("\n### ")[1:]:
        body = re.split(r"\n#+ |\n\*\*|\n\|", part)[0]
        found[re.search(r"\((W2025-\d+)\)", part).group(1)] = html_module.unescape(re.sub(r"\\(.)", r"\1", body))
    return found


@pytest.mark.parametrize(("red", "language"), [(3, "zh"), (3, "en"), (10, "zh")])
def test_ten_urgent_warnings_print_on_two_pages(tmp_path, red, language):
    assert printed_pages(render_html(digest(red), language), tmp_path) <= 2


@pytest.mark.parametrize(
    ("urgent", "full", "brief", "yellow"),
    [(0, 3, 0, 3), (2, 3, 0, 1), (3, 3, 0, 0), (4, 2, 2, 0), (7, 2, 5, 0), (10, 1, 9, 0), (20, 1, 19, 0)],
)
def test_how_many_are_in_full(urgent, full, brief, yellow):
    live = [(f"U{number}", "I" if number < 2 else "II") for number in range(urgent)] + [(f"Y{number}", "III") for number in range(5)]
    in_full, in_brief = forms(live, 3)
    assert (len(in_full), len(in_brief)) == (full, brief)
    assert sum(name.startswith("Y") for name in in_full) == yellow
    assert not in_full & in_brief
    assert {f"U{number}" for number in range(urgent)} <= in_full | in_brief


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_brief_card_keeps_what_where_why_and_the_first_measure(full, language):
    told = cards(render_markdown(full, language))
    brief = [card for card in full.warnings if card.brief]
    assert len(brief) == 9
    for card in brief:
        text, lead = told[card.warning_id], card.measures[0]
        first = first_first(card.actions)[0]
        risk = {"H": {"zh": "高（H）", "en": "high (H)"}, "M": {"zh": "中（M）", "en": "medium (M)"}}[card.risk][language]
        for word in (card.subject.of(language), card.place.name.of(language), risk, card.confidence):
            assert word in text
        assert re.search(rf"\b{lead.observed:.0f} ?(人|persons)", text)
        assert first.measure.of(language) in text
        assert first.owner.of(language).lower() in text.lower()
        assert first.due_on.isoformat() in text


def test_no_fact_of_level_one_is_dropped():
    full = digest(10)
    told = cards(render_markdown(full, "en"))
    red = [card for card in full.warnings if card.grade == "I" and card.brief]
    assert len(red) == 9
    assert sum(card.severity == 3 for card in red) == 8  # the assessment of one prefecture is matched to a county's warning
    for card in red:
        text = told[card.warning_id]
        for count in (card.died, card.admitted):
            assert count is None or re.search(rf"\b{count} (died|admitted)", text)
        for name, number in card.failed_items:
            assert f"{name.en} {number}" in text
        for band, number in card.age_bands:
            assert f"{band.rstrip('+')} " in text
            assert number is None or str(number) in text
        assert card.units_in_use is None or f"{card.units_in_use:,}" in text
        assert card.hazard_name is None or card.hazard_name.en in text
        assert f"severity {card.severity} (" in text
        for measure in within_a_day(card.actions):
            assert measure.measure.en in text


def test_what_is_left_out_is_said_to_be_in_the_data_file(full):
    text = render_markdown(full, "en")
    hidden = sum(not (card.in_full or card.brief or card.row_shown) for card in full.warnings) + sum(not row.shown for row in full.others)
    assert f"{hidden} warnings are not listed here" in text
    assert "Cards in brief: all series and measures are in the data file (JSON)" in text
    assert "14 terms" not in text
    assert f"{len(full.incidents.clocks) - 2} further terms to report" in text
    assert all(card.actions and card.measures for card in full.warnings if card.brief)


def test_bottom_line_names_every_urgent_warning(full):
    for language in ("zh", "en"):
        opening = render_markdown(full, language).split("\n## ")[1]
        for card in full.warnings:
            if card.grade in {"I", "II"}:
                assert card.subject.of(language) in opening
                assert card.place.name.of(language) in opening


def test_what_is_due_at_once_comes_first_then_the_shortest_term_then_the_stage():
    def line(key, **changes):
        return action_line(dataclasses.replace(action(key), **changes))

    investigate = line("stop", deadline=2, unit="hour", due_on=AS_OF, stage="verify", measure={"zh": "调查", "en": "investigate"})
    assess = line("stop", deadline=2, unit="hour", due_on=AS_OF, stage="assess", measure={"zh": "会商", "en": "assess"})
    handle = line("stop", deadline=2, unit="hour", due_on=AS_OF, stage="handle", measure={"zh": "停售", "en": "stop sales"})
    at_once = line("report-II", deadline=0, unit="hour", stage="approve", measure={"zh": "立即报告", "en": "report at once"})
    tomorrow = line(
        "stop", deadline=24, unit="hour", due_on=AS_OF.replace(year=2026, month=1, day=1), measure={"zh": "召回", "en": "recall"}
    )
    accident = line("report-II", deadline=2, unit="hour", due_on=None, measure={"zh": "事故上报", "en": "report the accident"})
    never = line("notice")
    wanted = (at_once, investigate, assess, handle, tomorrow, accident, never)
    for order in itertools.islice(itertools.permutations(wanted), 0, 5040, 97):
        assert first_first(order) == wanted
    assert within_a_day(wanted) == wanted[:5]


def test_the_card_and_the_next_deadline_follow_that_order():
    assessments, warnings = ten_urgent(1)
    cdc = dataclasses.replace(action("stop"), deadline=2, unit="hour", due_on=AS_OF, owner={"zh": "疾控机构", "en": "CDC"})
    now = dataclasses.replace(
        action("report-II"), deadline=0, unit="hour", due_on=AS_OF, measure={"zh": "立即报告", "en": "report at once"}
    )
    told = [dataclasses.replace(assessments[0], actions=(cdc, now)), *assessments[4:]]
    keep = {item.subject for item in told}
    text = render_markdown(digest(assessments=told, warnings=[item for item in warnings if item.subject in keep], events=[]), "en")
    assert text.index("report at once") < text.index("CDC: order a stop")
    assert f"next deadline {AS_OF} (supervision centre)" in text.split("\n## ")[1]


def test_the_form_does_not_depend_on_the_order_of_inputs(full):
    assessments, warnings = ten_urgent()
    mixed = digest(assessments=assessments[::2] + assessments[1::2], warnings=warnings[::-1])
    assert [(card.warning_id, card.in_full, card.brief) for card in mixed.warnings] == [
        (card.warning_id, card.in_full, card.brief) for card in full.warnings
    ]
