"""What warnings were worth, and how two replays differ: on made-up warnings with answers known by hand."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import pandas as pd
import pytest

from riskwatch.assessment.protocols import TreePaths
from riskwatch.backtest.compare import differences
from riskwatch.backtest.hazards import KnownHazard, read_hazards
from riskwatch.backtest.lives import STANDING
from riskwatch.backtest.rules import BacktestRules
from riskwatch.backtest.score import Ground, hazard_table, lives_table, score_table, weeks_table
from riskwatch.errors import ProjectError
from riskwatch.indicators.values import binomial_interval
from riskwatch.plots import calendar_figure, lead_figure, to_png

MONDAY = dt.date(2025, 1, 6)
DAYS = [MONDAY + dt.timedelta(days=7 * number) for number in range(9)]
RULES = BacktestRules.model_validate(
    {
        "version": "test",
        "basis": {"source": "made up", "dated": MONDAY, "verified": False},
        "minutes": {"II": {"opened": 100, "worsened": 30}, "IV": {"opened": 10, "worsened": 5}},
        "settle_days": 14,
        "recent_days": 7,
    }
)


class Paths(TreePaths):
    """A tree in which a code lies within all its beginnings: P01 within P, 220100 within 2201."""

    def __init__(self) -> None:
        super().__init__(None)

    def within(self, code: str, ancestor: str) -> bool:
        return code.startswith(ancestor)


def stood(name: str, first: int, last: int, grades: str = "", **fields: object) -> list[dict[str, object]]:
    """Rows of a warning that stood from one day's number to another's; ``grades``: one for each day, by commas."""
    listed = grades.split(",") if grades else ["IV"] * (last - first + 1)
    usual: dict[str, object] = {
        "warning_id": name, "kind": "product", "code": "P01", "region": "2201", "state": "unchanged", "scope": "regional", "hazard": "burn",
        "opened": DAYS[first], "covered_by": "", "cases_only": False, "models": ("m1",), "source_types": ("injury",), "name_zh": "甲",
        "name_en": "a", "place_zh": "乙", "place_en": "b", "alarm_since": DAYS[first], "q_value": 0.02,
    }  # fmt: skip
    return [
        {**usual, "day": DAYS[number], "grade": listed[number - first], "state": "new" if number == first else "unchanged", **fields}
        for number in range(first, last + 1)
    ]


def ground(**changes: object) -> Ground:
    paths = {"product": Paths(), "region": Paths()}
    usual: dict[str, object] = {"paths": paths, "centres": {"north": "2201", "south": "2202", "all": "22"}, "acted": (), "closures": {}}
    return Ground(**{**usual, "rules": RULES, **changes})  # type: ignore[arg-type]


def frame(*parts: list[dict[str, object]]) -> pd.DataFrame:
    rows = sorted((row for part in parts for row in part), key=lambda row: (row["day"], row["warning_id"]))
    return pd.DataFrame(rows, columns=list(STANDING))


EVERYTHING = frame(
    stood("start", 0, 8, code="P09"),
    stood("alone", 2, 4, models=("m1", "m2")),
    stood("two", 3, 8, "IV,II,II,II,II,II", source_types=("injury", "inspection"), alarm_since=DAYS[1], region="2202", models=("m2",)),
    stood("young", 8, 8, models=(), alarm_since=None, code="P02", region="22"),
)
EVENTS = pd.DataFrame([("two", DAYS[4], "worsened"), ("start", DAYS[3], "worsened")], columns=["warning_id", "day", "kind"])


def test_lives_of_warnings() -> None:
    lives = lives_table(EVERYTHING, EVENTS, DAYS, ground(closures={"two": "true"})).set_index("warning_id")
    assert lives["grade"].to_dict() == {"alone": "IV", "start": "IV", "two": "II", "young": "IV"}
    assert lives["alone"].to_dict() == {"alone": True, "start": True, "two": False, "young": None}
    assert lives["from_start"].to_dict() == {"alone": False, "start": True, "two": False, "young": False}
    assert lives["delay_days"].drop("young").to_dict() == {"alone": 0.0, "start": 0.0, "two": 14.0}
    assert math.isnan(lives.loc["young", "delay_days"])
    # 10 for a new one of IV; "two" got worse at II; what stood from the start costs only its worsening.
    assert lives["minutes"].to_dict() == {"alone": 10.0, "start": 5.0, "two": 40.0, "young": 10.0}
    assert lives["centres"].to_dict() == {
        "alone": ("north", "all"),
        "start": ("north", "all"),
        "two": ("south", "all"),
        "young": ("north", "south", "all"),
    }
    assert lives.loc["young", "models"] == ("events",)


def test_a_warning_that_somebody_acted_on_did_not_stay_alone() -> None:
    lives = lives_table(EVERYTHING, EVENTS, DAYS, ground(acted={"alone"})).set_index("warning_id")
    assert not lives.loc["alone", "alone"]


def test_figures_by_centre_model_grade_and_product() -> None:
    closed = ground(closures={"two": "true", "alone": "false", "start": "none"})
    lives = lives_table(EVERYTHING, EVENTS, DAYS, closed)
    table = score_table(lives, DAYS, closed).set_index(["by", "value"])
    everything = table.loc["all", "all"]
    assert (everything["opened"], everything["per_week"]) == (3, 3 / 8)
    assert (everything["judged_alone"], everything["alone"], everything["alone_share"]) == (2, 1, 0.5)
    assert everything["delay_median"] == 7.0
    assert (everything["closed"], everything["right"], everything["precision"]) == (3, 1, 0.5)
    low, high = binomial_interval([1.0], [2.0], level=0.95)
    assert (everything["precision_low"], everything["precision_high"]) == (low[0], high[0])
    assert everything["minutes_per_week"] == 65 / 8
    assert table["opened"].loc["centre"].to_dict() == {"all": 3, "north": 2, "south": 2}
    assert table["opened"].loc["model"].to_dict() == {"events": 1, "m1": 1, "m2": 2}
    assert table["opened"].loc["grade"].to_dict() == {"II": 1, "IV": 2}
    assert table["opened"].loc["product"].to_dict() == {"P01": 2, "P02": 1, "P09": 0}


def test_scores_do_not_depend_on_the_order_of_rows() -> None:
    shuffled = EVERYTHING.sample(frac=1.0, random_state=1).sort_values("day", kind="stable")
    one, other = (score_table(lives_table(part, EVENTS, DAYS, ground()), DAYS, ground()) for part in (EVERYTHING, shuffled))
    pd.testing.assert_frame_equal(one, other)


def test_every_week_has_every_level() -> None:
    weeks = weeks_table(lives_table(EVERYTHING, EVENTS, DAYS, ground()), DAYS)
    assert len(weeks) == 9 * 4
    counted = weeks[weeks["opened"] > 0]
    assert list(zip(counted["week"], counted["grade"], counted["opened"], strict=True)) == [
        (DAYS[2], "IV", 1),
        (DAYS[3], "II", 1),
        (DAYS[8], "IV", 1),
    ]


@pytest.mark.parametrize(
    ("hazard", "warned"),
    [
        (KnownHazard("same", ("P01",), ("2201",), DAYS[1], DAYS[6]), DAYS[2]),
        (KnownHazard("its category", ("P0",), ("2202",), DAYS[1], DAYS[6]), DAYS[3]),
        (KnownHazard("one of its products", ("P011",), ("220101",), DAYS[1], DAYS[6]), DAYS[2]),
        (KnownHazard("everywhere", ("P01",), (), DAYS[1], None), DAYS[2]),
        (KnownHazard("elsewhere", ("P01",), ("2209",), DAYS[1], DAYS[6]), None),
        (KnownHazard("other goods", ("P05",), ("2201",), DAYS[1], DAYS[6]), None),
        # What stood before it began is no news of it.
        (KnownHazard("old", ("P09",), ("2201",), DAYS[1], DAYS[6]), None),
        # Over, with a week for the last records: too late for a warning on the eighth day.
        (KnownHazard("over", ("P02",), (), DAYS[1], DAYS[6]), None),
    ],
)
def test_when_a_hazard_was_first_warned_of(hazard: KnownHazard, warned: dt.date | None) -> None:
    row = hazard_table(EVERYTHING, [hazard], DAYS, ground()).iloc[0]
    assert row["warned"] == warned
    assert row["after_start_days"] == (warned - hazard.start).days if warned else math.isnan(row["after_start_days"])


def test_lead_time_is_counted_to_the_official_action_and_hazards_of_other_times_are_left_out() -> None:
    listed = [
        KnownHazard("in time", ("P01",), ("2201",), DAYS[1], None, DAYS[4]),
        KnownHazard("before", ("P01",), (), DAYS[0] - dt.timedelta(days=99), DAYS[0] - dt.timedelta(days=30)),
    ]
    table = hazard_table(EVERYTHING, listed, DAYS, ground())
    assert table["hazard"].tolist() == ["in time"]
    assert table["lead_days"].tolist() == [14.0]


def test_gained_lost_earlier_later_and_other_grades() -> None:
    before = frame(
        stood("a", 2, 4),
        stood("b", 3, 6, code="P02"),
        stood("c", 1, 2, code="P03"),
        stood("d", 1, 3, "II,II,II", code="P04"),
        stood("e", 5, 8, code="P05"),
    )
    after = frame(
        stood("a", 2, 4),
        stood("b2", 2, 6, code="P02", region="220101"),
        stood("d", 1, 3, "IV,IV,IV", code="P04"),
        stood("e2", 7, 8, code="P05"),
        stood("f", 3, 4, code="P06"),
        # The same subject long after is another warning.
        stood("c2", 7, 8, code="P03"),
    )
    none = pd.DataFrame(columns=["warning_id", "day", "kind"])
    table = differences(*(lives_table(part, none, DAYS, ground()) for part in (before, after)), Paths()).set_index("code")
    assert sorted((code, row["change"]) for code, row in table.iterrows()) == [
        ("P02", "earlier"), ("P03", "gained"), ("P03", "lost"), ("P04", "lowered"), ("P05", "later"), ("P06", "gained"),
    ]  # fmt: skip
    assert table.loc["P02", "days_earlier"] == 7
    assert table.loc["P05", "days_earlier"] == -14
    assert table.index[0] == "P04", "the gravest first"


def test_hazards_of_a_list_of_ones_own(tmp_path: Path) -> None:
    table = tmp_path / "known.csv"
    table.write_text(
        "hazard_id,kind,products,regions,start,defect_from,end,official_date\nH1,hazard,P01;P02,2201,2025-01-05,2025-01-02,,2025-03-01\nD1,decoy-campaign,,,,,,\n"
    )
    listed = tmp_path / "known.yaml"
    listed.write_text("- {name: H1, products: [P01, P02], regions: ['2201'], start: 2025-01-02, official_date: 2025-03-01}\n")
    one = KnownHazard("H1", ("P01", "P02"), ("2201",), dt.date(2025, 1, 2), None, dt.date(2025, 3, 1))
    assert read_hazards(table) == read_hazards(listed) == (one,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("products,start\n,2025-01-01\n", "hazard 1: products and start are needed"),
        ("products,start\nP01,soon\n", "start must be a day YYYY-MM-DD, got 'soon'"),
    ],
)
def test_a_wrong_list_of_hazards_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "known.csv"
    path.write_text(text)
    with pytest.raises(ProjectError, match=message):
        read_hazards(path)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_figures_are_drawn_and_repeat(language: str) -> None:
    weeks = weeks_table(lives_table(EVERYTHING, EVENTS, DAYS, ground()), DAYS)
    hazards = hazard_table(EVERYTHING, [KnownHazard("H1", ("P01",), (), DAYS[1]), KnownHazard("H2", ("P07",), (), DAYS[1])], DAYS, ground())
    for draw in (lambda: calendar_figure(weeks, weeks, language=language), lambda: lead_figure(hazards, hazards, language=language)):
        assert to_png(draw()) == to_png(draw())
