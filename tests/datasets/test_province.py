from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskwatch.datasets import Hazard, default_hazards, simulate_province
from riskwatch.datasets.codelists import build_world, load_code_list
from riskwatch.datasets.enterprises import credit_code, valid_credit_code
from riskwatch.errors import DimensionError, RiskwatchError
from riskwatch.records.streams import EXTERNAL_NOTICE, INJURY, SPOT_CHECK

FRAMES = ("spot_checks", "spot_check_items", "injuries", "notices", "ledger", "malformed", "hospitals", "hospital_gaps")
END = dt.date(2025, 12, 31)


def first_versions(frame):
    return frame[frame["version"] == 1]


def test_same_seed_same_records_and_another_seed_others(small):
    again = simulate_province(seed=7, end=dt.date(2023, 6, 30), scale=0.1)
    for name in FRAMES:
        pd.testing.assert_frame_equal(getattr(small, name), getattr(again, name))
    other = simulate_province(seed=8, end=dt.date(2021, 1, 31), scale=0.1)
    first = small.injuries[: len(other.injuries)]
    assert not np.array_equal(other.injuries["record_key"], first["record_key"])


def test_size_and_fields(province):
    assert 60_000 < len(province.spot_checks) < 120_000
    assert 80_000 < len(province.injuries) < 150_000
    assert 400 < len(province.notices) < 1_000
    extra = {"version", "known_on", "hazard_id"}
    for frame, stream in ((province.spot_checks, SPOT_CHECK), (province.injuries, INJURY), (province.notices, EXTERNAL_NOTICE)):
        fields = {field.name: field for field in stream.all_fields}
        assert set(frame.columns) <= set(fields) | extra
        for name, field in fields.items():
            if field.required:
                assert frame[name].notna().all(), name
            if field.choices and name in frame:
                assert set(frame[name].dropna().unique()) <= set(field.choices), name
        assert first_versions(frame)["record_key"].is_unique


def test_codes_are_those_of_the_lists(province):
    products = set(load_code_list("products").query("level == 'product'")["code"])
    industries = set(load_code_list("industries")["code"])
    counties = set(load_code_list("regions").query("level == 'county'")["code"])
    for frame in (province.spot_checks, province.injuries):
        assert set(frame["product"].unique()) == products
        assert set(frame["industry"].unique()) <= industries
        assert set(frame["region"].unique()) == counties
    assert set(province.spot_checks["producer_region"].unique()) <= set(load_code_list("regions")["code"])


def test_dates_are_in_order_and_nothing_is_known_after_the_end(province):
    checks, cards = province.spot_checks, province.injuries
    assert (checks["event_date"] <= checks["received_on"]).all()
    assert (checks["received_on"] < checks["reported_on"]).all()
    assert (checks["reported_on"] < checks["published_on"]).all()
    assert (cards["event_date"] <= cards["visited_on"]).all()
    assert (cards["visited_on"] < cards["reported_on"]).all()
    for frame in (checks, cards, province.notices):
        assert frame["event_date"].min() >= pd.Timestamp(2021, 1, 1)
        assert frame["known_on"].max() <= pd.Timestamp(END)


def test_reporting_delay(province, quiet):
    cards = first_versions(quiet.injuries)
    delay = (cards["reported_on"] - cards["visited_on"]).dt.days
    assert delay.min() == 3
    assert delay.max() <= 41
    # Monthly hospitals make the tail: some cards wait more than four weeks.
    assert 0.02 < (delay > 28).mean() < 0.2
    checks = first_versions(quiet.spot_checks)
    to_publication = (checks["published_on"] - checks["event_date"]).dt.days
    assert to_publication.min() >= 17
    assert to_publication.max() <= 50
    # The backlog decoy holds cards of its hospital back for up to seven weeks.
    held = first_versions(province.injuries)
    assert ((held["reported_on"] - held["visited_on"]).dt.days > 41).sum() > 20


def test_hospitals_fall_silent(province):
    cards = first_versions(province.injuries)
    gaps = province.hospital_gaps
    assert len(province.hospitals) == 16
    silent = gaps[gaps["reason"] == "silent"]
    assert len(silent) >= 4
    assert (silent["end"] == pd.Timestamp(END)).any()
    for gap in gaps.itertuples():
        own = cards[cards["hospital"] == gap.hospital]
        assert not own["visited_on"].between(gap.start, gap.end).any()
        assert len(own) > 100


