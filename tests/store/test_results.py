"""What a run leaves behind is written whole or not at all, and read as of a day."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest

from riskwatch.assessment.types import Grade, Scope, Subject
from riskwatch.errors import StoreError
from riskwatch.store.payload import dumps
from riskwatch.store.results import AssessmentRow, DetectionResult, DigestRow, EventRow, WarningRow
from tests.store.conftest import NOW

DAY = dt.date(2024, 5, 1)


def signals(rows: int = 3) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "product": [f"010{i}" for i in range(rows)],
            "region": "220100",
            "period_start": pd.Timestamp("2024-04-22"),
            "period_end": pd.Timestamp("2024-04-28"),
            "frequency": "week",
            "observed": np.arange(rows, dtype=float),
            "exposure": np.nan,
            "expected": 1.5,
            "lower": 0.0,
            "upper": [3.0, np.nan, 3.0][:rows],
            "p_value": 0.01,
            "alarm": [True, False, False][:rows],
            "reason": ["", "too-short", ""][:rows],
        }
    )


def warning(day: dt.date = DAY, grade: str = "III", state: str = "new") -> WarningRow:
    return WarningRow("w1", day, "f1", "product", "0101", "220100", state, grade, "regional", DAY, day, {"n": 1})


def event(day: dt.date = DAY, kind: str = "new") -> EventRow:
    return EventRow("w1", day, 0, kind, {"zh": "新", "en": "new"}, None, "III", {})


@pytest.fixture
def started(store):
    store.start_run("r1", pipeline="daily", as_of=DAY, now=NOW, definitions={"models/a": "0" * 64})
    return store


def test_all_of_a_run_comes_back(started):
    result = DetectionResult(
        "d1", "injury", DAY, signals(), pd.DataFrame({"series": ["0101|220101"], "parent": ["0101|220100"], "total": [4.0]})
    )
    assess = AssessmentRow("a1", DAY, "product", "0101", "220100", "III", {"subject": Subject("product", "0101"), "p": np.float64("nan")})
    page = DigestRow("changchun", DAY, "zh", 7, {"title": "日报"})
    started.write_run_results(
        "r1",
        now=NOW,
        detections=[result],
        assessments=[assess],
        warnings=[warning()],
        events=[event()],
        digests=[page],
        counts={"signals": 3},
    )
    frame = started.read_signals(["d1"])
    assert frame["model"].tolist() == ["injury"] * 3
    assert frame["stratum"].tolist() == [""] * 3
    assert frame["observed"].tolist() == [0.0, 1.0, 2.0]
    assert frame["upper"].isna().tolist() == [False, True, False]
    assert frame["exposure"].isna().all()
    assert frame["q_value"].isna().all()
    assert frame["alarm"].tolist() == [True, False, False]
    assert frame["period_end"].tolist() == [pd.Timestamp("2024-04-28")] * 3
    assert len(started.read_signals(["d1"], alarms_only=True)) == 1
    assert started.read_signals(["none"]).empty
    assert started.read_rolled_up(["d1"]).to_dict("records") == [
        {"model": "injury", "series": "0101|220101", "parent": "0101|220100", "total": 4.0}
    ]
    found = started.read_assessments()
    assert found == started.read_assessments("r1") == started.read_assessments(as_of=DAY)
    assert found[0].payload == {"subject": {"kind": "product", "code": "0101", "region": ""}, "p": None}
    assert started.read_warnings() == [warning()]
    assert started.read_events() == [event()]
    assert started.read_digest("changchun") == page
    assert started.read_digest("changchun", language="en") is None
    run = started.read_runs()[0]
    assert (run["state"], run["counts"], run["definitions"], run["as_of"]) == ("done", {"signals": 3}, {"models/a": "0" * 64}, DAY)


def test_the_first_day_of_the_evidence_is_kept_and_is_the_judged_period_s_where_it_was_not(started):
    before = pd.Timestamp("2024-04-08")
    started.write_detection(DetectionResult("d1", "injury", DAY, signals().assign(evidence_start=[before, pd.NaT, pd.NaT])), now=NOW)
    assert started.read_signals(["d1"])["evidence_start"].tolist() == [before, *signals()["period_start"][1:]]


def test_an_unchanged_detection_is_known_and_stored_once(started):
    assert not started.has_detection("d1")
    started.write_detection(DetectionResult("d1", "injury", DAY, signals()), now=NOW)
    assert started.has_detection("d1")
    started.write_run_results("r1", now=NOW, detections=[DetectionResult("d1", "injury", DAY, signals(1))])
    assert len(started.read_signals(["d1"])) == 3


def test_writing_again_leaves_the_same_and_events_are_never_rewritten(started):
    first = event()
    changed = dataclasses.replace(first, reason={"zh": "改", "en": "altered"})
    for events in ([first], [changed]):
        started.start_run("r2", pipeline="daily", as_of=DAY, now=NOW, definitions={})
        started.write_run_results("r2", now=NOW, warnings=[warning()], events=events)
        with pytest.raises(StoreError, match='Cannot start run "r2": it is done already'):
            started.start_run("r2", pipeline="daily", as_of=DAY, now=NOW, definitions={})
        started.start_run("r3", pipeline="daily", as_of=DAY, now=NOW, definitions={})
        started.write_run_results("r3", now=NOW, warnings=[warning()], events=events)
        assert started.read_events() == [first]
        assert started.read_warnings() == [warning()]
        break
    started.start_run("r4", pipeline="daily", as_of=DAY, now=NOW, definitions={})
    started.write_run_results("r4", now=NOW, events=[changed, event(kind="worsened"), event(kind="worsened")])
    assert [(e.kind, e.reason["en"]) for e in started.read_events()] == [("new", "new"), ("worsened", "new")]


def test_a_warning_is_read_as_it_stood_on_a_day(started):
    later = DAY + dt.timedelta(days=7)
    started.write_run_results(
        "r1", now=NOW, warnings=[warning(), warning(later, "II", "worsened")], events=[event(), event(later, "worsened")]
    )
    assert started.read_warnings(DAY - dt.timedelta(days=1)) == []
    assert [row.grade for row in started.read_warnings(DAY + dt.timedelta(days=6))] == ["III"]
    assert [row.grade for row in started.read_warnings()] == ["II"]
    assert started.read_warnings(states=["closed"]) == []
    assert [row.kind for row in started.read_events(since=later)] == ["worsened"]
    assert [row.kind for row in started.read_events(until=DAY, warning_id="w1")] == ["new"]
    assert started.read_events(warning_id="other") == []


def test_results_are_written_whole_or_not_at_all(started):
    broken = DetectionResult("d2", "m", DAY, signals().drop(columns="frequency"))
    with pytest.raises(StoreError, match='Cannot store signal rows: column "frequency" is missing'):
        started.write_run_results("r1", now=NOW, detections=[DetectionResult("d1", "injury", DAY, signals()), broken], warnings=[warning()])
    assert not started.has_detection("d1")
    assert started.read_warnings() == []
    assert started.read_runs()[0]["state"] == "running"
    with pytest.raises(StoreError, match='no run "r9"'):
        started.write_run_results("r9", now=NOW)


def test_a_failed_run_is_closed_and_an_unfinished_one_starts_again(started):
    started.start_run("r1", pipeline="daily", as_of=DAY, now=NOW, definitions={})
    started.finish_run("r1", state="failed", counts={"error": "x"}, finished_at=NOW)
    assert started.read_runs()[0]["state"] == "failed"
    assert started.read_assessments() == []
    with pytest.raises(ValueError, match='state must be "done" or "failed", got "maybe"'):
        started.finish_run("r1", state="maybe", counts={}, finished_at=NOW)


def test_source_state_counts_failures_in_a_row(store):
    assert store.source_status("spot").consecutive_failures == 0
    store.set_cursor("spot", "page-3")
    for _ in range(2):
        store.note_pull("spot", at=NOW, error="HTTP 500")
    status = store.source_status("spot")
    assert (status.cursor, status.last_error, status.consecutive_failures, status.last_success_at) == ("page-3", "HTTP 500", 2, None)
    store.note_pull("spot", at=NOW + dt.timedelta(hours=1))
    status = store.source_status("spot")
    assert (status.cursor, status.last_error, status.consecutive_failures) == ("page-3", None, 0)
    assert status.last_success_at == "2024-05-01T05:00:00.000000Z"


def test_json_is_the_same_for_the_same_content():
    value = {"b": (Grade.I, Scope.REGIONAL), "a": {2, 1}, "n": float("nan"), "i": np.float32(np.inf), "k": np.int64(3), "d": DAY}
    assert dumps(value) == '{"a":[1,2],"b":["I","regional"],"d":"2024-05-01","i":"inf","k":3,"n":null}'
    with pytest.raises(TypeError, match="no JSON form for object"):
        dumps(object())


def test_a_run_of_a_pipeline_that_assesses_nothing_hides_no_assessments(started):
    assess = AssessmentRow("a1", DAY, "product", "0101", "220100", "III", {"subject": Subject("product", "0101")})
    started.write_run_results("r1", now=NOW, assessments=[assess])
    before = started.read_assessments()
    assert len(before) == 1
    later = NOW + dt.timedelta(hours=1)
    started.start_run("m1", pipeline="monthly", as_of=DAY, now=later, definitions={})
    started.write_run_results("m1", now=later)
    assert started.read_assessments() == started.read_assessments(as_of=DAY) == before
    # A later run of the pipeline that assesses, and finds nothing, is the newest word.
    started.start_run("r2", pipeline="daily", as_of=DAY, now=later, definitions={})
    started.write_run_results("r2", now=later + dt.timedelta(minutes=1))
    assert started.read_assessments() == []
