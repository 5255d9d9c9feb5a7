"""One pipeline run, from raw rows to digests. ``now`` is decided here and passed down."""

from __future__ import annotations

from riskwatch.runner.context import RunContext, database_url, open_store, var_folder
from riskwatch.runner.progress import Reporter
from riskwatch.runner.run import RunReport, run_pipeline

__all__ = ["Reporter", "RunContext", "RunReport", "database_url", "open_store", "run_pipeline", "var_folder"]
