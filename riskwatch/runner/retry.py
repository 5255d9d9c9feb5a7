"""Judge quarantined rows again with the definitions of today."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from riskwatch.errors import RecordError
from riskwatch.records import STREAMS, Parsed
from riskwatch.runner.context import RunContext
from riskwatch.runner.pull import judge_again, nothing_but
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
        try:
            return judge_again(ctx, landed, table)
        except RecordError as error:
            numbers = landed.first_row + np.arange(table.num_rows)
            still = pd.DataFrame({"row_no": numbers, "field": "", "rule": "unreadable", "value": "", "message": error.message})
            return nothing_but(STREAMS[landed.stream], still)

    counts = {}
    for name in [source] if source is not None else list(ctx.definitions.sources):
        ctx.heartbeat()
        outcome = ctx.store.retry_quarantine(judge, arrived_at=ctx.now, source=name)
        tried = outcome.resolved + outcome.remaining
        counts[name] = {"tried": tried, "resolved": outcome.resolved, "remaining": outcome.remaining}
    return counts
