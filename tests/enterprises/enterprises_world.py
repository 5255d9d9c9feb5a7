"""Builds spot-check records from short rows."""

from __future__ import annotations

from typing import Any

import pandas as pd

DATES = ("event_date", "published_on", "ordered_on", "rectified_on", "recheck_on")
DEFAULTS: dict[str, Any] = {
    "source": "list",
    "product": "P0101",
    "region": "220102",
    "producer_region": "220103",
    "producer": "E1",
    "selection": "random",
    "check_type": "provincial",
    "verdict": "pass",
    "inspected": 1,
    "counterfeit_claim": None,
    "recheck_of": None,
    "recheck_result": None,
    "batch_no": None,
    **dict.fromkeys(DATES),
}


def records(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return records; a row names what differs from a passed random sample of enterprise E1."""
    made = [{"record_key": f"R{number}", **DEFAULTS, **row} for number, row in enumerate(rows)]
    frame = pd.DataFrame([{**row, "failed": int(row["verdict"] == "fail") if "failed" not in row else row["failed"]} for row in made])
    for name in DATES:
        frame[name] = pd.to_datetime(frame[name]).astype("datetime64[s]")
    return frame.assign(counterfeit_claim=frame["counterfeit_claim"].astype("boolean"))


def fail(day: str, **more: Any) -> dict[str, Any]:
    """Return a failed sample of a day."""
    return {"event_date": day, "verdict": "fail", **more}


def sound(day: str, **more: Any) -> dict[str, Any]:
    """Return a passed sample of a day."""
    return {"event_date": day, "verdict": "pass", **more}


def recheck(day: str, of: str, verdict: str, **more: Any) -> dict[str, Any]:
    """Return a recheck of a record."""
    return {
        "event_date": day,
        "verdict": verdict,
        "recheck_of": of,
        "recheck_result": verdict,
        "check_type": "recheck",
        "selection": "follow-up",
        **more,
    }
