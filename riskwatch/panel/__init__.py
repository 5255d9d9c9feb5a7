"""Aligned period x series matrices, the only thing a detector sees.

:class:`Panel` holds them; :func:`build_panel` makes them from records.
"""

from __future__ import annotations

from riskwatch.panel.build import BuiltPanel, Frequency, SilenceRule, SparseRule, build_panel, series_of_records
from riskwatch.panel.context import Breakdown, Completeness, Covariates, Geography
from riskwatch.panel.grouping import DIMENSIONS, LEVELS, UNCODED, TreeLike
from riskwatch.panel.matrix import Panel

__all__ = [
    "DIMENSIONS",
    "LEVELS",
    "UNCODED",
    "Breakdown",
    "BuiltPanel",
    "Completeness",
    "Covariates",
    "Frequency",
    "Geography",
    "Panel",
    "SilenceRule",
    "SparseRule",
    "TreeLike",
    "build_panel",
    "series_of_records",
]
