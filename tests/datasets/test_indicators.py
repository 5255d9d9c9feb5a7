"""Simulated quality indicators: reproducible, marked as simulated, preliminary before final, and with their three stories."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from riskwatch.datasets import simulate_province
from riskwatch.datasets.indicators import INDICATOR_COLUMNS, NOTE


def make(seed=1, **more):
    return simulate_province(seed=seed, scale=0.01, hazards=(), malformed=0, **more)


@pytest.fixture(scope="module")
def made():
    return make()


def final(frame, code, region):
    rows = frame.loc[
        (frame["indicator"] == code) & (frame["region"] == region) & (frame["status"] == "final") & (frame["period_type"] == "year")
    ]
    return rows.set_index(rows["event_date"].dt.year)["value"].astype(float)


def test_same_seed_same_figures(made):
    pd.testing.assert_frame_equal(made.indicators, make().indicators)
    assert not made.indicators["value"].equals(make(seed=2).indicators["value"])


def test_other_records_are_as_they_were_whatever_the_figures(made):
    """Figures draw from streams of their own: the end of the simulation moves none of them but the last."""
    shorter = make(end=dt.date(2023, 12, 31)).indicators
    longer = made.indicators.loc[made.indicators["known_on"] <= "2023-12-31"]
    pd.testing.assert_frame_equal(shorter, longer.reset_index(drop=True))


def test_figures_are_what_the_stream_wants(made):
    frame = made.indicators
    assert list(frame.columns) == list(INDICATOR_COLUMNS)
    assert set(frame["note"]) == {NOTE} == {"模拟数据"}
    assert set(frame["period_type"]) == {"year", "quarter"}
    assert {"CN", "220000", "220100", "222400"} <= set(frame["region"])
    assert frame["region"].nunique() == 11
    assert sorted(frame["event_date"].dt.year.unique()) == list(range(2019, 2026))
    assert (frame["known_on"] > frame["event_date"]).all()
    assert frame["known_on"].max() <= pd.Timestamp("2025-12-31")
    counted = frame.loc[frame["n"] != ""]
    share = 100 * counted["numerator"].astype(float) / counted["n"].astype(float)
    assert (abs(share - counted["value"].astype(float)) <= 0.051).all()
    macro = {"manufacturing-pass-rate", "manufacturing-competitiveness", "quality-loss-rate", "export-pass-rate", "customer-satisfaction"}
    assert macro <= set(frame["indicator"])


def test_every_final_figure_had_a_preliminary_one(made):
    frame = made.indicators
    orders = {tuple(item) for item in frame.groupby("record_key")["status"].agg(list)}
    assert ("preliminary", "final") in orders
    assert orders <= {("preliminary", "final"), ("preliminary",)}
    first, second = (frame.loc[frame["version"] == version].set_index("record_key")["known_on"] for version in (1, 2))
    assert (second > first.loc[second.index]).all()


def test_the_three_stories(made):
    frame = made.indicators
    assert (final(frame, "producer-service-satisfaction", "220000") < 82).all()  # target 85
    assert (final(frame, "waste-treatment", "220000") > 90).all()  # target 80
    assert final(frame, "customer-satisfaction", "222400").index.max() == 2022
    assert final(frame, "customer-satisfaction", "220100").index.max() == 2024
    quarters = frame.loc[(frame["indicator"] == "customer-satisfaction") & (frame["region"] == "222400")]
    assert quarters["event_date"].max() == pd.Timestamp("2023-06-30")


def test_files_hold_the_figures_and_the_old_files_are_untouched(made, tmp_path):
    paths = made.write(tmp_path)
    files = [path for path in paths if path.parent.name == "indicators"]
    assert [path.name for path in files] == [f"{year}.csv" for year in range(2019, 2026)]
    rows = sum(len(path.read_text(encoding="utf-8").splitlines()) - 1 for path in files)
    assert rows == len(made.indicators)
    text = files[-1].read_text(encoding="utf-8")
    assert "nan" not in text.lower()
    assert "模拟数据" in text
    # Written last of what sources read: the order and the content of the others do not depend on it.
    kinds = [path.parent.name for path in paths]
    assert kinds.index("indicators") > max(place for place, kind in enumerate(kinds) if kind == "notices")


def test_code_lists_of_ones_own_need_no_nation():
    from riskwatch.datasets.codelists import build_world, load_code_list, nation_of

    regions = load_code_list("regions")
    own = regions.loc[regions["level"].isin(["province", "prefecture", "county"]) & regions["code"].str.startswith("22")].copy()
    own.loc[own["level"] == "province", "parent"] = ""
    world = build_world(None, own)
    assert nation_of(own, world) == ""
    assert nation_of(None, build_world()) == "CN"
    assert "CN" not in set(make(regions=own, end=dt.date(2021, 6, 30)).indicators["region"])
