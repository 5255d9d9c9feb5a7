"""What closed cases say of the warnings: right, wrong, or nothing, by model and level, with Wilson's interval."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from riskwatch.casework.case import CaseEvent
from riskwatch.casework.rules import LifecycleRules
from riskwatch.indicators.values import binomial_interval

__all__ = ["closures", "precision"]


def closures(events: Iterable[CaseEvent]) -> pd.DataFrame:
    """Return the closure that stands of every case: one that was re-opened has none, one closed again has its last.

    Returns
    -------
    DataFrame
        ``case_id, closed_on, reason, grade, models, actor``; sorted by case. ``grade``: proposed by the machine at the closure;
        ``models``: tuple of the models that spoke for it; ``actor`` "" where it closed by itself.
    """
    standing: dict[str, CaseEvent] = {}
    for event in sorted(events, key=lambda one: (one.case_id, one.seq)):
        if event.kind in {"reopen", "reopened"}:
            standing.pop(event.case_id, None)
        elif event.kind == "closed" or (event.kind in {"close", "merge"} and event.details.get("effective", True)):
            standing.setdefault(event.case_id, event)
    rows = [
        (one.case_id, one.as_of, one.details["reason"], one.details["machine"], tuple(one.details.get("models", ())), one.actor)
        for one in standing.values()
    ]
    return pd.DataFrame(rows, columns=["case_id", "closed_on", "reason", "grade", "models", "actor"])


def precision(events: Iterable[CaseEvent], rules: LifecycleRules, *, level: float = 0.95) -> pd.DataFrame:
    """Return how many closed warnings were right, by model and level.

    A warning that several models spoke for counts for each of them; one that rests on events alone counts for ``events``. Reasons
    whose ``counts`` is "none" are counted and left out of the precision. Cases that closed by themselves count by their reason.

    Parameters
    ----------
    events : iterable of CaseEvent
        Of all cases.
    rules : LifecycleRules
    level : float
        Of the interval (Wilson 1927).

    Returns
    -------
    DataFrame
        ``model, grade, closed``, one column per closure reason, ``judged, true, precision, lower, upper``; model "all" first. NaN where
        nothing was judged.
    """
    table = closures(events)
    longer = table.assign(model=table["models"].map(lambda models: models or ("events",))).explode("model")
    everything = pd.concat([table.assign(model="all"), longer], ignore_index=True)
    kinds = {name: closure.counts for name, closure in rules.closures.items()}
    rows = []
    for (model, grade), group in everything.groupby(["model", "grade"], sort=True):
        counts = group["reason"].value_counts()
        row: dict[str, object] = {"model": model, "grade": grade, "closed": len(group)}
        row |= {name: int(counts.get(name, 0)) for name in kinds}
        row["judged"] = sum(int(count) for name, count in counts.items() if kinds.get(str(name), "none") != "none")
        row["right"] = sum(int(count) for name, count in counts.items() if kinds.get(str(name), "none") == "true")
        rows.append(row)
    frame = pd.DataFrame(rows, columns=["model", "grade", "closed", *kinds, "judged", "right"])
    right, judged = frame["right"].to_numpy(float), frame["judged"].to_numpy(float)
    lower, upper = binomial_interval(right, judged, level=level)
    share = np.divide(right, judged, out=np.full(len(frame), np.nan), where=judged > 0)
    frame = frame.assign(precision=share, lower=np.where(judged > 0, lower, np.nan), upper=np.where(judged > 0, upper, np.nan))
    order = {"I": 0, "II": 1, "III": 2, "IV": 3}
    frame = frame.assign(_all=frame["model"] != "all", _grade=frame["grade"].map(order))
    return frame.sort_values(["_all", "model", "_grade"], kind="stable").drop(columns=["_all", "_grade"]).reset_index(drop=True)
