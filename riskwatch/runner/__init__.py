"""One pipeline run, from raw rows to digests. ``now`` is decided here and passed down."""

from __future__ import annotations

from riskwatch.runner.context import RunContext, open_store
from riskwatch.runner.progress import Reporter
from riskwatch.runner.run import RunReport, run_pipeline

__all__ = ["Reporter", "RunContext", "RunReport", "open_store", "run_pipeline"]
