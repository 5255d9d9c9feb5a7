"""What identifies somebody never survives, and what tells of a product does."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.texts import MASK, scrub


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("电话13812345678", "138"),
        ("电话 138-1234-5678 联系", "5678"),
        ("手机１３８１２３４５６７８", "138"),
        ("座机0431-88654321", "8865"),
        ("身份证22010219900307123X", "1990"),
        ("车牌吉A12345", "A123"),
        ("驾驶吉A·D12345新能源车", "D123"),
        ("微信号abc_12345", "abc_"),
        ("加wx:zhang2020联系", "zhang"),
        ("邮箱 li.si@example.com", "example"),
        ("患者张某在家", "张某"),
        ("王先生称", "王先生"),
        ("李某某投诉", "李某"),
        ("姓名:欧阳娜娜", "欧阳"),
        ("患儿刘明，3岁", "刘明"),
        ("在长春市第一中学门口", "第一中学"),
        ("于朝阳实验小学操场", "朝阳实验"),
        ("送至吉林大学第一医院", "第一医院"),
        ("购自长春市好再来商贸有限公司", "好再来"),
        ("住人民大街1234号3单元", "人民大街"),
        ("住幸福小区5栋", "幸福"),
        ("AT LINCOLN MIDDLE SCHOOL TODAY", "LINCOLN"),
        ("SEEN AT MERCY GENERAL HOSPITAL", "MERCY"),
        ("MR SMITH FELL", "SMITH"),
        ("Dr. Jones saw", "Jones"),
        ("AT 123 MAIN STREET", "MAIN"),
        ("MADE BY ACME TOYS INC", "ACME"),
        ("CALL 555-123-4567", "4567"),
        ("PLATE ABC1234 HIT HIM", "ABC1234"),
    ],
)
def test_identifiers_are_masked(text, secret):
    assert secret not in scrub(text)
    assert MASK in scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        "骑平衡车时跌倒",
        "误吞磁力珠",
        "12YOM FELL OFF HOVER BOARD",
        "使用电动自行车充电器时发热起火",
        "在小区骑滑板车",
        "FELL OFF SCOOTER AT SCHOOL",
    ],
)
def test_words_of_products_stay(text):
    assert scrub(text) == text


def test_given_names():
    assert "JOHN" not in scrub("JOHN FELL", given_names=frozenset({"john"}))


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("0123456789 -xXＡ１张某路号abc@.京A医院\u200b\n患者"), max_size=40))
def test_no_long_number_survives_and_twice_is_once(text):
    done = scrub(text)
    assert not re.search(r"\d(?:[\s-]?\d){4,}", done)
    assert "\n" not in done
    assert scrub(done) == done
