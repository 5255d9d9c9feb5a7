"""What was not sampled, and where the next samples tell most. Data frames and typed rules in, frames out."""

from __future__ import annotations

from riskwatch.coverage.gaps import coverage
from riskwatch.coverage.rules import CatalogueFile, CatalogueVersion, unknown_codes
from riskwatch.coverage.summary import CoverageSummary, GapLine, by_product, by_region, summarise

__all__ = [
    "CatalogueFile",
    "CatalogueVersion",
    "CoverageSummary",
    "GapLine",
    "by_product",
    "by_region",
    "coverage",
    "summarise",
    "unknown_codes",
]
