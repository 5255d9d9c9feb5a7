"""Test items of samples: failing items are the mechanism, the sample is the unit. Data frames and typed rules in, frames out."""

from __future__ import annotations

from riskwatch.items.measured import Readings, compare, read_limits, read_measured
from riskwatch.items.mechanism import item_table, new_items
from riskwatch.items.rescore import rescore, standard_effect
from riskwatch.items.rules import StandardCatalogue, StandardChange
from riskwatch.items.units import UnitTable

__all__ = [
    "Readings",
    "StandardCatalogue",
    "StandardChange",
    "UnitTable",
    "compare",
    "item_table",
    "new_items",
    "read_limits",
    "read_measured",
    "rescore",
    "standard_effect",
]
