"""Failure rates that can be compared: strata, shrinkage along the trees, direct standardisation. Data frames and arrays in and out.

* :func:`compare`: failure rates by region, product or industry, raw and standardised;
* :func:`change`: how they changed between two windows, and how much of that is a change of what was sampled;
* :func:`build_cells`, :func:`shrink`, :func:`standardise`, :func:`decompose_change`, :func:`judge_counts`: the steps;
* :func:`fit_groups`: beta-binomial maximum likelihood for many groups at once.
"""

from __future__ import annotations

from riskwatch.rates.cells import build_cells
from riskwatch.rates.comparison import CHANGE_COLUMNS, COMPARE_COLUMNS, RECORD_COLUMNS, change, compare, level_of, period_levels, window_of
from riskwatch.rates.decompose import decompose_change
from riskwatch.rates.likelihood import GroupFit, fit_groups
from riskwatch.rates.rules import RateRules
from riskwatch.rates.shrinkage import Shrunken, complete, shrink
from riskwatch.rates.standardise import reference_mix, standardise
from riskwatch.rates.strata import purpose_of, stratum_of
from riskwatch.rates.testing import judge_counts, predictive_p

__all__ = [
    "CHANGE_COLUMNS",
    "COMPARE_COLUMNS",
    "RECORD_COLUMNS",
    "GroupFit",
    "RateRules",
    "Shrunken",
    "build_cells",
    "change",
    "compare",
    "complete",
    "decompose_change",
    "fit_groups",
    "judge_counts",
    "level_of",
    "period_levels",
    "predictive_p",
    "purpose_of",
    "reference_mix",
    "shrink",
    "standardise",
    "stratum_of",
    "window_of",
]
