"""The failed samples behind a concern and the usual ones before them, for the question whether they share a supplier."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.assessment.behind import RecordBase
from riskwatch.assessment.context import Case, Run
from riskwatch.assessment.suppliers import SUPPLIER_COLUMNS, SupplierFigures, standing_out
from riskwatch.assessment.types import Evidence, Subject

__all__ = ["supplier_figures"]

_ITEM = "item="
# A follow-up goes to a firm because it failed: it says nothing new of its supplier.
_FOLLOW_UP = "follow-up"


def supplier_figures(run: Run, case: Case) -> SupplierFigures | None:
    """Return what the suppliers of the concern's failed samples say; None where no unusual failures speak for it.

    The failures are those of the goods' whole category, in all places, as firms that share a supplier make more than one product; of
    the test items in which the concern's samples are unusual, where its evidence names items. Suppliers of failures before them are of
    any item, as one item alone usually fails too seldom to be compared with. How many failures of the items are usual follows from the
    time before and from the failures in other items, which tell how much was sampled and is known yet.
    """
    spoken = [one for one in case.evidence if one.stream == "spot_check"]
    if not spoken or case.subject.kind == "region":
        return None
    asked = (asdict(case.subject), sorted((one.stratum, one.period_start) for one in spoken), run.rules.scope.model_dump(mode="json"))
    return run.memory.recall("suppliers", asked, lambda: _figures(run, case.subject, spoken))


def _figures(run: Run, subject: Subject, spoken: Sequence[Evidence]) -> SupplierFigures | None:
    base = run.behind.failures
    if "spot_check" not in base.frames:
        return None
    rules = run.rules.scope.suppliers
    first = min(run.as_of - dt.timedelta(days=rules.window_days), *(one.period_start for one in spoken))
    window = (first - dt.timedelta(days=rules.usual_days), run.as_of)
    path = run.paths[subject.kind].path(subject.code) if subject.kind == "product" else ()
    subject = replace(subject, code=path[-2]) if len(path) > 1 else subject
    # Suppliers decide where the excess lies everywhere: they are asked everywhere, wherever the concern is anchored.
    rows = base.select("spot_check", subject, window=window, region="")
    rows = rows.loc[(rows["failed"].astype(np.float64) > 0).to_numpy()]
    if "selection" in rows.columns:
        rows = rows.loc[(rows["selection"].astype("object") != _FOLLOW_UP).to_numpy()]
    now = (pd.to_datetime(rows["event_date"]) >= pd.Timestamp(first)).to_numpy()
    items = {one.stratum.removeprefix(_ITEM) for one in spoken if one.stratum.startswith(_ITEM)}
    counted = _fails(base, rows, items) if items else np.ones(len(rows), dtype=np.bool_)
    elapsed = ((run.as_of - first).days + 1) / rules.usual_days
    others = int((~counted & ~now).sum())
    pace = int((~counted & now).sum()) / others if others >= rules.min_known else elapsed
    expected = pace * int((counted & ~now).sum())
    return standing_out(_columns(rows.loc[now & counted]), _columns(rows.loc[~now]), run.rules.scope, expected=expected)


def _fails(base: RecordBase, rows: pd.DataFrame, items: set[str]) -> npt.NDArray[np.bool_]:
    """Return which samples failed one of the items."""
    listed = base.items_of(rows)
    if listed.empty:
        return np.zeros(len(rows), dtype=np.bool_)
    hit = (listed["verdict"].astype("object") == "fail") & listed["item"].astype("object").astype(str).str.strip().isin(items)
    return np.asarray(rows.index.isin(listed.loc[hit.to_numpy(), "sample"]), dtype=np.bool_)


def _columns(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: rows[name] if name in rows.columns else None for name in SUPPLIER_COLUMNS}, index=rows.index)
