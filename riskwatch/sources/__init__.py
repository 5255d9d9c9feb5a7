"""Pulling raw rows: drop folders, SQL queries and paged HTTP JSON, as batches of text with content keys and cursors."""

from __future__ import annotations

from riskwatch.sources.adapters import ADAPTERS, adapt
from riskwatch.sources.batches import MAX_BATCH_ROWS, BadRow, Progress, RawBatch, SourceFault, SourceState
from riskwatch.sources.reading import open_source
from riskwatch.sources.tools import HttpTools

__all__ = [
    "ADAPTERS",
    "MAX_BATCH_ROWS",
    "BadRow",
    "HttpTools",
    "Progress",
    "RawBatch",
    "SourceFault",
    "SourceState",
    "adapt",
    "open_source",
]
