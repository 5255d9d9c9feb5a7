"""Clocks, bursts, recalls, licences, laboratories and notices on a day."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from riskwatch.assessment.accident_floors import event_grade, final_reports, told_already
from riskwatch.dossiers.accidents import accident_clocks
from riskwatch.dossiers.complaints import claimant_bursts
from riskwatch.dossiers.registers import certificates_in_force, laboratory_status, open_trade_notices, recalls_in_force
from riskwatch.dossiers.rules import DossierRules
from riskwatch.errors import RecordError
from riskwatch.panel import build_panel

DAY = dt.date(2025, 12, 31)


def accidents(*times: tuple[str, str, str | None]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "record_key": f"A{number}", "event_date": pd.Timestamp("2025-12-01"), "product": "p", "region": "r", "reporter": reporter,
                "deaths": 0, "serious": 1, "learned_at": learned, "reported_at": reported,
            }
            for number, (learned, reported, reporter) in enumerate(times)
        ]
    )  # fmt: skip


def test_a_firm_has_an_hour_and_a_county_two_and_exactly_that_is_in_time():
    learned = "2025-12-01T23:30"
    clocks = accident_clocks(
        accidents(
            (learned, "2025-12-02T00:30", "enterprise"), (learned, "2025-12-02T00:31", "enterprise"),
            (learned, "2025-12-02T01:30", "county"),
            (learned, "2025-12-02", "enterprise"), (learned, "2025-12-02T01:00", None),
        )
    )  # fmt: skip
    states = clocks.set_index("record_key")["state"].to_dict()
    assert states == {"A0": "in-time", "A1": "late", "A2": "in-time", "A3": "unknown", "A4": "late"}
    assert clocks["state"].tolist()[:2] == ["late", "late"]
    assert clocks.set_index("record_key")["hours"]["A0"] == pytest.approx(1.0)
    with pytest.raises(RecordError, match="missing: learned_at"):
        accident_clocks(accidents((learned, learned, None)).drop(columns="learned_at"))


def complaints(people: list[str | None], product: str = "p") -> pd.DataFrame:
    days = pd.date_range("2025-12-01", periods=len(people), freq="D").to_numpy("datetime64[s]") if people else []
    frame = pd.DataFrame({"event_date": days, "complainant": people, "complaints": 1, "product": product, "region": "r"})
    return frame.astype({"complainant": "object"})


def test_a_burst_is_one_person_and_not_many_and_does_not_name_them():
    burst = claimant_bursts(pd.concat([complaints(["z"] * 12 + ["a", "b"]), complaints([f"c{n}" for n in range(30)], "q")]), as_of=DAY)
    assert burst[["product", "complaints", "by_one"]].to_numpy().tolist() == [["p", 14, 12]]
    assert "complainant" not in burst.columns
    assert claimant_bursts(complaints(["z"] * 9), as_of=DAY).empty
    assert claimant_bursts(complaints(["z"] * 12), as_of=dt.date(2025, 11, 30)).empty


@pytest.mark.parametrize(("cap", "expected"), [(1.0, 4.0), (2.0, 5.0), (100.0, 12.0)])
def test_a_panel_of_persons_counts_each_at_most_so_often(cap, expected):
    people = ["z"] * 9 + ["a", None, None]
    frame = complaints(people).assign(event_date=np.datetime64("2025-12-03", "s"))
    for rows in (frame, frame.iloc[::-1]):
        built = build_panel(
            rows, levels={}, trees={}, frequency="week", until=dt.date(2025, 12, 7), numerator="complaints", distinct=("complainant", cap)
        )
        assert built.panel.observed.tolist() == [[expected]]


def test_events_are_graded_by_deaths_serious_or_loss():
    from riskwatch.assessment.rules import Floors

    basis = {"source": "s", "dated": "2025-01-01", "verified": False}
    events = [{"grade": "III", "deaths": 3, "serious": 10, "loss": 1e7}, {"grade": "II", "deaths": 10, "serious": 50, "loss": 5e7}]
    floors = Floors.model_validate({"basis": basis, "lookback_days": 60, "death": "II", "recheck_failed": "III", "events": events})
    assert event_grade(floors, deaths=2, serious=9, loss=9e6) is None
    assert event_grade(floors, deaths=0, serious=10, loss=0) == "III"
    assert event_grade(floors, deaths=0, serious=0, loss=5e7) == "II"


def test_a_follow_up_takes_the_place_of_the_first_report_and_a_death_is_told_once():
    rows = pd.DataFrame({"record_key": ["A", "B", "C"], "first_report": ["", "A", ""], "report_no": [1, 2, 1], "deaths": [1, 2, 0]})
    assert final_reports(rows)["record_key"].tolist() == ["B", "C"]
    row = {"product": "p", "region": "r", "event_date": pd.Timestamp("2025-12-04")}
    assert told_already(row, [("p", "r", dt.date(2025, 12, 1), 1.0)], 1)
    assert not told_already(row, [("p", "r", dt.date(2025, 11, 30), 1.0)], 1)
    assert not told_already(row, [("p", "r", dt.date(2025, 12, 1), 1.0)], 2)
    assert not told_already(row, [("p", "", dt.date(2025, 12, 1), 1.0)], 1)


def test_recalls_run_complete_or_are_overdue():
    rows = pd.DataFrame(
        {
            "event_date": pd.Timestamp("2025-01-01"), "product": list("abcd"), "region": "r", "affected": 10.0,
            "ends_on": pd.to_datetime(["2026-02-01", "2025-12-01", "2025-12-01", "2025-06-01"]), "completion": [0.4, 1.0, 0.5, 1.0],
        }
    )  # fmt: skip
    found = recalls_in_force(rows, as_of=DAY).set_index("product")["state"].to_dict()
    assert found == {"a": "running", "b": "completed", "c": "overdue"}


def test_the_newest_status_is_in_force_and_runs_out_by_itself():
    days = pd.to_datetime(["2024-01-01", "2025-06-01", "2024-01-01"])
    rows = pd.DataFrame(
        {
            "record_key": ["1", "2", "3"], "event_date": days, "enterprise": ["e", "e", "f"], "scheme": "ccc",
            "product": "p", "region": "r",
            "status": ["valid", "suspended", "valid"], "valid_until": pd.to_datetime(["2028-01-01", "2028-01-01", "2025-12-01"]),
        }
    )  # fmt: skip
    assert certificates_in_force(rows, as_of=DAY).set_index("enterprise")["status"].to_dict() == {"e": "suspended", "f": "expired"}
    before = certificates_in_force(rows, as_of=dt.date(2025, 5, 1)).set_index("enterprise")["status"].to_dict()
    assert before == {"e": "valid", "f": "valid"}


def test_a_calibration_lapses_and_is_due_before():
    until = pd.to_datetime(["2025-12-30", "2026-01-15", "2026-12-01", "2026-12-01"])
    rows = pd.DataFrame(
        {
            "record_key": list("1234"), "event_date": pd.Timestamp("2025-01-01"), "laboratory": list("abcd"), "item": None,
            "calibration": "valid", "calibration_until": until, "capability": ["accredited"] * 3 + ["suspended"],
        }
    )  # fmt: skip
    found = laboratory_status(rows, as_of=DAY)
    assert found["calibration"].tolist() == ["lapsed", "due", "valid", "valid"]
    assert found["fit"].tolist() == [False, True, True, False]


def test_notices_are_open_until_their_deadline():
    until = pd.to_datetime(["2025-12-31", "2025-12-30", "2026-01-20"])
    rows = pd.DataFrame(
        {
            "event_date": pd.Timestamp("2025-11-01"), "system": "tbt", "member": list("abc"), "hs_code": "9503", "product": "p",
            "title": "t", "comment_until": until,
        }
    )  # fmt: skip
    found = open_trade_notices(rows, as_of=DAY)
    assert found[["member", "days_left"]].to_numpy().tolist() == [["a", 0], ["c", 20]]


def test_the_file_says_what_the_rules_say_without_it_and_refuses_what_it_does_not_know():
    path = Path(__file__).resolve().parents[2] / "config" / "dossiers.yaml"
    content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    assert DossierRules.model_validate(content).model_copy(update={"version": "none"}) == DossierRules()
    assert not any(content[name]["basis"]["verified"] for name in content if name != "version")
    with pytest.raises(ValidationError, match=r"recalls\.share"):
        DossierRules.model_validate({"recalls": {"share": 0.9}})
    with pytest.raises(ValidationError, match=r"claimant_bursts\.share"):
        DossierRules.model_validate({"claimant_bursts": {"share": 1.5}})


def test_what_a_digest_counts_must_be_read():
    with pytest.raises(ValidationError, match=r"accident_read_days must be >= accident_days: .* got 60 and 61"):
        DossierRules.model_validate({"look_back": {"accident_days": 61}})
    with pytest.raises(ValidationError, match=r"look_back\.media_days"):
        DossierRules.model_validate({"look_back": {"media_days": 0}})
    assert DossierRules.model_validate({"look_back": {"accident_days": 60}}).look_back.accident_days == 60


def test_thresholds_of_the_rules_are_those_of_the_functions():
    frame = complaints(["z"] * 9)
    assert claimant_bursts(frame, as_of=DAY, **DossierRules().claimant_bursts.arguments()).empty
    loose = DossierRules.model_validate({"claimant_bursts": {"least": 9}})
    assert len(claimant_bursts(frame, as_of=DAY, **loose.claimant_bursts.arguments())) == 1
    assert DossierRules().recalls.arguments() == {"ended_days": 60, "complete": 0.95}
    slow = DossierRules.model_validate({"accident_clock": {"hours": {"enterprise": 2}}})
    late = accidents(("2025-12-01T10:00", "2025-12-01T11:30", "enterprise"))
    assert accident_clocks(late)["state"].tolist() == ["late"]
    assert accident_clocks(late, **slow.accident_clock.arguments())["state"].tolist() == ["in-time"]
