"""Words that emerged in real records: on which day each would first have alarmed, judged with what was known by then."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskwatch.detectors import detector
from riskwatch.detectors.log_odds import log_odds
from riskwatch.texts import Floors, failing, first_alarms, replay, term_panel

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
MONTHLY = {"guard_periods": 1, "min_total": 5, "pool_strata": True}


def spoken(alarms):
    return {term for row in alarms.itertuples() for term in (row.term, *row.alike)}


def test_log_odds_against_scattertext():
    """Same delta; scattertext keeps the two small terms of the variance that Monroe and others leave out (their equation 20)."""
    for prior, rows in pd.read_csv(REFERENCE / "log_odds_prior.csv").groupby("prior"):
        now, before = rows["now"].to_numpy(float), rows["before"].to_numpy(float)
        n = (np.full(len(rows), now.sum()), np.full(len(rows), before.sum()))
        delta, z = log_odds(now, before, n_now=n[0], n_before=n[1], prior=float(prior))
        a = float(prior) * (now + before) / (n[0] + n[1])
        full = sum(1 / (y + a) + 1 / (size + float(prior) - y - a) for y, size in zip((now, before), n, strict=True))
        np.testing.assert_allclose(delta / np.sqrt(full), rows["zeta"], rtol=1e-12, atol=1e-12)
        assert np.all(np.abs(z) >= np.abs(rows["zeta"]) - 1e-12)


def notices(real_data):
    raw = pd.read_parquet(real_data / "rasff_notifications" / "rasff_2020_2024.parquet")
    text = raw["product"].fillna("") + " . " + raw["hazard_substance"].fillna("")
    return pd.DataFrame({"event_date": pd.to_datetime(raw["date_of_case"]), "text": text, "country": raw["notification_from"]})


def test_ethylene_oxide_alarms_before_the_regulation(real_data, rules, tokeniser):
    """Regulation (EU) 2020/1540 is of 22 October 2020; the first notice of 9 September, one a week until the week to 11 October."""
    frame = notices(real_data)
    frame = frame[(frame["event_date"] >= "2020-04-01") & (frame["event_date"] < "2020-10-20")]
    method = detector("log-odds-dirichlet", window_periods=4, guard_periods=4, min_history_periods=13, min_total=5, pool_strata=True)
    days = [dt.date(2020, 10, 4), dt.date(2020, 10, 11), dt.date(2020, 10, 18)]
    given = {"field": "text", "rules": rules, "tokeniser": tokeniser, "frequency": "week", "method": method, "reporter": "country"}
    alarms = replay(frame, days, **given)
    first = first_alarms(alarms)
    ours = first[[("ethylene" in " ".join((row.term, *row.alike))) for row in first.itertuples()]]
    assert ours["day"].tolist() == [dt.date(2020, 10, 18)]
    assert ours["records_before"].tolist() == [0]
    assert len(first) <= 15
    # What comes later changes nothing of a past day.
    pd.testing.assert_frame_equal(
        replay(frame[frame["event_date"] <= "2020-10-11"], days[:2], **given), alarms[alarms["day"] < days[2]].reset_index(drop=True)
    )
    assert replay(frame, days, floors=Floors(fdr=1e-12), **given).empty


def test_recalled_hazards_alarm_in_their_months(real_data, rules, tokeniser):
    raw = pd.read_parquet(real_data / "cpsc_recalls" / "recalls.parquet")
    text = raw["descriptions"].fillna("") + " . " + raw["hazards"].fillna("")
    frame = pd.DataFrame({"event_date": pd.to_datetime(raw["recall_date"]), "text": text})
    frame = frame[(frame["event_date"] >= "2004-01-01") & (frame["event_date"] < "2011-12-01")]
    method = detector("log-odds-dirichlet", window_periods=3, history_periods=36, min_history_periods=6, **MONTHLY)
    days = [dt.date(2007, 9, 30), dt.date(2010, 5, 31), dt.date(2010, 6, 30), dt.date(2011, 9, 30), dt.date(2011, 10, 31)]
    alarms = replay(frame, days, field="text", rules=rules, tokeniser=tokeniser, frequency="month", method=method)
    by_day = {day: spoken(alarms[alarms["day"] == day]) for day in days}
    assert "lead" in by_day[days[0]]  # the lead paint wave
    assert not any("crib" in term for term in by_day[days[1]])
    assert "drop-side crib" in by_day[days[2]]  # 24 June 2010: two million drop-side cribs
    assert "gel" in by_day[days[3]]  # 1 September 2011: pourable gel fuels
    assert "citronella" in by_day[days[4]]
    assert len(first_alarms(alarms)) <= 10


@pytest.mark.slow
def test_names_of_chinese_food_that_fail(real_data, rules, tokeniser):
    """Loach of summer 2022: six of eleven samples fail, and the category's code says nothing of it."""
    raw = pd.read_parquet(real_data / "cn_food_spotcheck" / "samples.parquet")
    raw = raw[raw["query_mode"] == "all"].drop_duplicates("sample_id")
    frame = raw[["product_name", "producer"]].assign(event_date=pd.to_datetime(raw["publish_date"]), failed=raw["failed"].astype(int))
    method = detector(
        "binomial-baseline", history_periods=24, min_history_periods=0, guard_periods=3, window_periods=3, mid_p=True, pool_strata=True
    )
    called = {}
    for day in (dt.date(2022, 5, 31), dt.date(2022, 7, 31)):
        found = term_panel(
            frame[frame["event_date"] <= pd.Timestamp(day)], field="product_name", rules=rules, tokeniser=tokeniser, trees={},
            frequency="month", until=day, product_fields=(), reporter="producer", counted="failed",
        )  # fmt: skip
        table = failing(found, method, counted="failed", frequency="month", rules=rules, reporter="producer")
        good = table["alarm"] & (table["q_value"] <= 0.05) & (table["records_now"] >= 3) & (table["share_now"] >= 2 * table["share_before"])
        called[day.month] = table.loc[good, "term"].tolist()
    assert "拉皮" in called[5]  # sheets of starch: five of seven
    assert called[7] == ["泥鳅"]
    assert sum(map(len, called.values())) <= 6
