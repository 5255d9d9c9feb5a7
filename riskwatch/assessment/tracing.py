"""The failed samples behind a concern and the usual ones before them, for the question whether they share a supplier."""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.assessment.behind import RecordBase
from riskwatch.assessment.context import Case, Run
from riskwatch.assessment.suppliers import SUPPLIER_COLUMNS, SupplierFigures, standing_out

__all__ = ["supplier_figures"]

_ITEM = "item="
# A follow-up goes to a firm because it failed: it says nothing new of its supplier.
_FOLLOW_UP = "follow-up"


def supplier_figures(run: Run, case: Case) -> SupplierFigures | None:
    """Return what the suppliers of the concern's failed samples say; None where no unusual failures speak for it.

    The failures are those of the test items in which the concern's samples are unusual, where its evidence names items; those before
    them are of any item, as one item alone usually fails too seldom to be compared with.
    """
    spoken = [one for one in case.evidence if one.stream == "spot_check"]
    base = run.base if run.failures is None else run.failures
    if not spoken or "spot_check" not in base.frames:
        return None
    rules = run.rules.scope.suppliers
    first = min(run.as_of - dt.timedelta(days=rules.window_days), *(one.period_start for one in spoken))
    window = (first - dt.timedelta(days=rules.usual_days), run.as_of)
    rows = base.select("spot_check", case.subject, window=window)
    rows = rows.loc[(rows["failed"].astype(np.float64) > 0).to_numpy()]
    if "selection" in rows.columns:
        rows = rows.loc[(rows["selection"].astype("object") != _FOLLOW_UP).to_numpy()]
    now = (pd.to_datetime(rows["event_date"]) >= pd.Timestamp(first)).to_numpy()
    items = {one.stratum.removeprefix(_ITEM) for one in spoken if one.stratum.startswith(_ITEM)}
    counted = rows.loc[now]
    if items:
        counted = counted.loc[_fails(base, counted, items)]
    return standing_out(_columns(counted), _columns(rows.loc[~now]), run.rules.scope)


def _fails(base: RecordBase, rows: pd.DataFrame, items: set[str]) -> npt.NDArray[np.bool_]:
    listed = base.items_of(rows)
    if listed.empty:
        return np.zeros(len(rows), dtype=np.bool_)
    hit = (listed["verdict"].astype("object") == "fail") & listed["item"].astype("object").astype(str).str.strip().isin(items)
    return np.asarray(rows.index.isin(listed.loc[hit.to_numpy(), "sample"]), dtype=np.bool_)


def _columns(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: rows[name] if name in rows.columns else None for name in SUPPLIER_COLUMNS}, index=rows.index)
