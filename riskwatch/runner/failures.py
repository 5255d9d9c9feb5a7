"""The failed samples of the last years, for the question which suppliers failures usually name."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from riskwatch.runner.context import RunContext

__all__ = ["usual_failures"]

_FAILED = (
    "record_id",
    "source",
    "record_key",
    "event_date",
    "product",
    "industry",
    "region",
    "selection",
    "producer",
    "supplier",
    "failed",
)


def usual_failures(ctx: RunContext, since: dt.date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the failed samples of the last years and their items: whose suppliers failures usually name."""
    rules = ctx.grading.scope.suppliers
    first = min(since, ctx.as_of - dt.timedelta(days=rules.window_days)) - dt.timedelta(days=rules.usual_days)
    failed = ctx.store.read_records(
        "spot_check", columns=list(_FAILED), as_of=ctx.as_of, between={"failed": (1.0, 1e9)}, since=first, until=ctx.as_of
    )
    items = ctx.store.read_items("spot_check", record_ids=failed["record_id"].tolist())
    return failed, items.merge(failed[["record_id", "record_key", "source"]], on="record_id", how="left")
