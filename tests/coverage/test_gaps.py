"""Cells that were sampled, thin or gaps; what a gap never is; sums."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from riskwatch.coverage import by_product, by_region, coverage, summarise
from riskwatch.coverage.gaps import CHANNEL, FRAME
from riskwatch.errors import RecordError
from tests.coverage.conftest import AS_OF, checks, province


def cell(frame, product, region, level="county", channel=""):
    found = frame[(frame["level"] == level) & (frame["product"] == product) & (frame["region"] == region) & (frame["channel"] == channel)]
    assert len(found) == 1
    return found.iloc[0]


@pytest.fixture(scope="module")
def small(trees, rules, catalogue):
    """P0304 asks for two samples a year in each county."""
    records = checks(
        [
            ("2025-12-31", "P0304", "220102", "random", "county", 1, 1),
            ("2025-01-01", "P0304", "220102", "targeted", "county", 3, 3),
            ("2024-12-31", "P0304", "220102", "random", "county", 9, 9),  # a day too old
            ("2025-06-01", "P0304", "220103", "random", "county", 1, 0),
            ("2025-06-01", "P0304", "220104", "follow-up", "recheck", 5, 5),
            ("2025-06-01", "P0304", "220106", "random", "provincial", 4, 0),
            ("2025-06-01", "P0304", "220100", "random", "county", 7, 0),  # placed on the prefecture only
            ("2025-06-01", "P0303", "220105", "random", "county", 7, 0),  # no key product
            ("2025-06-01", "P0304", "110000", "random", "county", 7, 0),  # outside the jurisdiction
            ("2025-06-01", "P0201", "220102", "random", "county", 2, 0, "online"),
        ]
    )
    return coverage(records, trees, catalogue, as_of=AS_OF, rules=rules.coverage)


def test_the_grid_is_whole(small, catalogue, trees):
    counties = trees["region"].level == "county"
    assert list(small.columns) == list(FRAME)
    assert (small["level"] == "county").sum() == len(catalogue.entries) * counties.sum()
    assert (small["level"] == "prefecture").sum() == len(catalogue.entries) * 9
    assert (small["level"] == CHANNEL).sum() == sum(len(entry.channels) for entry in catalogue.entries)
    assert not small.duplicated(["level", "product", "region", "channel"]).any()


def test_comparison_samples_and_others_are_kept_apart(small):
    row = cell(small, "P0304", "220102")
    assert (row["comparison"], row["other"], row["failed"], row["rate"]) == (1, 3, 1, 1.0)
    assert (row["state"], row["expected"], row["share"], row["days_since"]) == ("sampled", 2.0, 1.0, 0.0)
    thin = cell(small, "P0304", "220103")
    assert (thin["state"], thin["share"], thin["note_zh"][:7]) == ("thin", 0.5, "样本 1，计划")
    assert thin["last_sampled"] == pd.Timestamp("2025-06-01")


def test_looking_again_at_a_known_failure_is_no_coverage(small):
    row = cell(small, "P0304", "220104")
    assert (row["state"], row["repeat"], row["comparison"], row["other"]) == ("gap", 5, 0, 0)
    assert pd.isna(row["last_sampled"])


def test_a_gap_has_no_rate_and_says_what_it_is_not(small):
    gaps = small[small["state"] == "gap"]
    assert len(gaps) > 1000
    assert gaps["rate"].isna().all()
    assert gaps["days_since"].isna().all()
    assert (gaps["share"] == 0).all()
    assert gaps["note_zh"].str.contains("不等于安全").all()
    assert gaps["note_en"].str.contains("not the same as safe").all()


def test_samples_of_higher_levels_explain_a_gap_but_do_not_fill_it(small):
    row = cell(small, "P0304", "220105")
    assert (row["state"], row["higher_level"]) == ("gap", 4)
    assert "产品质量法第十五条" in row["note_zh"]
    assert "art. 15" in row["note_en"]
    # Another prefecture has none.
    assert cell(small, "P0304", "220202")["higher_level"] == 0
    # A prefecture is barred by what was taken anywhere in the province.
    assert cell(small, "P0304", "220200", "prefecture")["higher_level"] == 4


def test_a_record_on_the_prefecture_counts_there_only(small):
    assert cell(small, "P0304", "220100", "prefecture")["comparison"] == 1 + 1 + 4 + 7
    counties = small[(small["level"] == "county") & (small["product"] == "P0304")]
    assert counties["comparison"].sum() == 1 + 1 + 4


def test_channels_and_season(small):
    online = cell(small, "P0201", "220000", CHANNEL, "online")
    assert (online["comparison"], online["expected"], online["state"]) == (2, 20.0, "thin")
    assert cell(small, "P0201", "220000", CHANNEL, "distribution")["state"] == "gap"
    summer = cell(small, "P0201", "220102")
    assert (summer["state"], summer["season_samples"], bool(summer["in_season"])) == ("sampled", 0, True)
    assert summer["note_zh"] == "样本均不在重点季节"


def test_a_shorter_window_asks_for_less_and_the_row_order_does_not_matter(trees, rules, catalogue):
    records = province()
    frame = coverage(records, trees, catalogue, as_of=AS_OF, rules=rules.coverage, window_days=73, levels=("prefecture",))
    assert set(frame["level"]) == {"prefecture", CHANNEL}
    entry = catalogue.entry("P0304")
    assert cell(frame, "P0304", "220100", "prefecture")["expected"] == pytest.approx(entry.minimum["prefecture"] / 5)
    mixed = records.sample(frac=1, random_state=3).astype({"product": "category", "region": "category", "channel": "category"})
    again = coverage(mixed, trees, catalogue, as_of=AS_OF, rules=rules.coverage, window_days=73, levels=("prefecture",))
    pd.testing.assert_frame_equal(frame, again)


def test_counts_are_those_of_a_plain_loop(trees, rules, catalogue):
    records = province(7, 3000)
    frame = coverage(records, trees, catalogue, as_of=AS_OF, rules=rules.coverage)
    recent = records[records["event_date"] > pd.Timestamp(AS_OF) - pd.Timedelta(days=365)]
    plain = recent[(recent["selection"] == "random")].groupby(["product", "region"])["inspected"].sum()
    for product, region in [("P0101", "220102"), ("P0903", "220104"), ("P0801", "222401")]:
        assert cell(frame, product, region)["comparison"] == plain.get((product, region), 0)
    own = frame[frame["level"] == "county"]
    listed = recent[recent["product"].isin([entry.product for entry in catalogue.entries])]
    assert own[["comparison", "other", "repeat"]].to_numpy().sum() == listed["inspected"].sum()


def test_a_category_includes_what_lies_below(trees, rules, catalogue):
    entry = catalogue.entries[0].model_copy(update={"product": "P02"})
    both = catalogue.model_copy(update={"entries": (entry, catalogue.entry("P0201"))})
    records = checks([("2025-06-01", code, "220102", "random", "county", 1, 0) for code in ("P0201", "P0205")])
    frame = coverage(records, trees, both, as_of=AS_OF, rules=rules.coverage)
    assert cell(frame, "P02", "220102")["comparison"] == 2
    assert cell(frame, "P0201", "220102")["comparison"] == 1


def test_a_tree_without_the_codes_gives_no_cells_and_no_crash(trees, rules, catalogue):
    nothing = coverage(province(), {"product": trees["industry"], "region": trees["region"]}, catalogue, as_of=AS_OF, rules=rules.coverage)
    assert nothing.empty
    assert list(nothing.columns) == list(FRAME)
    assert summarise(nothing, trees, catalogue, as_of=AS_OF, window_days=365, level="county") is None
    assert coverage(province(), {}, catalogue, as_of=AS_OF, rules=rules.coverage).empty
    assert by_product(nothing, level="county").empty


def test_missing_columns_are_named(trees, rules, catalogue):
    with pytest.raises(RecordError, match="missing: selection"):
        coverage(province().drop(columns="selection"), trees, catalogue, as_of=AS_OF, rules=rules.coverage)


def test_sums_add_up_and_weights_are_people(trees, rules, catalogue):
    frame = coverage(province(), trees, catalogue, as_of=AS_OF, rules=rules.coverage)
    tree = trees["region"]
    counties, prefectures = by_region(frame, tree, level="county"), by_region(frame, tree, level="county", at="prefecture")
    assert counties["cells"].sum() == prefectures["cells"].sum() == by_product(frame, level="county")["cells"].sum()
    assert (counties["covered"] == counties["sampled"] + counties["thin"]).all()
    assert (counties["cells"] == counties["covered"] + counties["gaps"]).all()
    assert (counties["lower"] <= counties["share"]).all()
    own = frame[(frame["level"] == "county") & tree.is_within(frame["region"].to_numpy(dtype=object), "220100")]
    expected = own.loc[own["state"] != "gap", "population"].sum() / own["population"].sum()
    assert prefectures.set_index("region").loc["220100", "population_share"] == pytest.approx(expected)
    with pytest.raises(RecordError, match="no cell on level 'street'"):
        by_region(frame, tree, level="street")


def test_an_unknown_population_makes_the_weighted_share_unknown(trees, rules, catalogue):
    frame = coverage(province(), trees, catalogue, as_of=AS_OF, rules=rules.coverage)
    hole = frame["region"] == "220102"
    frame.loc[hole, "population"] = np.nan
    shares = by_region(frame, trees["region"], level="county", at="prefecture").set_index("region")["population_share"]
    assert np.isnan(shares["220100"])
    assert shares.drop("220100").notna().all()


def test_a_summary_is_of_its_own_region_and_names_the_heaviest_gaps(trees, rules, catalogue):
    frame = coverage(province(), trees, catalogue, as_of=AS_OF, rules=rules.coverage)
    asked = {"as_of": AS_OF, "window_days": 365, "level": "county"}
    whole, own = (summarise(frame, trees, catalogue, region=region, top=4, **asked) for region in ("", "222400"))
    assert own.cells == len(catalogue.entries) * len(trees["region"].children("222400"))
    assert (whole.cells, whole.covered + whole.gaps) == (1440, 1440)
    assert all(trees["region"].is_within([gap.region], "222400")[0] for gap in own.top)
    assert own.top[0].product_name["zh"] == catalogue.entry(own.top[0].product).label.zh
    people = trees["region"].attribute([gap.region for gap in own.top], "population").astype(float)
    heavy = [gap.weight * one for gap, one in zip(own.top, people, strict=True)]
    assert heavy == sorted(heavy, reverse=True)
    assert (own.verified, own.catalogue) == (False, "demo-2024")
    assert summarise(frame, trees, catalogue, region="999999", **asked) is None


def test_a_past_day_uses_the_catalogue_of_its_time(trees, rules):
    day = dt.date(2023, 6, 30)
    frame = coverage(province(), trees, rules.in_force(day), as_of=day, rules=rules.coverage)
    assert "P0302" not in set(frame["product"])
