"""Counts from the newest records of a jurisdiction."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from riskwatch.digest import Trees, summarise_recent

AS_OF = dt.date(2025, 12, 31)


def injuries(rows):
    return pd.DataFrame(rows, columns=["event_date", "region", "persons", "outcome"]).assign(
        event_date=lambda frame: pd.to_datetime(frame["event_date"]).astype("datetime64[s]"),
        region=lambda frame: frame["region"].astype("category"),
    )


def checks(rows):
    names = ["event_date", "region", "producer_region", "producer", "failed", "recheck_result", "ordered_on", "rectified_on", "recheck_on"]
    frame = pd.DataFrame(rows, columns=names)
    for name in ("event_date", "ordered_on", "rectified_on", "recheck_on"):
        frame[name] = pd.to_datetime(frame[name])
    return frame


def test_injuries_of_the_jurisdiction_and_window(build):
    trees = build.__globals__["TREES"]
    frame = injuries(
        [
            ("2025-12-30", "220102", 1, "admitted"),
            ("2025-12-30", "220104", 2, "treated-released"),
            ("2025-12-29", "220104", 1, "died"),
            ("2025-12-30", "222401", 7, "died"),
            ("2025-11-01", "220104", 5, "died"),
            ("2026-01-02", "220104", 9, "died"),
            ("2025-12-30", None, 4, "died"),
        ]
    )
    recent = summarise_recent({"injury": frame}, as_of=AS_OF, region="220100", trees=trees)
    assert recent.newest_injury_day == dt.date(2025, 12, 30)
    assert (recent.day_persons, recent.day_admitted, recent.day_died) == (3, 1, 0)
    assert (recent.persons, recent.admitted, recent.died) == (4, 1, 1)
    everywhere = summarise_recent({"injury": frame}, as_of=AS_OF, trees=trees)
    assert (everywhere.persons, everywhere.died) == (15, 12)


def test_firms_are_counted_never_named(build):
    frame = checks(
        [
            ("2025-12-01", "222401", "220102", "F1", 1, None, "2025-11-20", None, None),
            ("2025-11-01", "222401", "220102", "F1", 1, "fail", "2025-10-01", "2025-11-01", "2025-11-20"),
            ("2025-10-01", "220104", None, "F2", 0, None, None, None, None),
            ("2025-10-01", "220104", "222401", "F3", 1, None, None, None, None),
            ("2025-10-01", "220104", "220100", None, 1, None, "2025-10-05", "2025-11-05", None),
        ]
    )
    recent = summarise_recent({"spot_check": frame}, as_of=AS_OF, region="220100", trees=build.__globals__["TREES"])
    firms = recent.firms
    assert (firms.checked, firms.failed, firms.failed_repeatedly, firms.rechecked, firms.failed_recheck) == (2, 1, 1, 1, 1)
    assert "F1" not in repr(recent)
    assert [(clock.kind, clock.due_on.isoformat(), clock.count) for clock in recent.clocks] == [
        ("rectify", "2026-01-19", 1),
        ("recheck", "2025-12-19", 1),
        ("recheck", "2026-02-03", 1),
    ]


def test_external_notices_are_grouped_without_titles():
    frame = pd.DataFrame(
        {
            "event_date": pd.to_datetime(["2025-12-20", "2025-12-24", "2025-12-22", "2025-10-01"]),
            "system": "RASFF",
            "product": ["P1", "P1", "P2", "P2"],
            "hazard": ["salmonella", "salmonella", None, "lead"],
            "title": "ACME Ltd recalls",
            "notices": [1, 2, 1, 50],
        }
    )
    recent = summarise_recent({"external_notice": frame}, as_of=AS_OF, trees=Trees())
    assert [(item.product.zh, item.hazard, item.notices, item.newest.isoformat()) for item in recent.external] == [
        ("P1", "salmonella", 3, "2025-12-24"),
        ("P2", "", 1, "2025-12-22"),
    ]
    assert "ACME" not in repr(recent)


def test_no_records_at_all():
    recent = summarise_recent({}, as_of=AS_OF, region="220100")
    assert (recent.newest_injury_day, recent.persons, recent.firms, recent.external, recent.clocks, recent.records) == (
        None,
        0,
        None,
        (),
        (),
        0,
    )
