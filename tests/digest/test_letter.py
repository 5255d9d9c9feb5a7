"""A digest as a letter: what counts as news, what a catch-up and a correction say first, an alert alone."""

from __future__ import annotations

import datetime as dt

import pytest

from riskwatch.digest import QualityReport, render_markdown
from riskwatch.digest.letter import alert_letter, digest_letter, headlines, told
from riskwatch.digest.render import set_email, set_html, set_markdown
from tests.digest.conftest import AS_OF


@pytest.mark.parametrize("language", ["zh", "en"])
def test_news_is_what_the_reader_reads_not_the_state_of_sources(ordinary, language):
    first = told(ordinary, language)
    backlog = ordinary.model_copy(
        update={"quality": ordinary.quality.model_copy(update={"quarantine_open": 99, "undelivered": (("digest", 1),)})}
    )
    unseen = ordinary.model_copy(
        update={"warnings": (ordinary.warnings[0].model_copy(update={"units_in_use": None}), *ordinary.warnings[1:])}
    )
    assert told(backlog, language) == first
    assert told(unseen, language) != first
    assert told(ordinary, "zh") != told(ordinary, "en")


def test_a_plain_letter_is_the_digest(ordinary):
    page, _ = digest_letter(ordinary, "en")
    assert set_markdown(page) == render_markdown(ordinary, "en")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_catch_up_tells_of_each_day_first(ordinary, language):
    days = [AS_OF - dt.timedelta(days=back) for back in (2, 1)]
    missed = [ordinary.model_copy(update={"header": ordinary.header.model_copy(update={"date": day})}) for day in days]
    quiet = missed[1].model_copy(
        update={
            "bottom_line": missed[1].bottom_line.model_copy(
                update={
                    "counts": tuple(one.model_copy(update={"new": 0, "raised": 0, "recovered": 0}) for one in missed[1].bottom_line.counts)
                }
            )
        }
    )
    page, _ = digest_letter(ordinary, language, missed=[missed[0], quiet])
    first = page.sections[0]
    lines = [item.text for item in first.blocks[1].items]
    assert lines[0].startswith("2025-12-29")
    assert ("电热毯" if language == "zh" else "electric blankets") in lines[0]
    assert lines[1] == ("2025-12-30：无新变动。" if language == "zh" else "2025-12-30: nothing new.")
    assert page.subject.startswith("【补报 2025-12-29 至 2025-12-31】" if language == "zh" else "[Catch-up 2025-12-29 to 2025-12-31]")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_alert_holds_its_warning_and_no_other(ordinary, language):
    card = next(card for card in ordinary.warnings if card.grade == "II")
    page, pictures = alert_letter(ordinary, language, card.warning_id)
    mail = set_email(page, pictures)
    assert len(mail.images) == 1
    assert f"cid:{mail.images[0].cid}" in mail.html
    assert card.subject.of(language).lower() in mail.text.lower()
    assert card.warning_id in mail.text
    others = [other.warning_id for other in ordinary.warnings if other is not card]
    assert not [name for name in others if name in mail.text]
    assert alert_letter(ordinary, language, "no such warning") is None
    row = ordinary.others[0]
    text = set_markdown(alert_letter(ordinary, language, row.warning_id)[0])
    assert row.place.name.of(language) in text
    rose = set_markdown(alert_letter(ordinary, language, row.warning_id, change="new")[0])
    assert ("新增——" if language == "zh" else ", new –") in rose.replace("\\", "")


def test_headlines_are_in_the_order_of_the_digest(ordinary):
    lines = headlines(ordinary, "zh")
    assert len(lines) == len(ordinary.warnings)
    assert lines[0].startswith("二级（橙色）加重（原三级（黄色））——电热毯")
    assert headlines(ordinary, "zh", ordinary.warnings[1].warning_id) == (lines[1],)


def test_letters_that_were_not_delivered_are_told_to_their_centre(build):
    day = dt.date(2025, 12, 30)
    quality = QualityReport(undelivered={"changchun": (("digest", day), ("alert", AS_OF), ("digest", AS_OF)), "jilin": (("alert", day),)})
    digest = build(quality=quality)
    assert digest.quality.undelivered == (("alert", 1), ("digest", 2))
    assert digest.quality.undelivered_since == day
    assert "未能送达的消息：快报 1 条、简报 2 条，最早为 2025-12-30" in set_html(*digest_letter(digest, "zh"))
    assert "Not delivered: alerts 1, digests 2, the oldest of 2025-12-30." in render_markdown(digest, "en").replace("\\", "")
    assert "未能送达" not in render_markdown(build(), "zh")
