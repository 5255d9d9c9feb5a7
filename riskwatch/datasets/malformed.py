"""Rows that are wrong on purpose: what a centre receives besides good rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskwatch.datasets.rhythm import random_stream

__all__ = ["FAULTS", "MALFORMED_COLUMNS", "plan_malformed"]

MALFORMED_COLUMNS = ("stream", "position", "kind", "field", "value", "expect")
FORMULA = "=cmd|' /C calc'!A0"
# "truncate" cuts the line itself; the row is the last one of its file, as when a transfer broke off.
TRUNCATED = "truncated line"

# (kind, field, value, rule that should send it to quarantine; "" where the row is good and must only be harmless)
FAULTS: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "injury": (
        ("30 February", "event_date", "2023-02-30", "not-a-date"),
        ("future date", "event_date", "2031-05-01", "in-future"),
        ("epoch date", "event_date", "1970-01-01", "too-early"),
        ("no date", "event_date", "", "missing"),
        ("unknown product", "product", "P9999", "unknown-code"),
        ("unknown region", "region", "229999", "unknown-code"),
        ("pseudo-region", "region", "220171", "pseudo-region"),
        ("negative age", "age", "-3", "below-minimum"),
        ("age in words", "age", "五岁", "not-a-number"),
        ("unknown outcome", "outcome", "已转走", "unknown-value"),
        ("unknown severity", "severity", "特重", "unknown-value"),
        ("visit before event", "visited_on", "2020-12-01", "visited-before-event"),
        ("no key", "record_key", "", "missing"),
        ("formula", "narrative", FORMULA, ""),
        (TRUNCATED, "", "", "truncated"),
    ),
    "spot_check": (
        ("30 February", "event_date", "2022-02-30", "not-a-date"),
        ("future date", "event_date", "2031-05-01", "in-future"),
        ("epoch date", "event_date", "1970-01-01", "too-early"),
        ("unknown product", "product", "P9999", "unknown-code"),
        ("unknown region", "region", "229999", "unknown-code"),
        ("failed exceeds inspected", "failed", "3", "failed-exceeds-inspected"),
        ("negative count", "inspected", "-1", "below-minimum"),
        ("fraction", "inspected", "1.5", "not-an-integer"),
        ("count in words", "inspected", "一批", "not-a-number"),
        ("bad credit code", "producer", "91220102MN00010017", "credit-code-checksum"),
        ("unknown selection", "selection", "抽签抽样", "unknown-value"),
        ("unknown verdict", "verdict", "待复核", "unknown-value"),
        ("too long", "product_name", "长" * 500, "too-long"),
        ("control characters", "product_name", "塑胶\u202e玩具", "control-characters"),
        ("no key", "record_key", "", "missing"),
        ("formula", "product_name", FORMULA, ""),
        (TRUNCATED, "", "", "truncated"),
    ),
}


def plan_malformed(frames: dict[str, pd.DataFrame], seed: int, count: int) -> pd.DataFrame:
    """Choose which rows to copy and spoil.

    Parameters
    ----------
    frames : dict of str to DataFrame
        Stream name to its records.
    seed : int
        Seed of the simulation.
    count : int
        Malformed rows in all; kinds take turns. At most two of them are truncated lines in each stream.

    Returns
    -------
    DataFrame
        Columns :data:`MALFORMED_COLUMNS`: ``position`` is the row that is copied, ``expect`` the rule that should turn it away,
        "" where the row is good.
    """
    rows: list[tuple[str, int, str, str, str, str]] = []
    streams = sorted(name for name in frames if name in FAULTS and len(frames[name]))
    for turn, stream in enumerate(streams):
        faults = FAULTS[stream]
        rng = random_stream(seed, "malformed", stream)
        share = count // len(streams) + (turn < count % len(streams))
        # Rows with a first version and without items: copies are wrong in one thing only.
        frame = frames[stream]
        plain = np.flatnonzero((frame["version"] == 1) & (frame["verdict"] == "pass" if "verdict" in frame else True))
        for number in range(share):
            fault = faults[number % len(faults)]
            if fault[0] == TRUNCATED and number >= 2 * len(faults):
                fault = faults[0]
            rows.append((stream, int(plain[rng.integers(0, plain.size)]), *fault))
    return pd.DataFrame(rows, columns=list(MALFORMED_COLUMNS))
