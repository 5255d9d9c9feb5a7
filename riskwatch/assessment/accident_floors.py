"""Accident reports as floor events: by the size of the event, and each death once however often it was told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from riskwatch.assessment.rules import Floors
from riskwatch.assessment.types import Grade

__all__ = ["event_grade", "final_reports", "told_already"]

SAME_DAYS = 3


def event_grade(floors: Floors, *, deaths: float, serious: float, loss: float) -> str | None:
    """Return the gravest grade whose threshold one event meets, by deaths, seriously injured persons or direct loss in yuan."""
    for threshold in sorted(floors.events, key=lambda one: -Grade[one.grade]):
        met = (
            (threshold.deaths is not None and deaths >= threshold.deaths)
            or (threshold.serious is not None and serious >= threshold.serious)
            or (threshold.loss is not None and loss >= threshold.loss)
        )
        if met:
            return threshold.grade
    return None


def final_reports(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the newest report of each accident: a follow-up names the first report and takes its place.

    Parameters
    ----------
    rows : DataFrame
        Records of the stream ``accident``.
    """
    if rows.empty or not {"record_key", "first_report"} <= set(rows.columns):
        return rows
    first = rows["first_report"].astype("object")
    accident = first.where(first.notna() & (first != ""), rows["record_key"].astype("object"))
    number = rows["report_no"] if "report_no" in rows.columns else pd.Series(1, index=rows.index)
    order = pd.DataFrame(
        {
            "source": rows["source"].astype("object") if "source" in rows.columns else "",
            "accident": accident,
            "number": number.astype("Float64").fillna(1).astype(np.float64),
            "key": rows["record_key"].astype(str),
        }
    ).sort_values(["source", "accident", "number", "key"], kind="stable")
    return rows.loc[order.drop_duplicates(["source", "accident"], keep="last").index.sort_values()]


def told_already(row: Mapping[str, object], known: Sequence[tuple[str, str, dt.date, float]], deaths: float) -> bool:
    """Tell whether as many deaths of the same product and place lie within three days in another stream.

    Parameters
    ----------
    row : mapping
        ``product``, ``region`` and ``event_date`` of an accident report.
    known : sequence of (product, region, day, deaths)
        What the other stream tells.
    deaths : float
        Deaths of the report.
    """
    day = pd.Timestamp(row["event_date"]).date()  # type: ignore[arg-type]  # a date column holds dates
    same = [
        count
        for product, region, when, count in known
        if product == row.get("product") and region and region == row.get("region") and abs((when - day).days) <= SAME_DAYS
    ]
    return bool(same) and sum(same) >= deaths