def test_spring_festival(quiet):
    festivals = pd.to_datetime(["2021-02-12", "2022-02-01", "2023-01-22", "2024-02-10", "2025-01-29"])
    cards, checks = first_versions(quiet.injuries), first_versions(quiet.spot_checks)
    days = pd.date_range("2021-01-01", END)
    holiday = np.zeros(len(days), dtype=bool)
    around = np.zeros(len(days), dtype=bool)
    for festival in festivals:
        offset = (days - festival).days
        holiday |= (offset >= -1) & (offset <= 6)
        around |= ((offset >= -20) & (offset <= -8)) | ((offset >= 20) & (offset <= 32))
    fireworks = cards["product"] == "P1001"
    counts = cards[~fireworks].groupby("event_date").size().reindex(days, fill_value=0).to_numpy()
    assert 0.45 < counts[holiday].mean() / counts[around].mean() < 0.8
    burns = cards[fireworks].groupby("event_date").size().reindex(days, fill_value=0).to_numpy()
    assert burns[holiday].mean() > 15 * burns[~holiday].mean()
    assert not checks["event_date"].isin(days[holiday]).any()
    assert (checks["event_date"].dt.day_of_week < 5).all()


@pytest.mark.parametrize(
    ("product", "high", "low"),
    [("P0201", (12, 1), (6, 7)), ("P0307", (6, 7), (12, 1)), ("P1008", (7, 8), (1, 2)), ("P0807", (4, 5), (11, 12))],
)
def test_seasons(quiet, product, high, low):
    cards = first_versions(quiet.injuries)
    month = cards.loc[cards["product"] == product, "event_date"].dt.month
    assert month.isin(high).sum() > 2.5 * month.isin(low).sum()


def test_counts_are_overdispersed(quiet):
    cards = first_versions(quiet.injuries)
    furniture = cards[cards["product"] == "P0702"].assign(month=lambda frame: frame["event_date"].dt.strftime("%Y-%m"))
    cells = (
        furniture.groupby(["region", "month"], observed=False)
        .size()
        .reset_index(name="n")
        .pivot_table(index="region", columns="month", values="n", observed=False)
        .iloc[:, 1:-2]
    )
    large = cells[cells.mean(axis=1) > 4]
    assert len(large) > 3
    assert (large.var(axis=1) / large.mean(axis=1)).mean() > 1.25


def test_targeted_samples_fail_more_often_and_failures_are_followed_up(quiet):
    checks = first_versions(quiet.spot_checks)
    rate = checks.groupby("selection", observed=True)["failed"].mean()
    assert 0.03 < rate["random"] < 0.08
    assert rate["targeted"] > 1.8 * rate["random"]
    assert rate["complaint-led"] > rate["targeted"]
    assert rate["follow-up"] > 2 * rate["random"]
    month = checks["event_date"].dt.month
    share = (checks["selection"] == "targeted").groupby(month).mean()
    assert share[[3, 9, 11]].min() > share[[4, 5, 6, 7, 8, 10]].max()
    again = checks[checks["recheck_of"].notna()]
    assert len(again) > 2_000
    originals = checks.set_index("record_key").loc[again["recheck_of"].astype(str)]
    assert (originals["verdict"] == "fail").all()
    assert (originals["published_on"].to_numpy() < again["ordered_on"].to_numpy()).all()
    assert (again["ordered_on"] < again["rectified_on"]).all()
    assert (again["rectified_on"] < again["recheck_on"]).all()
    assert (again["recheck_on"] == again["event_date"]).all()


def test_some_producers_fail_again_and_again(quiet):
    checks = first_versions(quiet.spot_checks)
    random = checks[checks["selection"] == "random"]
    by_producer = random.groupby("producer", observed=True)["failed"].agg(["sum", "size"])
    expected = by_producer["size"] * random["failed"].mean()
    assert ((by_producer["sum"] >= 6) & (by_producer["sum"] > 4 * expected)).sum() >= 10


def test_corrections_come_later(province):
    for frame, changed in ((province.spot_checks, "verdict"), (province.injuries, "outcome")):
        second = frame[frame["version"] == 2].set_index("record_key")
        first = first_versions(frame).set_index("record_key").loc[second.index]
        assert len(second) > 50
        assert (second["known_on"] > first["known_on"]).all()
        assert (second[changed].astype(str) != first[changed].astype(str)).all()


def test_items_belong_to_failed_samples(province):
    items = province.spot_check_items
    failed = first_versions(province.spot_checks).query("verdict == 'fail'")["record_key"]
    assert set(items["record_key"]) == set(failed)
    limit = pd.to_numeric(items["limit"].astype(str), errors="coerce")
    measured = pd.to_numeric(items["measured"].astype(str), errors="coerce")
    assert (measured[limit.notna()] != limit[limit.notna()]).all()
    assert (items["measured"][limit.isna()] == "不符合要求").all()


