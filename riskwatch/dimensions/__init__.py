"""Product, industry and region trees, the dated crosswalk of moved codes, and enterprise codes."""

from __future__ import annotations

from riskwatch.dimensions.credit import credit_code_check_character, credit_code_problem, credit_codes_valid, looks_like_credit_code
from riskwatch.dimensions.crosswalk import Crosswalk, Move, is_pseudo_region
from riskwatch.dimensions.loading import ADAPTERS, DimensionFileLike, build_tree, load_trees
from riskwatch.dimensions.tree import Tree

__all__ = [
    "ADAPTERS",
    "Crosswalk",
    "DimensionFileLike",
    "Move",
    "Tree",
    "build_tree",
    "credit_code_check_character",
    "credit_code_problem",
    "credit_codes_valid",
    "is_pseudo_region",
    "load_trees",
    "looks_like_credit_code",
]
