from __future__ import annotations

import numpy as np
import pytest

from riskwatch.records.privacy import AGE_BANDS, age_band, mask_small_counts, scrub_narrative


def test_age_bands_have_the_right_edges():
    bands = age_band([0, 4.99, 5, 9, 10, 14, 15, 24, 25, 44, 45, 64, 65, 130, np.nan, -1])
    labels = ["0–4", "0–4", "5–9", "5–9", "10–14", "10–14", "15–24", "15–24", "25–44", "25–44", "45–64", "45–64", "65+", "65+"]
    assert bands.tolist()[:14] == labels
    assert bands.codes[-2:].tolist() == [-1, -1]
    assert tuple(bands.categories) == AGE_BANDS
    assert bands.ordered


def test_small_counts_are_blank_and_zero_is_not():
    assert np.array_equal(mask_small_counts([0, 1, 4, 5, 100]), [0, np.nan, np.nan, 5, 100], equal_nan=True)


def test_a_known_total_does_not_give_a_single_blank_away():
    masked = mask_small_counts([[0, 3, 50, 9], [3, 2, 7, 8], [9, 9, 9, 9]], total_known=True)
    expected = [[0, np.nan, 50, np.nan], [np.nan, np.nan, 7, 8], [9, 9, 9, 9]]
    assert np.array_equal(masked, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("患者张某某,男,35岁,电话13812345678", "患者[name],男,[age],电话[phone]"),
        ("身份证220102198001011234", "身份证[id]"),
        ("住长春市朝阳区人民大街某路1234号3栋2单元501室", "[address]"),
        ("骑电动车吉A12345摔倒", "骑电动车[plate]摔倒"),
        ("姓名:欧阳修明,电热毯烧伤 0431-88901234", "姓名[name],电热毯烧伤 [phone]"),
        ("李建国先生反映", "[name]先生反映"),
        ("17 YOM FELL OFF HOVERBOARD AT 123 MAIN STREET", "[age] FELL OFF HOVERBOARD AT [address]"),
        ("seen by Dr. Smith, call (431) 555-1234 or a.b@c.example", "seen by Dr [name], call [phone] or [mail]"),
        ("pt 14 month old, burned by 220V blanket", "pt [age], burned by 220V blanket"),
    ],
)
def test_narratives_lose_what_names_a_person(text, expected):
    assert scrub_narrative(text) == expected


@pytest.mark.parametrize(
    "text", ["用220V电热毯时左手二度烧伤, 型号TX-2000", "LACERATION TO RT HAND, 3 SUTURES, TABLE SAW 10 INCH", "伤后2小时就诊"]
)
def test_narratives_keep_what_matters(text):
    assert scrub_narrative(text) == text
