"""Scores as a table that people read: what drives each row, in both languages, and what it may count for."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskwatch.anomalies.features import Feature, Profile
from riskwatch.anomalies.rules import AnomalyRules
from riskwatch.anomalies.score import Scores, score

__all__ = ["EVIDENCE", "FRAME", "anomalies"]

EVIDENCE = "C1"
"""The most that an anomaly may count for: it supports a concern and never grades one."""

FRAME = (
    "kind", "product", "region", "row", "enterprise", "score", "p_value", "q_value", "anomaly", "worse", "drivers_zh", "drivers_en",
    "missing", "evidence",
)  # fmt: skip
"""Columns of :func:`anomalies`; ``product`` and ``region`` are "" for enterprises, ``row`` and ``enterprise`` empty for products."""


def anomalies(profile: Profile, rules: AnomalyRules) -> pd.DataFrame:
    """Score a profile and tell what drives each row.

    Returns
    -------
    DataFrame
        Columns :data:`FRAME`, judged rows only, most unusual first. ``anomaly``: the q-value is at most ``rules.q``; ``worse``: at least
        one of the named drivers moves in the harmful direction; ``missing``: features that were not known and stand at their median.
        ``frame.attrs["absent"]`` holds the features left out and why, {name: (zh, en)}.
    """
    found = score(profile, rules)
    kept = np.flatnonzero(found.judged)
    drivers = [_drivers(profile, found, row, rules.drivers) for row in kept.tolist()]
    keys = profile.keys.iloc[kept].reset_index(drop=True)
    out = pd.DataFrame(
        {
            "kind": profile.kind,
            "product": keys.get("product", ""),
            "region": keys.get("region", ""),
            "row": keys.get("row", pd.Series(pd.NA, index=keys.index, dtype="Int64")),
            "enterprise": keys.get("enterprise", ""),
            "score": found.score[kept],
            "p_value": found.p_value[kept],
            "q_value": found.q_value[kept],
            "anomaly": found.q_value[kept] <= rules.q,
            "worse": np.array([worse for _, _, worse in drivers], dtype=bool),
            "drivers_zh": [zh for zh, _, _ in drivers],
            "drivers_en": [en for _, en, _ in drivers],
            "missing": profile.missing[kept].sum(axis=1).astype(np.int64),
            "evidence": EVIDENCE,
        },
        index=keys.index,
    )
    order = np.lexsort((np.arange(len(out)), -out["score"].to_numpy()))
    out = out.iloc[order].reset_index(drop=True)[list(FRAME)]
    out.attrs["absent"] = dict(profile.absent)
    return out


def _drivers(profile: Profile, found: Scores, row: int, most: int) -> tuple[str, str, bool]:
    """Return the features whose medians would lower the score most, with their direction, and whether one of them is for the worse."""
    drop, values = found.drop[row], profile.values[row]
    order = [int(place) for place in np.argsort(-drop, kind="stable")[:most] if drop[place] > 0]
    named = [(profile.features[place], float(values[place])) for place in order]
    return (
        "；".join(_text(feature, value, "zh") for feature, value in named),
        "; ".join(_text(feature, value, "en") for feature, value in named),
        any(feature.harm * value > 0 for feature, value in named),
    )


def _text(feature: Feature, value: float, language: str) -> str:
    if language == "zh":
        return f"{feature.zh}偏{'高' if value > 0 else '低'}（{value:+.1f}）"
    return f"{feature.en} {'high' if value > 0 else 'low'} ({value:+.1f})"
