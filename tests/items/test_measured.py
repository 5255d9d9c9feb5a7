"""Measured values and limits as laboratories write them; the comparison of sets; units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.items.measured import compare, normal_unit, read_limits, read_measured
from riskwatch.items.units import UnitTable

INF = np.inf

# text -> kind, low, high, open ends, unit, censoring; each as found in published lists or named in the standards.
MEASURED = [
    ("0.12", "number", 0.12, 0.12, "", "", "none"),
    ("０.１２", "number", 0.12, 0.12, "", "", "none"),
    ("<0.01", "number", -INF, 0.01, ")", "", "left"),
    ("＜0.01mg/kg", "number", -INF, 0.01, ")", "mg/kg", "left"),
    ("≤0.1", "number", -INF, 0.1, "", "", "left"),
    ("≥ 85", "number", 85.0, INF, "", "", "right"),
    ("＞0.05%", "number", 0.05, INF, "(", "%", "right"),
    ("小于0.5 mg/kg", "number", -INF, 0.5, ")", "mg/kg", "left"),
    ("不大于 3", "number", -INF, 3.0, "", "", "left"),
    ("0.10～0.25", "number", 0.10, 0.25, "", "", "interval"),
    ("0.10mg/kg-0.25mg/kg", "number", 0.10, 0.25, "", "mg/kg", "interval"),
    ("1.2×10^3", "number", 1200.0, 1200.0, "", "", "none"),
    ("2.94×10³μg/kg", "number", 2940.0, 2940.0, "", "μg/kg", "none"),
    ("1.5×10<sup>4</sup>CFU/g", "number", 15000.0, 15000.0, "", "CFU/g", "none"),
    ("5.0E2 CFU/g", "number", 500.0, 500.0, "", "CFU/g", "none"),
    ("1e-3", "number", 0.001, 0.001, "", "", "none"),
    ("96.2％", "number", 96.2, 96.2, "", "%", "none"),
    ("-5℃", "number", -5.0, -5.0, "", "°C", "none"),
    ("75kG²mm²", "number", 75.0, 75.0, "", "kG^2mm^2", "none"),
    ("21000 CFU/g", "number", 21000.0, 21000.0, "", "CFU/g", "none"),
    ("未检出", "not-detected", -INF, np.nan, "", "", "left"),
    ("ND", "not-detected", -INF, np.nan, "", "", "left"),
    ("N.D.", "not-detected", -INF, np.nan, "", "", "left"),
    ("<LOD", "not-detected", -INF, np.nan, "", "", "left"),
    ("不得检出", "not-detected", -INF, np.nan, "", "", "left"),
    ("未检出/25g", "not-detected", -INF, np.nan, "", "", "left"),
    ("未检出(<0.5mg/kg)", "not-detected", -INF, 0.5, ")", "mg/kg", "left"),
    ("未检出（检出限：0.01mg/kg）", "not-detected", -INF, 0.01, ")", "mg/kg", "left"),
    ("检出", "detected", np.nan, np.nan, "", "", ""),
    ("检出/25g", "detected", np.nan, np.nan, "", "", ""),
    ("n=5,c=2,m=10^2,M=10^3", "plan", np.nan, np.nan, "", "", ""),
    ("2.5×10⁴、 2.5×10⁴、 1.1×10⁴CFU/g", "several", np.nan, np.nan, "", "", ""),
    ("120，130，320，180，190CFU/g", "several", np.nan, np.nan, "", "", ""),
    ("8.2×10²/8.6×10²CFU/g", "several", np.nan, np.nan, "", "", ""),
    ("①1.7×10⁴CFU/g", "several", np.nan, np.nan, "", "", ""),
    ("初检结果：2.9mg/kg；复检结果：2.7mg/kg", "several", np.nan, np.nan, "", "", ""),
    # A comma inside a number is a thousand to some and a decimal point to others.
    ("1,234", "several", np.nan, np.nan, "", "", ""),
    # The exponent was a superscript that a web page lost: 14 it is not.
    ("1.4×10", "text", np.nan, np.nan, "", "", ""),
    ("5±1", "text", np.nan, np.nan, "", "", ""),
    ("0.3-0.1", "text", np.nan, np.nan, "", "", ""),
    ("不符合要求", "text", np.nan, np.nan, "", "", ""),
    ("/", "missing", np.nan, np.nan, "", "", ""),
    ("", "missing", np.nan, np.nan, "", "", ""),
    (None, "missing", np.nan, np.nan, "", "", ""),
]


@pytest.mark.parametrize(("text", "kind", "low", "high", "ends", "unit", "censoring"), MEASURED)
def test_a_measured_value(text, kind, low, high, ends, unit, censoring):
    found = read_measured([text])
    assert (found.kind[0], found.unit[0], found.censoring[0]) == (kind, unit, censoring)
    np.testing.assert_array_equal([found.low[0], found.high[0]], [low, high])
    assert (found.low_open[0], found.high_open[0]) == ("(" in ends, ")" in ends)


@pytest.mark.parametrize(
    ("text", "operator", "kind", "low", "high"),
    [
        ("≤0.1mg/kg", "", "number", -INF, 0.1),
        ("0.1", "", "bare", 0.1, 0.1),
        ("0.1", "<=", "number", -INF, 0.1),
        ("99%", ">=", "number", 99.0, INF),
        ("不得检出", "", "forbidden", np.nan, np.nan),
        ("不得使用", "<=", "forbidden", np.nan, np.nan),
        ("不得检出mg/kg", "", "forbidden", np.nan, np.nan),
        ("非法添加", "", "forbidden", np.nan, np.nan),
        ("6.5～8.5", "", "number", 6.5, 8.5),
        ("5±1", "", "number", 4.0, 6.0),
        ("n=5,c=2,m=10,M=10²CFU/g", "", "plan", np.nan, np.nan),
        ("200≤mg/kg", "", "text", np.nan, np.nan),
        ("符合GB 29924规定要求", "", "text", np.nan, np.nan),
        ("不应产生小零件", "<=", "text", np.nan, np.nan),
    ],
)
def test_a_limit(text, operator, kind, low, high):
    found = read_limits([text], operator)
    assert found.kind[0] == kind
    np.testing.assert_array_equal([found.low[0], found.high[0]], [low, high])


@pytest.mark.parametrize(
    ("measured", "limit", "verdict"),
    [
        ("0.10", "≤0.10", "pass"),
        ("0.10", "<0.10", "fail"),
        ("0.11", "≤0.10", "fail"),
        ("85", "≥85", "pass"),
        ("84.9", "≥85", "fail"),
        # Left-censored: at or below the limit it passes; above it nobody knows.
        ("<0.01", "≤0.01", "pass"),
        ("<0.01", "<0.01", "pass"),
        ("≤0.01", "<0.01", "undetermined"),
        ("<0.5", "≤0.1", "undetermined"),
        ("<0.5", "≥1", "fail"),
        (">3", "≤3", "fail"),
        ("≥3", "≤3", "undetermined"),
        (">5", "≥3", "pass"),
        ("0.10～0.25", "≤0.3", "pass"),
        ("0.10～0.25", "≤0.2", "undetermined"),
        ("0.10～0.25", "≤0.05", "fail"),
        ("7.0", "6.5～8.5", "pass"),
        ("9.0", "6.5～8.5", "fail"),
        ("未检出", "≤0.1", "pass"),
        ("未检出", "≥45", "undetermined"),
        ("未检出(<0.5)", "≤0.1", "undetermined"),
        ("未检出", "不得检出", "pass"),
        ("<0.3", "不得检出", "pass"),
        ("0.8", "不得检出", "fail"),
        ("检出", "不得检出", "fail"),
        ("检出", "≤0.1", "undetermined"),
        ("1.4×10", "≤20", ""),
        ("5", "n=5,c=2,m=10,M=100", ""),
        ("5", "10", ""),
        ("/", "≤10", ""),
    ],
)
def test_the_comparison(measured, limit, verdict):
    assert compare(read_measured([measured]), read_limits([limit])).tolist() == [verdict]


def test_not_detected_without_a_detection_limit_is_an_assumption():
    values, limits = read_measured(["未检出", "<0.01"]), read_limits(["≤0.1", "≤0.1"])
    assert compare(values, limits, not_detected_passes=False).tolist() == ["undetermined", "pass"]


@settings(deadline=None)
@given(st.lists(st.sampled_from([text for text, *_ in MEASURED]), min_size=1, max_size=30), st.randoms())
def test_the_order_of_rows_and_categories_change_nothing(texts, random):
    order = list(range(len(texts)))
    random.shuffle(order)
    plain, shuffled = read_measured(texts), read_measured(pd.Series([texts[k] for k in order], dtype="object").astype("category"))
    for name in ("kind", "low", "high", "low_open", "high_open", "unit"):
        np.testing.assert_array_equal(getattr(shuffled, name), getattr(plain, name)[order])


@settings(deadline=None)
@given(
    st.floats(0.001, 1000.0),
    st.floats(0.0, 2.0),
    st.sampled_from(["", "<", "≤", ">", "≥"]),
    st.sampled_from(["≤", "<", "≥", ">"]),
)
def test_a_definite_verdict_holds_for_every_value_the_text_allows(bound, ratio, sign, operator):
    """Draw the true values that the text leaves open: none may contradict a pass or a fail."""
    limit = float(f"{bound * ratio:.6g}")
    text = f"{bound:.6g}"
    verdict = compare(read_measured([sign + text]), read_limits([f"{operator}{limit!r}"]))[0]
    written = float(text)
    truths = {"": [written], "<": [written * f for f in (0.0, 0.5, 0.999999)], ">": [written * f for f in (1.000001, 2.0, 1e6)]}
    truths |= {"≤": [*truths["<"], written], "≥": [*truths[">"], written]}
    test = {"≤": np.less_equal, "<": np.less, "≥": np.greater_equal, ">": np.greater}[operator]
    within = {bool(test(value, limit)) for value in truths[sign]}
    if verdict == "pass":
        assert within == {True}
    elif verdict == "fail":
        assert within == {False}
    else:
        assert verdict == "undetermined"
        assert sign


class _Unit:
    def __init__(self, name: str, dimension: str, factor: float, *aliases: str) -> None:
        self.name, self.dimension, self.factor, self.aliases = name, dimension, factor, aliases


@pytest.fixture(scope="module")
def units() -> UnitTable:
    return UnitTable.of(
        [
            _Unit("mg/kg", "mass", 1e-6),
            _Unit("g/kg", "mass", 1e-3),
            _Unit("μg/kg", "mass", 1e-9, "ug/kg"),
            _Unit("%", "mass", 0.01, "g/100g"),
            _Unit("mg/L", "volume", 1e-3),
            _Unit("CFU/g", "colonies", 1.0),
            _Unit("MPN/g", "mpn", 1.0),
        ]
    )


@pytest.mark.parametrize(
    ("given_", "wanted", "factor", "reason"),
    [
        ("mg/kg", "mg/kg", 1.0, ""),
        ("g/kg", "mg/kg", 1000.0, ""),
        ("ｇ／kg", "mg/kg", 1000.0, ""),
        ("µg/kg", "mg/kg", 0.001, ""),
        ("ug/kg", "mg/kg", 0.001, ""),
        ("g/100g", "%", 1.0, ""),
        ("%", "g/kg", 10.0, ""),
        ("mg/L", "mg/kg", np.nan, "unit-incompatible"),
        ("CFU/g", "MPN/g", np.nan, "unit-incompatible"),
        ("μk/kg", "μg/kg", np.nan, "unit-unknown"),
        ("IU", "IU", 1.0, ""),
        ("", "mg/kg", np.nan, "unit-missing"),
        ("mg/kg", None, np.nan, "unit-missing"),
        (None, "", 1.0, ""),
    ],
)
def test_units_convert_or_say_why_not(units, given_, wanted, factor, reason):
    found, why = units.factors([given_], [wanted])
    np.testing.assert_array_equal(found, [factor])
    assert why.tolist() == [reason]


def test_a_converted_value_at_the_limit_stays_at_the_limit(units):
    """0.2 g/kg is 200 mg/kg and not a hair above."""
    values = read_measured([f"{number / 1000:.4g}" for number in range(1, 2000)])
    factor, _ = units.factors(["g/kg"] * len(values), ["mg/kg"] * len(values))
    limits = read_limits([f"≤{float(f'{number / 1000:.4g}') * 1000:.6g}" for number in range(1, 2000)])
    assert set(compare(values.scaled(factor), limits)) == {"pass"}


def test_spellings_of_a_unit():
    assert {normal_unit(text) for text in ("mg/m³", "mg/m^3", " mg / m³ ", "（mg/m³）", "ｍg/m³")} == {"mg/m^3"}
    assert normal_unit("/") == ""
