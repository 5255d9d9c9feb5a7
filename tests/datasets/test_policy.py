"""The simulated streams of the policies: coherent with the hazards, from random streams of their own, and delivered whole."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from riskwatch.datasets import simulate_province
from riskwatch.datasets.policy import POLICY_HEADERS
from riskwatch.records import STREAMS
from riskwatch.records.policy_streams import POLICY_STREAMS

EXTRA = {"version", "known_on", "hazard_id"}


def test_every_stream_has_records_with_fields_of_the_stream(province):
    assert set(province.policy) == {stream.name for stream in POLICY_STREAMS} == set(POLICY_HEADERS)
    for name, frame in province.policy.items():
        fields = {field.name: field for field in STREAMS[name].all_fields}
        assert set(frame.columns) <= set(fields) | EXTRA
        assert not frame.duplicated(["record_key", "version"]).any(), name
        assert frame["known_on"].max() <= pd.Timestamp("2025-12-31")
        for field in fields.values():
            if field.required:
                assert frame[field.name].notna().all(), (name, field.name)
            if field.choices and field.name in frame:
                assert set(frame[field.name].unique()) <= set(field.choices), (name, field.name)
    assert 15_000 < len(province.policy["complaint"]) < 25_000


def test_hazards_bring_persons_and_a_campaign_brings_one(province):
    complaints = province.policy["complaint"]
    by_cause = complaints.groupby("hazard_id").agg(n=("complaints", "sum"), persons=("complainant", "nunique"))
    assert by_cause.loc["D06"].tolist() == [90, 1]
    assert by_cause.loc["H14", "n"] == by_cause.loc["H14", "persons"] > 50


def test_deaths_of_hazards_are_told_by_the_firm_as_well(province):
    accidents = province.policy["accident"]
    told = accidents[accidents["hazard_id"] != ""]
    cards = province.injuries[(province.injuries["version"] == 1) & (province.injuries["outcome"] == "died")]
    known = set(zip(cards["product"].astype(str), cards["region"].astype(str), cards["event_date"].astype("datetime64[s]"), strict=True))
    assert len(told) > 5
    assert set(zip(told["product"], told["region"], told["event_date"], strict=True)) <= known
    assert (accidents["reported_at"] >= accidents["learned_at"]).all()


def test_a_laboratory_has_lapsed_and_recalls_of_ended_hazards_are_complete(province):
    labs = province.policy["laboratory"]
    assert set(labs.loc[labs["calibration"] == "lapsed", "laboratory"]) == {"模拟检验院4"}
    recalls = province.policy["recall"].sort_values("version").drop_duplicates("record_key", keep="last").set_index("hazard_id")
    assert (recalls.loc[["H02", "H04", "H10"], "completion"] == 1.0).all()
    assert (recalls.loc[["H14"], "completion"] < 1.0).all()


def test_the_files_hold_every_record(tmp_path):
    small = simulate_province(seed=2, start=dt.date(2025, 6, 1), end=dt.date(2025, 8, 31), scale=0.05, malformed=0)
    paths = small.write(tmp_path)
    for stream, (folder, _) in POLICY_HEADERS.items():
        rows = sum(len(pd.read_csv(path, dtype=str)) for path in paths if path.parent.name == folder)
        assert rows == len(small.policy[stream]), stream
