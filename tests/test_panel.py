"""Panels: what they refuse, and how records become series."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.errors import PanelError
from riskwatch.panel import LEVELS, Panel, SilenceRule, SparseRule, build_panel

WEEKS = pd.period_range("2021-01-04", periods=4, freq="W-SUN")


class Digits:
    """A tree whose levels are prefixes of the code."""

    def __init__(self, **lengths):
        self.lengths = lengths
        self.levels = tuple(lengths)

    def ancestor_at(self, codes, level):
        length = self.lengths[level]
        return np.array([code[:length] if len(code) >= length else "" for code in codes], dtype=object)


TREES = {"product": Digits(category=1, product=2), "region": Digits(province=2, prefecture=4, county=6), "industry": Digits(section=1)}


def records(rows, columns=("event_date", "product", "region", "persons")):
    frame = pd.DataFrame(rows, columns=list(columns))
    frame["event_date"] = pd.to_datetime(frame["event_date"])
    return frame


def build(frame, levels, **options):
    settings_ = {
        "trees": TREES,
        "frequency": "week",
        "start": dt.date(2021, 1, 4),
        "until": dt.date(2021, 1, 31),
        "numerator": "persons",
        "silence": SilenceRule(float("inf")),
    }
    return build_panel(frame, levels=levels, **{**settings_, **options})


def as_dict(panel):
    return {"/".join(key): row.tolist() for key, row in zip(panel.index, panel.observed, strict=True)}


# --- Panel ------------------------------------------------------------------------------------------------------------


def test_all_problems_at_once():
    periods = pd.PeriodIndex(["2021-01-04", "2021-01-18", "2021-01-25"], freq="W-SUN")
    observed = np.array([[1, -2, np.inf], [1, -1, 1]], float)
    with pytest.raises(PanelError) as caught:
        Panel(observed, pd.Index(["a", "a"]), periods, np.ones((2, 2)))
    message = caught.value.message
    assert "2 negative, first -2 for series 'a' in 2021-01-18/2021-01-24" in message
    assert "1 infinite, first inf" in message
    assert "exposure must have shape (series, period) = (2, 3), got (2, 2)" in message
    assert "index must be unique; 1 repeated, first 'a'" in message
    assert "periods must be consecutive, oldest first; 1 break(s), first between 2021-01-04/2021-01-10 and 2021-01-18/2021-01-24" in message


@pytest.mark.parametrize(
    ("periods", "message"),
    [
        (pd.date_range("2021-01-04", periods=2), "periods must be a pandas PeriodIndex, got DatetimeIndex"),
        (pd.period_range("2021-01", periods=2, freq="M")[::-1], "periods must be consecutive"),
        (pd.PeriodIndex(["2021-01", None], freq="M"), "periods must not contain NaT"),
    ],
)
def test_periods(periods, message):
    with pytest.raises(PanelError, match=message):
        Panel(np.ones((1, 2)), pd.Index(["a"]), periods)


def test_text_is_not_a_count():
    with pytest.raises(PanelError, match="observed must be numbers"):
        Panel([["x", "y", "z", "w"]], pd.Index(["a"]), WEEKS)


def test_four_week_blocks_are_consecutive():
    blocks = pd.period_range("2021-01-04", periods=4, freq="4W-SUN")
    assert Panel(np.ones((1, 4)), pd.Index(["a"]), blocks).shape == (1, 4)
    with pytest.raises(PanelError, match="consecutive"):
        Panel(np.ones((1, 3)), pd.Index(["a"]), blocks[[0, 1, 3]])


@pytest.mark.parametrize("exposure", [None, np.arange(8.0).reshape(2, 4)])
@pytest.mark.parametrize(
    "index", [pd.Index(["b", "a"], name="key"), pd.MultiIndex.from_tuples([("b", ""), ("a", "x")], names=["product", "region"])]
)
def test_frame_and_back(index, exposure):
    panel = Panel(np.array([[1, np.nan, 3, 4], [5, 6, 7, 8]]), index, WEEKS, exposure)
    again = Panel.from_frame(panel.to_frame())
    np.testing.assert_array_equal(again.observed, panel.observed)
    assert again.index.equals(index)
    assert again.index.names == index.names
    assert again.periods.equals(WEEKS)
    if exposure is None:
        assert again.exposure is None
    else:
        np.testing.assert_array_equal(again.exposure, exposure)


def test_from_frame_fills_gaps_and_refuses_doubles():
    frame = pd.DataFrame({"key": ["a", "a"], "period": WEEKS[[0, 3]], "observed": [1.0, 2.0]})
    np.testing.assert_array_equal(Panel.from_frame(frame).observed, [[1, np.nan, np.nan, 2]])
    with pytest.raises(PanelError, match="occurs more than once"):
        Panel.from_frame(pd.concat([frame, frame]))
    with pytest.raises(PanelError, match=r"absent: \['observed'\]"):
        Panel.from_frame(frame.drop(columns="observed"))
    with pytest.raises(PanelError, match="must be of period type"):
        Panel.from_frame(frame.assign(period=frame["period"].dt.start_time))


def test_select_and_head():
    panel = Panel(np.arange(8.0).reshape(2, 4), pd.Index(["a", "b"]), WEEKS, np.ones((2, 4)))
    assert panel.select([False, True]).observed.tolist() == [[4, 5, 6, 7]]
    assert panel.select(["b", "a"]).index.tolist() == ["b", "a"]
    with pytest.raises(PanelError, match="no series 'c' among 2"):
        panel.select(["c"])
    with pytest.raises(PanelError, match="the mask must have length 2"):
        panel.select([True])
    assert panel.head(WEEKS[1]).shape == (2, 2)
    assert panel.head(dt.date(2021, 1, 23)).shape == (2, 2)
    assert panel.head("2021-01-24").exposure.shape == (2, 3)


# --- building ---------------------------------------------------------------------------------------------------------


def test_counts_zeros_and_edges():
    frame = records(
        [
            ("2021-01-03", "11", "220101", 50),  # the Sunday before: not covered
            ("2021-01-04", "11", "220101", 1),
            ("2021-01-10", "12", "220101", 2),
            ("2021-01-11", "11", "220201", 3),
            ("2021-01-31", "11", "220101", 4),
            ("2021-02-01", "11", "220101", 60),  # the Monday after
        ]
    )
    built = build(frame, {"product": "product", "region": "prefecture"})
    assert as_dict(built.panel) == {"11//2201/": [1, 0, 0, 4], "11//2202/": [0, 3, 0, 0], "12//2201/": [2, 0, 0, 0]}
    assert tuple(built.panel.index.names) == LEVELS
    assert built.rolled_up.empty
    unfinished = build(frame, {"product": "category"}, until=dt.date(2021, 1, 30)).panel
    assert as_dict(unfinished) == {"1///": [3, 3, 0]}
    late_start = build(frame, {}, start=dt.date(2021, 1, 5)).panel
    assert as_dict(late_start) == {"///": [3, 0, 4]}
    default_start = build(frame, {}, start=None).panel
    assert as_dict(default_start) == {"///": [50, 3, 3, 0, 4]}


@pytest.mark.parametrize(
    ("frequency", "day", "label"),
    [("day", "2020-12-31", "2020-12-31"), ("week", "2021-01-03", "2020-12-28/2021-01-03"), ("month", "2021-01-31", "2021-01")],
)
def test_periods_of_days(frequency, day, label):
    frame = records([(day, "11", "220101", 1)])
    panel = build(frame, {}, frequency=frequency, start=None, until=dt.date(2021, 1, 31)).panel
    assert str(panel.periods[0]) == label


def test_four_week_grid():
    for day, start, end in (
        ("1970-01-05", "1970-01-05", "1970-02-01"),
        ("1970-01-04", "1969-12-08", "1970-01-04"),
        ("2021-03-17", "2021-02-22", "2021-03-21"),
    ):
        panel = build(records([(day, "11", "220101", 1)]), {}, frequency="4-week", start=None, until=dt.date.fromisoformat(end)).panel
        assert panel.shape == (1, 1)
        assert (panel.periods[0].start_time.date(), panel.periods[0].end_time.date()) == (
            dt.date.fromisoformat(start),
            dt.date.fromisoformat(end),
        )


def test_a_record_counts_once_for_each_product_it_names():
    columns = ("event_date", "product", "product_2", "region", "persons")
    frame = records(
        [
            ("2021-01-04", "11", "12", "220101", 1),
            ("2021-01-04", "11", "21", "220101", 1),
            ("2021-01-04", "21", None, "220101", 1),
            ("2021-01-04", None, None, "220101", 7),
        ],
        columns,
    )
    fields = ("product", "product_2")
    fine = build(frame, {"product": "product"}, product_fields=fields)
    assert {key: row[0] for key, row in as_dict(fine.panel).items()} == {"11///": 2, "12///": 1, "21///": 2}
    coarse = build(frame, {"product": "category"}, product_fields=fields)
    assert {key: row[0] for key, row in as_dict(coarse.panel).items()} == {"1///": 2, "2///": 2}
    assert coarse.rolled_up[["product", "total", "reason"]].to_numpy().tolist() == [["?", 7.0, "no code at this level"]]
    assert as_dict(build(frame, {"region": "province"}, product_fields=fields).panel)["//22/"][0] == 10


def test_strata_and_denominator():
    columns = ("event_date", "product", "selection", "failed", "inspected")
    frame = records(
        [
            ("2021-01-04", "11", "random", 1, 10),
            ("2021-01-12", "11", "random", 0, 5),
            ("2021-01-04", "11", "targeted", 4, 6),
            ("2021-01-12", "11", None, 0, 1),
        ],
        columns,
    )
    panel = build(frame, {"product": "product"}, numerator="failed", denominator="inspected", stratify=("selection",)).panel
    assert set(panel.index.get_level_values("stratum")) == {"selection=random", "selection=targeted", "selection=(missing)"}
    row = panel.index.get_loc(("11", "", "", "selection=random"))
    np.testing.assert_array_equal(panel.exposure[row], [10, 5, 0, 0])
    np.testing.assert_array_equal(panel.observed[row], [1, 0, np.nan, np.nan])  # nothing inspected is not 0 %


def test_several_levels_and_no_series_twice():
    frame = records([("2021-01-04", "11", "220101", 1), ("2021-01-04", "12", "220101", 1)])
    panel = build(frame, [{"product": "product"}, {"product": "category"}, {"product": "product", "region": None}, {}]).panel
    assert [key[0] for key in panel.index] == ["11", "12", "1", ""]


def test_silence_is_missing_only_where_reports_are_usual():
    days = pd.date_range("2021-01-04", "2021-01-31").astype(str)
    frame = records([(day, "11", "220101", 1) for day in days for _ in range(3) if not "2021-01-11" <= day <= "2021-01-17"])
    silent = build(frame, {"product": "product"}, silence=None)
    np.testing.assert_array_equal(silent.panel.observed, [[21, np.nan, 21, 21]])
    assert silent.silent.equals(WEEKS[1:2])
    few = build(frame[::4], {"product": "product"}, silence=None)
    assert few.panel.observed[0, 1] == 0
    assert few.silent.empty


def test_thin_series_go_up_to_the_first_parent_that_is_thick_enough():
    rows = [
        ("2021-01-04", "11", "220101", 6),
        ("2021-01-11", "11", "220101", 6),
        ("2021-01-11", "11", "220102", 1),
        ("2021-01-18", "12", "220201", 1),
    ]
    rows += [("2021-01-25", "13", "330101", 2)]
    built = build(records(rows), {"product": "product", "region": "county"}, sparse=SparseRule(5, 2, ("region", "product")))
    assert as_dict(built.panel) == {"11//220101/": [6, 6, 0, 0], "11//2201/": [6, 7, 0, 0], "1///": [6, 7, 1, 2]}
    report = built.rolled_up.set_index(["product", "region"])[["parent_product", "parent_region", "total", "reason"]]
    assert report.loc[("11", "220102")].tolist() == ["11", "2201", 1.0, "too sparse"]
    assert report.loc[("12", "220201")].tolist() == ["1", "", 1.0, "too sparse"]
    assert report.loc[("13", "330101")].tolist() == ["1", "", 2.0, "too sparse"]
    dropped = build(records(rows[3:]), {"product": "product"}, sparse=SparseRule(50, 2)).rolled_up
    assert dropped["reason"].tolist() == ["dropped: too sparse at every level"] * 2


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 27),
            st.sampled_from(["11", "12", "21", "3", ""]),
            st.sampled_from(["220101", "220102", "2202", "330101"]),
            st.integers(0, 9),
        ),
        min_size=1,
        max_size=60,
    ),
    st.integers(0, 30),
    st.booleans(),
    st.randoms(),
)
def test_nothing_is_lost(rows, min_total, categorical, random):
    """Per level asked for, kept series and rolled-up ones add up to all records; order and dtype of rows do not matter."""
    frame = records([(np.datetime64("2021-01-04") + day, product, region, persons) for day, product, region, persons in rows])
    levels, rule = {"product": "product", "region": "county"}, SparseRule(min_total, 2)
    built = build(frame, levels, sparse=rule)
    asked = [len(key[0]) == 2 and len(key[2]) == 6 for key in built.panel.index]
    assert built.panel.observed[asked].sum() + built.rolled_up["total"].sum() == frame["persons"].sum()
    shuffled = frame.iloc[random.sample(range(len(frame)), len(frame))]
    if categorical:
        shuffled = shuffled.astype({"product": "category", "region": "category"})
    again = build(shuffled, levels, sparse=rule)
    assert as_dict(again.panel) == as_dict(built.panel)
    key = ["product", "region"]
    pd.testing.assert_frame_equal(
        again.rolled_up.sort_values(key, ignore_index=True), built.rolled_up.sort_values(key, ignore_index=True), check_dtype=False
    )


def test_rare_codes_are_looked_up_not_allocated(monkeypatch):
    frame = records([("2021-01-04", "11", "220101", 1), ("2021-01-12", "12", "330101", 2)])
    dense = build(frame, {"product": "product", "region": "county"}, stratify=("persons",)).panel
    monkeypatch.setattr("riskwatch.panel.grouping._DENSE_CELLS", 0)
    assert as_dict(build(frame, {"product": "product", "region": "county"}, stratify=("persons",)).panel) == as_dict(dense)


def test_many_inspections_without_a_failure_are_not_thin():
    columns = ("event_date", "product", "failed", "inspected")
    frame = records([("2021-01-04", "11", 0, 300), ("2021-01-11", "11", 0, 300), ("2021-01-11", "12", 1, 2)], columns)
    built = build(frame, {"product": "product"}, numerator="failed", denominator="inspected", sparse=SparseRule(20, 2))
    assert [key[0] for key in built.panel.index] == ["11", "1"]
    assert built.rolled_up[["product", "parent_product", "total", "active_periods"]].to_numpy().tolist() == [["12", "1", 1.0, 1]]


def test_no_records():
    built = build(records([]).astype({"persons": float}), {"product": "product"})
    assert built.panel.shape == (0, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frequency": "quarter"}, "frequency must be one of day, week, 4-week, month, got 'quarter'"),
        ({"levels": {"produkt": "product"}}, "levels: no dimension 'produkt', there are product, industry, region"),
        ({"levels": {"product": "product"}, "trees": {}}, "trees: none for dimension 'product'"),
        ({"levels": {"industry": "section"}}, r"frame lacks the column\(s\) industry"),
        ({"levels": []}, "levels must name at least one combination, got none"),
        ({"until": dt.date(2021, 1, 9)}, "no week period is complete between 2021-01-04 and 2021-01-09"),
        ({"numerator": "weight"}, r"frame lacks the column\(s\) weight"),
    ],
)
def test_requests_that_cannot_be_met(change, message):
    frame = records([("2021-01-04", "11", "220101", 1)])
    with pytest.raises(PanelError, match=message):
        build(frame, change.pop("levels", {}), **change)


def test_bad_records():
    frame = records([("2021-01-04", "11", "220101", 1), (None, "11", "220101", np.nan)])
    with pytest.raises(PanelError, match="event_date must be present; 1 records have none"):
        build(frame, {})
    with pytest.raises(PanelError, match="persons must be a number in every record; 1 of 2 are not"):
        build(frame.assign(event_date=pd.Timestamp("2021-01-04")), {})
    with pytest.raises(PanelError, match="event_date must be datetime64, got"):
        build(frame.assign(event_date="2021-01-04"), {})
