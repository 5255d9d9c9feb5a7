"""The two catalogues: same keys, same fields, no language in the other's place."""

from __future__ import annotations

import re
import string

import pytest

from riskwatch.digest import render_markdown
from riskwatch.digest.numbers import amount, one_in, pair, percent, probability, ratio, significant
from riskwatch.digest.sentences import Speaker
from riskwatch.digest.text import Wording
from riskwatch.digest.text_en import TEXT as EN
from riskwatch.digest.text_zh import TEXT as ZH

# Latin letters that a Chinese official text keeps: file format, statistics, level codes.
CODES = {"JSON", "q", "p", "n", "C", "S", "H", "M", "L", "I", "II", "III", "IV"}


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys():
    assert list(ZH) == list(EN)


@pytest.mark.parametrize("key", sorted(ZH))
def test_both_languages_use_the_same_fields(key):
    assert fields(ZH[key]) == fields(EN[key])


def test_no_english_word_in_the_chinese_catalogue():
    for key, text in ZH.items():
        bare = re.sub(r"\{[^}]*\}", "", text)
        assert set(re.findall(r"[A-Za-z]+", bare)) <= CODES, key
        assert (
            bare == ""
            or re.search(r"[\u3000-\u9fff\uff00-\uffef〔〕]|^\W*$", bare)
            or key.startswith(("meta", "action.", "card.title", "date_long"))
        ), key


def test_no_chinese_in_the_english_catalogue():
    for key, text in EN.items():
        assert not re.search(r"[\u3000-\u9fff\uff00-\uffef]", text), key


def test_a_chinese_digest_holds_no_english_words(ordinary):
    """All that is left of Latin letters are identifiers, the names of foreign systems and hazards, and the codes above."""
    text = render_markdown(ordinary, "zh")
    given = {"W", "RASFF", "CPSC", "Listeria", "monocytogenes", "fire"}
    assert set(re.findall(r"[A-Za-z]+", re.sub(r"&\w+;", "", text))) <= CODES | given


def test_an_english_digest_holds_chinese_only_where_a_record_does(ordinary):
    text = render_markdown(ordinary, "en")
    left = set(re.findall(r"[\u4e00-\u9fff]+", text))
    assert left <= {"工作温度下的泄漏电流", "标志", "介电强度", "温升"}


def test_nouns_follow_numbers():
    say = Wording("en")
    assert say("scope.prefectures", n=1) == "1 prefecture"
    assert say("scope.prefectures", n=1200) == "1,200 prefectures"
    assert Wording("zh")("scope.prefectures", n=1) == "1 个市州"


def test_braces_in_values_are_left_alone():
    assert Wording("en")("sign.contact", contact="{n} {0} {x.y}") == "Duty desk: {n} {0} {x.y}"


def test_chinese_dates_name_the_weekday(ordinary):
    assert "2025-12-31（周三）" in render_markdown(ordinary, "zh")
    assert "2025-12-31 (Wed)" in render_markdown(ordinary, "en")


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (amount(18.0), "18"),
        (amount(6.24), "6.2"),
        (amount(62.04), "62"),
        (amount(1234.5), "1,234"),
        (amount(0.034), "0.034"),
        (amount(None), "–"),
        (amount(float("nan")), "–"),
        (percent(8, 60), "13.3%"),
        (percent(0, 60), "0%"),
        (percent(1, 0), "–"),
        (ratio(2.87), "2.9"),
        (ratio(None), "–"),
        (probability(0.0004), "<0.001"),
        (probability(0.0123), "=0.012"),
        (probability(0.5), "=0.50"),
        (one_in(1 / 2345), "1/2,300"),
        (one_in(0.25), "25%"),
        (pair(8, 2.46, 60), "8/60 (13.3% / 4.1%)"),
        (pair(9, 4.1, None), "9 / 4.1"),
    ],
)
def test_figures(got, wanted):
    assert got == wanted


def test_infinity_is_no_figure():
    assert significant(float("inf")) is None
    assert significant(1 / 3) == 0.333333


def test_a_new_combination_in_words(ordinary):
    """No "517 times expected" where hardly any are; fields of a stratum by their names, commas inside a hazard kept."""
    measure = (
        next(card for card in ordinary.warnings if card.measures)
        .measures[0]
        .model_copy(
            update={
                "observed": 15.0,
                "exposure": None,
                "expected": 0.029,
                "ratio": 517.0,
                "stratum": "hazard=1,3-dichloropropanol, sum, origin=(missing)",
            }
        )
    )
    for language, rare, where in (
        ("en", "hardly any before", "hazard 1,3-dichloropropanol, sum, origin not stated"),
        ("zh", "此前极少发生", "危害物 1,3-dichloropropanol, sum、原产地 未载明"),
    ):
        said = Speaker(ordinary, language).measure(measure)
        assert rare in said
        assert where in said
        assert "517" not in said


def test_a_limit_below_the_expectation_is_explained(ordinary):
    """After high weeks a method that weighs them together leaves no room: "interval 0 to 0" would read as a mistake."""
    found = next(card for card in ordinary.warnings if card.measures).measures[0]
    measure = found.model_copy(update={"observed": 6.0, "exposure": None, "expected": 0.6, "lower": 0.0, "upper": -1.0})
    assert "limit lowered to 0 by the high periods before" in Speaker(ordinary, "en").measure(measure)
    assert "前几期已偏高，本期上限降至 0" in Speaker(ordinary, "zh").measure(measure)
    room = measure.model_copy(update={"upper": 4.0})
    assert "interval 0 to 4" in Speaker(ordinary, "en").measure(room)
