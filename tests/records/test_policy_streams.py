"""The streams that the policies name: moments, days ahead, and the rules between their fields."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pyarrow as pa
import pytest

from riskwatch.definitions.types import SourceDefinition
from riskwatch.records import STREAMS, parse, schema_for
from riskwatch.records.policy_streams import POLICY_STREAMS

TODAY = dt.date(2025, 12, 31)
# One good row of each stream: field -> text.
GOOD: dict[str, dict[str, str]] = {
    "accident": {
        "occurred_at": "2025-11-03 08:10",
        "learned_at": "2025年11月3日9时5分",
        "reported_at": "2025/11/3 09:50",
        "deaths": "1",
        "serious": "2",
        "loss": "1,200,000",
        "report_no": "1",
    },
    "complaint": {
        "kind": "complaint",
        "complainant": "c1",
        "complaints": "1",
        "problem": "quality",
        "injury": "否",
        "accepted_on": "2025-11-05",
        "closed_on": "2025-12-01",
    },
    "trade_inspection": {"flow": "import", "hs_code": "0805", "inspected": "4", "refused": "1", "kilograms": "1200.5"},
    "recall": {"affected": "1200", "ends_on": "2026-06-30", "completion": "0.4"},
    "certification": {"enterprise": "e1", "scheme": "ccc", "status": "suspended", "valid_until": "2028-01-01"},
    "laboratory": {
        "laboratory": "实验室",
        "item": "铅",
        "calibration": "lapsed",
        "calibration_until": "2025-10-01",
        "capability": "accredited",
    },
    "media": {"outlet": "press", "reports": "3"},
    "trade_notice": {"system": "tbt", "member": "US", "title": "Toys", "comment_until": "2026-02-01", "notices": "1"},
    "insurance_claim": {"claims": "2", "paid": "3000", "policy_years": "1500.5", "cause": "烧伤"},
}


def read(stream: str, *changes: dict[str, str], **source: object):
    rows = [
        {"record_key": f"K{number}", "event_date": "2025-11-03", "region": "220102", "product": "0101", **GOOD[stream], **change}
        for number, change in enumerate(changes or ({},))
    ]
    names = list(rows[0])
    entries = {
        "name": "policy",
        "stream": stream,
        "label": {"zh": "源", "en": "source"},
        "reader": {"kind": "folder", "path": "in"},
        "key": ["record_key"],
        "columns": {name: name for name in names},
        "profiles": ["demo"],
    }
    table = pa.table({name: pa.array([row[name] for row in rows], type=pa.string()) for name in names})
    return parse(table, SourceDefinition.model_validate({**entries, **source}), source.pop("trees", {}), today=TODAY)


def test_every_stream_of_the_policies_has_a_good_row_here():
    assert set(GOOD) == {stream.name for stream in POLICY_STREAMS} <= set(STREAMS)
    assert [stream.evidence for stream in POLICY_STREAMS] == [
        "accident", "complaint", "inspection-border", "recall", "register", "register", "media", "notice", "insurance",
    ]  # fmt: skip


@pytest.mark.parametrize("stream", sorted(GOOD))
def test_a_good_row_is_a_record_that_keeps_the_schema(stream):
    parsed = read(stream)
    assert parsed.rejected.empty, parsed.rejected.to_string()
    assert len(parsed.records) == 1
    schema_for(STREAMS[stream], {}, earliest=dt.date(1990, 1, 1), today=TODAY).validate(parsed.records, lazy=True)


def test_a_moment_is_iso_text_to_the_minute_and_keeps_a_day_without_hours():
    records = read("accident", {}, {"learned_at": "2025-11-03", "reported_at": "20251104"}).records
    assert records["learned_at"].tolist() == ["2025-11-03T09:05", "2025-11-03"]
    assert records["reported_at"].tolist() == ["2025-11-03T09:50", "2025-11-04"]


@pytest.mark.parametrize(
    ("stream", "change", "field", "rule"),
    [
        ("accident", {"reported_at": "2025-11-03 09:04"}, "reported_at", "reported-before-learned"),
        ("accident", {"learned_at": "2025-11-02 23:59"}, "learned_at", "learned-before-event"),
        ("accident", {"reported_at": "2025-11-03 24:10"}, "reported_at", "not-a-moment"),
        ("accident", {"reported_at": "2025-11-31 04:10"}, "reported_at", "not-a-moment"),
        ("accident", {"reported_at": "soon"}, "reported_at", "not-a-moment"),
        ("accident", {"reported_at": "2026-01-01 00:10"}, "reported_at", "in-future"),
        ("accident", {"learned_at": "1970-01-01 00:00"}, "learned_at", "too-early"),
        ("accident", {"deaths": "-1"}, "deaths", "below-minimum"),
        ("accident", {"deaths": ""}, "deaths", "missing"),
        ("complaint", {"accepted_on": "2025-11-01"}, "accepted_on", "accepted-before-received"),
        ("complaint", {"closed_on": "2025-11-04"}, "closed_on", "closed-before-accepted"),
        ("complaint", {"kind": "gossip"}, "kind", "unknown-value"),
        ("trade_inspection", {"refused": "5"}, "refused", "refused-exceeds-inspected"),
        ("recall", {"completion": "1.2"}, "completion", "above-maximum"),
        ("recall", {"ends_on": "2025-11-01"}, "ends_on", "ended-before-start"),
        ("trade_notice", {"comment_until": "2025-10-01"}, "comment_until", "deadline-before-notice"),
        ("certification", {"event_date": "2026-02-01"}, "event_date", "in-future"),
        ("insurance_claim", {"policy_years": "-3"}, "policy_years", "below-minimum"),
    ],
)
def test_each_rule_turns_its_row_away(stream, change, field, rule):
    rejected = read(stream, change).rejected
    assert rejected[["field", "rule"]].to_numpy().tolist() == [[field, rule]]


def test_hours_decide_only_where_they_are_known():
    """A report of the day on which one learned of it may be in order: without hours nobody can say."""
    assert read("accident", {"reported_at": "2025-11-03"}).rejected.empty


def test_days_ahead_are_no_fault_where_they_are_meant():
    records = read("certification", {"valid_until": "2031-01-01"}).records
    assert records["valid_until"].tolist() == [pd.Timestamp("2031-01-01")]


def test_values_of_personal_fields_are_not_repeated_in_messages():
    text = "x" * 100
    rejected = read("complaint", {"complainant": text}).rejected
    assert rejected["rule"].tolist() == ["too-long"]
    assert text not in rejected["message"].iloc[0]
    for stream in POLICY_STREAMS:
        for name in ("complainant", "respondent", "producer", "enterprise", "importer", "narrative"):
            assert all(field.personal for field in stream.all_fields if field.name == name), (stream.name, name)
