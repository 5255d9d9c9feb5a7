"""Two replays of the same days under different definitions, warning by warning. Pure functions of frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from riskwatch.assessment.protocols import TreePaths
from riskwatch.backtest.score import GRADES

__all__ = ["DIFFERENCES", "differences"]

DIFFERENCES = (
    "change", "kind", "code", "name_zh", "name_en", "region", "place_zh", "place_en", "grade_before", "grade_after", "first_day_before",
    "first_day_after", "days_earlier", "warning_before", "warning_after",
)  # fmt: skip
"""``change``: gained, lost, earlier, later, raised (other grade, same day), lowered. ``before``: of the other definitions."""


def differences(before: pd.DataFrame, after: pd.DataFrame, regions: TreePaths) -> pd.DataFrame:
    """Return how the warnings of two replays differ; those that are the same in day and grade are left out.

    The id of a warning is made of its subject and the day on which it was opened, so one that comes earlier has another id. Warnings are
    therefore put together by subject: the same kind and code, in places of which one holds the other, and times that overlap; each with the
    one whose first day is nearest.

    Parameters
    ----------
    before, after : pandas.DataFrame
        :data:`riskwatch.backtest.score.LIVES`.
    regions : TreePaths

    Returns
    -------
    pandas.DataFrame
        :data:`DIFFERENCES`, gravest first.
    """
    old, new = (frame.to_dict("records") for frame in (before, after))
    pairs = sorted(
        (abs((a["first_day"] - b["first_day"]).days), a["region"] != b["region"], a["warning_id"], b["warning_id"], i, j)
        for i, a in enumerate(old)
        for j, b in enumerate(new)
        if (a["kind"], a["code"]) == (b["kind"], b["code"])
        and (regions.within(a["region"], b["region"]) or regions.within(b["region"], a["region"]))
        and a["first_day"] <= b["last_day"]
        and b["first_day"] <= a["last_day"]
    )
    took: dict[int, int] = {}
    taken: set[int] = set()
    for *_, i, j in pairs:
        if i not in took and j not in taken:
            took[i] = j
            taken.add(j)
    rows = [_row(a, new[took[i]] if i in took else None) for i, a in enumerate(old)]
    rows += [_row(None, b) for j, b in enumerate(new) if j not in taken]
    told = [row for row in rows if row["change"]]
    told.sort(
        key=lambda row: (-_rank(row), row["change"], row["code"], row["region"], str(row["first_day_after"] or row["first_day_before"]))
    )
    return pd.DataFrame(told, columns=list(DIFFERENCES))


def _rank(row: dict[str, object]) -> int:
    return max(GRADES.index(str(grade)) for grade in (row["grade_before"], row["grade_after"]) if grade)


def _row(before: Mapping[Any, Any] | None, after: Mapping[Any, Any] | None) -> dict[str, object]:
    one = after or before or {}
    earlier = None
    if before is None or after is None:
        change = "gained" if before is None else "lost"
    else:
        earlier = (before["first_day"] - after["first_day"]).days
        step = GRADES.index(str(after["grade"])) - GRADES.index(str(before["grade"]))
        change = "earlier" if earlier > 0 else "later" if earlier < 0 else "raised" if step > 0 else "lowered" if step < 0 else ""
    return {
        "change": change,
        **{key: one[key] for key in ("kind", "code", "name_zh", "name_en", "region", "place_zh", "place_en")},
        "grade_before": "" if before is None else before["grade"],
        "grade_after": "" if after is None else after["grade"],
        "first_day_before": None if before is None else before["first_day"],
        "first_day_after": None if after is None else after["first_day"],
        "days_earlier": earlier,
        "warning_before": "" if before is None else before["warning_id"],
        "warning_after": "" if after is None else after["warning_id"],
    }
