"""Judge quarantined rows again with the definitions of today."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from riskwatch.errors import RecordError
from riskwatch.records import STREAMS, Parsed, parse
from riskwatch.runner.context import RunContext
from riskwatch.runner.pull import TEXT_COLUMN, nothing_but, refused_rows
from riskwatch.store import Landed

__all__ = ["retry_quarantine"]


def retry_quarantine(ctx: RunContext, source: str | None = None) -> dict[str, dict[str, int]]:
    """Judge the quarantine of one source, or of all in force, again.

    Returns
    -------
    dict
        By source: findings ``tried``, ``resolved`` (their rows are records now) and ``remaining``.
    """

    def judge(landed: Landed, table: pa.Table) -> Parsed:
        definition = ctx.definitions.sources[landed.source]
        if table.column_names == [TEXT_COLUMN]:
            return refused_rows(landed.stream, table, landed.first_row)
        try:
            return parse(table, definition, ctx.trees, today=max(ctx.today, ctx.as_of), first_row=landed.first_row)
        except RecordError as error:
            return _still(landed, table, "unreadable", error.message)

    counts = {}
    for name in [source] if source is not None else list(ctx.definitions.sources):
        ctx.heartbeat()
        outcome = ctx.store.retry_quarantine(judge, arrived_at=ctx.now, source=name)
        tried = outcome.resolved + outcome.remaining
        counts[name] = {"tried": tried, "resolved": outcome.resolved, "remaining": outcome.remaining}
    return counts


def _still(landed: Landed, table: pa.Table, rule: str, message: str) -> Parsed:
    """Reject every row of a table."""
    rejected = pd.DataFrame(
        {"row_no": landed.first_row + np.arange(table.num_rows), "field": "", "rule": rule, "value": "", "message": message}
    )
    return nothing_but(STREAMS[landed.stream], rejected)
