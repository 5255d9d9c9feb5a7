"""riskwatch: quality-risk early warning for market-supervision centres."""

from __future__ import annotations

__version__ = "0.1.0"
