"""What identifies somebody never survives, and what tells of a product does."""

from __future__ import annotations

import re

import pandas as pd
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


SURNAMES = "王李张刘陈杨黄赵吴周徐孙朱郭何罗郑梁康施樊葛邢齐乔庞颜倪聂章岳翟殷詹耿焦俞甘祝尚符阮柯纪"
GIVEN = "伟芳娜敏静丽强磊洋艳勇军杰娟涛明超霞平刚辉玲桂英建华志国秀兰俊峰欣怡子涵"
PLACES = ["蓝天", "红旗", "育才", "东风", "朝阳", "希望"]
DIGITS = "0123456789"


@st.composite
def injected(draw):
    """A sentence of a record with one identifier in it, and the identifier."""

    def pick(text):
        return draw(st.sampled_from(text))

    def number(size):
        return "".join(draw(st.lists(st.sampled_from(DIGITS), min_size=size, max_size=size)))

    name = pick(SURNAMES) + "".join(draw(st.lists(st.sampled_from(GIVEN), min_size=1, max_size=2)))
    common = pick(SURNAMES[:18]) + name[1:]
    english = pick(["John", "Mary", "Robert"]) + " " + pick(["Abernathy", "O'Keefe", "McAdam", "Smith-Jones"])
    secret, text = pick(
        [
            (name, f"患者{name}，在家使用电热水壶时烫伤"),
            (name, f"其母亲{name}在厨房被高压锅炸伤"),
            (name, f"女孩{name}骑滑板车跌倒"),
            (name, f"报告人：{name}"),
            (name, f"{name}，女，35岁，误吞磁力珠"),
            (name, f"一名男童叫做{name}，玩磁力珠"),
            (name, f"{name} 男 7岁 骑平衡车"),
            (common, f"{common}骑平衡车时跌倒"),
            (common, f"使用时漏电。{common}被电伤"),
            (common, f"由{common}送来就诊"),
            (f"1{pick('3456789')}{number(9)}", ""),
            (f"{number(3)}-{number(4)}-{number(4)}", ""),
            (f"2201021990030{number(4)}X", ""),
            (f"吉A{pick('DF')}{number(5)}", ""),
            (f"京{pick('ABC')}{pick('EHK')}{number(4)}", ""),
            (f"wx_{number(6)}", "加微信wx_"),
            (f"{number(9)}", "QQ号"),
            (f"a{number(3)}@mail{number(2)}.cn", ""),
            (pick(PLACES), "幼儿园"),
            (pick(PLACES), "实验小学"),
            (pick(PLACES), "中学"),
            (pick(PLACES), "大学"),
            (pick(PLACES), f"路{number(3)}号2栋"),
            (pick(PLACES), "大街二十三号"),
            (pick(PLACES), "商贸有限公司"),
            (english.split()[1], f"{english} fell off a scooter"),
            ("SMITH", "PT SMITH FELL OFF A SCOOTER"),
        ]
    )
    if text.startswith(("QQ号", "加微信")):
        return f"受伤，{text.removesuffix('wx_')}{secret}，联系", secret
    if secret in text:
        return text, secret
    return f"在{secret}{text}骑平衡车时跌倒，随后就诊" if not secret[0].isascii() else f"骑平衡车时跌倒，联系 {secret} ，随后就诊", secret


@settings(max_examples=400, deadline=None)
@given(injected())
def test_injected_identifiers_do_not_survive(made):
    text, secret = made
    done = scrub(text, given_names=frozenset({"john", "mary", "robert", "smith"}))
    assert secret not in done, (text, done)
    assert MASK in done


@pytest.mark.parametrize(
    "text",
    [
        "高压锅在厨房爆裂",
        "黄金饰品镍释放超标",
        "白酒,酒精度不合格",
        "金属玩具被咬碎",
        "马桶盖在使用时漏电",
        "孩子玩具车跌倒",
        "女孩玩磁力珠误吞",
        "58 YOF CO PAIN AFTER FALL WHILE RIDING HER SCOOTER",
        "Power Wheels Scooter",
    ],
)
def test_things_are_no_persons(text):
    assert scrub(text, given_names=frozenset({"john"})) == text


@pytest.mark.parametrize(
    ("folder", "column", "most_texts", "most_lost"),
    [("neiss_scooters_2020/injuries", "narrative", 0.045, 0.003), ("cn_food_spotcheck/samples", "product_name", 0.03, 0.03)],
)
def test_little_is_lost_of_texts_that_name_nobody(real_data, folder, column, most_texts, most_lost, rules):
    texts = pd.read_parquet(real_data / f"{folder}.parquet")[column].dropna().astype(str).drop_duplicates()[:1500]
    names = frozenset((*rules.tokens.given_names_en, *rules.tokens.surnames_en))
    # What the publisher masked is not ours.
    texts = [text.replace(MASK, " ") for text in texts]
    done = [scrub(text, given_names=names) for text in texts]
    size = sum(len("".join(text.split())) for text in texts)
    lost = sum(len("".join(text.split())) - len("".join(out.replace(MASK, "").split())) for text, out in zip(texts, done, strict=True))
    assert sum(MASK in out for out in done) <= most_texts * len(texts)
    assert 0 <= lost <= most_lost * size


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("0123456789 -xXＡ１张某路号abc@.京A医院\u200b\n患者"), max_size=40))
def test_no_long_number_survives_and_twice_is_once(text):
    done = scrub(text)
    assert not re.search(r"\d(?:[\s-]?\d){4,}", done)
    assert "\n" not in done
    assert scrub(done) == done