def test_baseline_is_the_same_with_and_without_hazards(province, quiet):
    ordinary = province.injuries[(province.injuries["hazard_id"] == "")].set_index(["record_key", "version"])
    without = quiet.injuries.set_index(["record_key", "version"])
    # The backlog decoy only changes when some cards are reported.
    assert ordinary.index.sort_values().equals(without.index.sort_values())
    for column in ("event_date", "product", "region", "outcome"):
        assert (ordinary[column].astype(str) == without.loc[ordinary.index, column].astype(str)).all(), column
    checks = first_versions(province.spot_checks)
    shared = checks[checks["record_key"].isin(quiet.spot_checks["record_key"])].set_index("record_key")
    before = first_versions(quiet.spot_checks).set_index("record_key")
    assert set(before.index) == set(shared.index)
    turned = shared["failed"] > before.loc[shared.index, "failed"]
    assert (shared["failed"] >= before.loc[shared.index, "failed"]).all()
    assert (shared.loc[turned, "hazard_id"] != "").all()


def test_ledger_says_what_is_in_the_data(province, quiet):
    ledger = province.ledger.set_index("hazard_id")
    world = build_world()
    for hazard_id, row in ledger.iterrows():
        if row["kind"] != "hazard":
            continue
        products = world.products["code"][world.product_mask(filter(None, row["products"].split(";")))]
        counties = world.counties["code"][world.county_mask(filter(None, row["regions"].split(";")))]
        for name, measure, since in (("injuries", "persons", row["start"]), ("spot_checks", "failed", row["defect_from"])):
            expected = row["expected_injuries" if name == "injuries" else "expected_failures"]
            if not expected:
                continue
            counts = []
            for simulated in (province, quiet):
                frame = first_versions(getattr(simulated, name))
                cell = frame[frame["product"].isin(products) & frame["region"].isin(counties)]
                last = pd.Timestamp(row["end"] or END)
                cell = cell[cell["event_date"].between(pd.Timestamp(since), last)]
                if name == "spot_checks":
                    cell = cell[cell["recheck_of"].isna()]
                counts.append(cell[measure].sum())
            excess = counts[0] - counts[1]
            # What is active at the end is not all reported yet.
            low = 0.5 if row["active_at_end"] and name == "injuries" else 1.0
            margin = 4.0 * np.sqrt(expected) + 2.0
            assert low * expected - margin < excess < expected + margin, (hazard_id, name, excess, expected)
            injected = row["injected_injuries" if name == "injuries" else "injected_failures"]
            # Other hazards or decoys may share cells, so the difference is at least this hazard's own.
            assert injected <= excess


def test_ledger_covers_what_an_engine_has_to_tell_apart(province):
    ledger = province.ledger
    hazards = ledger[ledger["kind"] == "hazard"]
    assert len(hazards) >= 14
    assert set(hazards["scope"]) == {"isolated", "regional", "industry-wide", "systemic"}
    assert set(hazards["stream"]) == {"injury", "spot_check", "both"}
    active = hazards[hazards["active_at_end"]]
    grades = active["grade_expected"].value_counts()
    assert grades.get("I", 0) + grades.get("II", 0) >= 1
    assert grades["III"] >= 2
    assert grades["IV"] >= 3
    assert {"decoy-campaign", "decoy-new-hospital", "decoy-backlog", "decoy-label"} <= set(ledger["kind"])
    assert (ledger.loc[ledger["kind"] != "hazard", "grade_expected"] == "").all()
    injured = hazards[(hazards["expected_injuries"] > 0)]
    assert (injured["injected_injuries"] > 0).all()
    died = province.injuries[(province.injuries["outcome"] == "died") & (province.injuries["hazard_id"] != "")]
    assert died["hazard_id"].nunique() >= 3


def test_the_page_shows_the_ledger_as_it_is(province):
    page = (Path(__file__).resolve().parents[2] / "docs" / "simulated_province.md").read_text(encoding="utf-8")
    assert "模拟数据" in page
    for row in province.ledger.itertuples():
        line = next(line for line in page.splitlines() if line.startswith(f"| {row.hazard_id} |"))
        assert row.note_en in line
        if row.kind == "hazard":
            assert f"| {row.expected_injuries:.0f} / {row.injected_injuries} |" in line
            assert f"| {row.expected_failures:.0f} / {row.injected_failures} | {row.grade_expected} |" in line


def test_no_personal_data(province):
    texts = pd.concat(
        [
            pd.Series(frame[column].astype(str).unique())
            for frame in (province.spot_checks, province.injuries, province.notices)
            for column in frame.columns
            if column in {"narrative", "title", "sampled_name", "producer_name", "hospital", "product_name", "task", "specification"}
        ]
    )
    # Telephone and identity numbers: eleven digits beginning with 1, or eighteen.
    assert not texts.str.contains(r"(?<!\d)1[3-9]\d{9}(?!\d)", regex=True).any()
    assert not texts.str.contains(r"\d{17}[\dX]", regex=True).any()
    assert "name" not in province.injuries.columns
    assert province.spot_checks["producer_name"].astype(str).str.startswith("模拟企业").all()
    assert province.injuries["hospital"].astype(str).str.startswith("模拟医院").all()


