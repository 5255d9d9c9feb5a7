"""The simulated streams of the policies: coherent with the hazards, from random streams of their own, and delivered whole."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import pandas as pd
from ruamel import yaml

from riskwatch.assessment import GradingRules
from riskwatch.assessment.absence import recall_flags
from riskwatch.datasets import province as province_module
from riskwatch.datasets import simulate_province
from riskwatch.datasets.complaints import CAMPAIGNS, COMPLAINT_COLUMNS
from riskwatch.datasets.policy import POLICY_HEADERS
from riskwatch.dossiers.calibration import lapsed_results
from riskwatch.dossiers.complaints import claimant_bursts
from riskwatch.dossiers.registers import recalls_in_force
from riskwatch.records import STREAMS
from riskwatch.records.policy_streams import POLICY_STREAMS

CONFIG = Path(__file__).resolve().parents[2] / "config"
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


OLD = {"spot_checks", "injuries", "notices", "indicators", "credit"}


def test_the_older_files_do_not_depend_on_these_streams(tmp_path, monkeypatch):
    def digests(folder):
        made = simulate_province(seed=1, end=dt.date(2021, 9, 30), scale=0.05)
        paths = made.write(folder)
        kept = [path for path in paths if path.parent.name in OLD or path.name == "malformed.csv"]
        assert {path.parent.name for path in kept} == OLD | {"demo_truth"}
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}

    before = digests(tmp_path / "with")
    nothing = pd.DataFrame(columns=list(COMPLAINT_COLUMNS))
    monkeypatch.setattr(province_module, "simulate_policy", lambda scene, cards: {"complaint": nothing})
    assert digests(tmp_path / "without") == before


def test_campaigns_of_single_claimants_are_in_the_ledger(province, quiet):
    ledger = province.ledger.set_index("hazard_id")
    complaints = province.policy["complaint"]
    for campaign in CAMPAIGNS:
        row = ledger.loc[campaign.campaign_id]
        own = complaints[complaints["hazard_id"] == campaign.campaign_id]
        assert (row["kind"], row["stream"], row["products"], row["regions"]) == (
            "decoy-claimant",
            "complaint",
            campaign.product,
            campaign.region,
        )
        assert len(own) == campaign.complaints
        assert pd.Timestamp(row["start"]) <= own["event_date"].min()
        assert own["event_date"].max() <= pd.Timestamp(row["end"])
    assert quiet.ledger.empty


def known(frame, day):
    """The newest version of each record known on a day."""
    rows = frame[frame["known_on"] <= pd.Timestamp(day)]
    return rows.sort_values("version", kind="stable").drop_duplicates("record_key", keep="last")


def test_the_campaign_under_way_is_a_burst_and_hazards_are_none(province):
    day = dt.date(2025, 12, 31)
    found = claimant_bursts(known(province.policy["complaint"], day), as_of=day)
    assert found[["product", "region", "by_one"]].to_numpy().tolist() == [["P0505", "220104", 90]]
    before = dt.date(2024, 9, 18)
    earlier = claimant_bursts(known(province.policy["complaint"], before), as_of=before)
    assert earlier[["product", "region"]].to_numpy().tolist() == [["P0908", "220202"]]


def test_a_recall_of_an_ended_hazard_completes_and_is_a_flag_for_a_while(province):
    """Hoses and regulators (H10): the hazard ended on 2025-01-26, the recall 75 days later."""
    rules = GradingRules.model_validate(yaml.YAML(typ="safe").load((CONFIG / "grading.yaml").read_text(encoding="utf-8")))

    def flagged(day):
        standing = recalls_in_force(known(province.policy["recall"], day), as_of=day, ended_days=10_000)
        flags = recall_flags(standing, as_of=day, rules=rules.artefacts)
        assert all(flag["kind"] == "recall-completed" and flag["region"] == "220000" for flag in flags)
        return {flag["product"] for flag in flags}

    assert not {"P0404", "P0405"} & flagged(dt.date(2025, 4, 10))
    assert {"P0404", "P0405"} <= flagged(dt.date(2025, 4, 13))
    assert {"P0404", "P0405"} <= flagged(dt.date(2025, 10, 7))
    assert not {"P0404", "P0405"} & flagged(dt.date(2025, 10, 10))
    # Hazards that go on: their recalls run.
    assert not {"P0302", "P0402"} & flagged(dt.date(2025, 12, 31))


def test_samples_of_the_lapsed_laboratory_are_its_own_only(province):
    checks = province.spot_checks[province.spot_checks["version"] == 1]
    recent = checks[(checks["event_date"] >= "2025-10-01") & (checks["failed"] > 0)]
    items = province.spot_check_items[province.spot_check_items["version"] == 1].merge(
        recent[["record_key", "laboratory", "reported_on"]].astype({"record_key": "object"}), on="record_key"
    )
    lapsed = lapsed_results(items.rename(columns={"reported_on": "day"}), known(province.policy["laboratory"], dt.date(2025, 12, 31)))
    assert lapsed.sum() > 5
    assert set(items.loc[lapsed, "laboratory"]) == {"模拟检验院4"}