def test_credit_codes_are_valid_and_fictitious(province):
    codes = province.spot_checks["producer"].cat.categories
    assert all(valid_credit_code(code) for code in codes)
    assert (codes.str[8:10] == "MN").all()


def test_credit_code_checks():
    # A code in use, as an example that the simulator did not make; and what breaks it.
    assert valid_credit_code("914403001922038216")
    assert not valid_credit_code("914403001922038217")
    assert not valid_credit_code("91440300192203821")
    assert not valid_credit_code("91440300192203821I")
    assert valid_credit_code(credit_code("220102", 1))


def test_results_do_not_depend_on_other_products():
    """A part of the product list gives the same injuries for its products: every product draws from a stream of its own."""
    products = load_code_list("products")
    part = simulate_province(
        seed=7, start=dt.date(2024, 1, 1), scale=0.5, hazards=(), products=products[products["code"].str.startswith("P03")]
    )
    whole = simulate_province(seed=7, start=dt.date(2024, 1, 1), scale=0.5, hazards=())
    ours = part.injuries["product"].astype(str).value_counts()
    theirs = whole.injuries["product"].astype(str).value_counts()[ours.index]
    # Which cards a silent hospital loses is drawn over all events, so numbers agree but for a few cards in a hundred.
    assert ((ours - theirs).abs() <= 0.05 * theirs + 3).all()


def test_scale_multiplies_volumes(quiet):
    start = dt.date(2025, 1, 1)
    tenth = simulate_province(seed=1, start=start, scale=0.1, hazards=())
    for name, first_known in (("injuries", pd.Timestamp(2025, 3, 1)), ("spot_checks", pd.Timestamp(2025, 4, 1))):
        whole, part = (frame[frame["event_date"] >= first_known] for frame in (getattr(quiet, name), getattr(tenth, name)))
        assert len(part) == pytest.approx(len(whole) / 10, rel=0.12), name


def test_default_hazards_follow_the_last_day_and_the_lists():
    world = build_world()
    for hazard in default_hazards(dt.date(2023, 1, 1), dt.date(2024, 6, 30), world):
        assert dt.date(2023, 1, 1) <= hazard.start <= dt.date(2024, 6, 30)
        assert hazard.end is None or hazard.end <= dt.date(2024, 6, 30)
    counties = load_code_list("regions")
    part = build_world(regions=counties[counties["code"].str.startswith(("2201", "CN", "220000"))])
    assert all(not hazard.regions or part.county_mask(hazard.regions).any() for hazard in default_hazards(dt.date(2021, 1, 1), END, part))


HAZARD = Hazard("T1", "hazard", "isolated", ("P0101",), ("220102",), dt.date(2024, 1, 1), dt.date(2024, 2, 1), "injury", 3.0)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"scale": 0}, RiskwatchError, "scale must be a positive number, got 0"),
        ({"scale": float("nan")}, RiskwatchError, "scale must be a positive number, got nan"),
        ({"seed": -1}, RiskwatchError, "seed must be >= 0, got -1"),
        ({"hospitals": 0}, RiskwatchError, "hospitals must be >= 1, got 0"),
        ({"malformed": -5}, RiskwatchError, "malformed must be >= 0, got -5"),
        ({"start": dt.date(2026, 1, 1)}, RiskwatchError, "in order and within 2015 to 2030, got 2026-01-01 to 2025-12-31"),
        ({"start": dt.date(2001, 1, 1)}, RiskwatchError, "within 2015 to 2030"),
        ({"hazards": (HAZARD, HAZARD)}, RiskwatchError, "T1: hazard_id must be unique"),
        (
            {"hazards": (Hazard("T2", "hazard", "isolated", ("P9999",), (), END, None, "injury", 2.0),)},
            DimensionError,
            r"T2 names codes .*\['P9999'\]",
        ),
        (
            {"hazards": (Hazard("T3", "hazard", "isolated", (), (), END, None, "injury", 0.5),)},
            RiskwatchError,
            "T3: relative risks must be >= 1, got 0.5",
        ),
        (
            {"hazards": (Hazard("T4", "hazard", "isolated", (), (), END, END - dt.timedelta(1), "injury", 2.0),)},
            RiskwatchError,
            "T4: end must not be before start",
        ),
        (
            {"hazards": (Hazard("T5", "hazard", "isolated", (), (), END, None, "injury", 2.0, mechanism="spell"),)},
            RiskwatchError,
            "T5: mechanism must be one of",
        ),
    ],
)
def test_bad_parameters_are_named(kwargs, error, message):
    with pytest.raises(error, match=message):
        simulate_province(**kwargs)
