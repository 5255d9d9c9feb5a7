"""Strict YAML in, typed definitions out, and every problem with file, line and column."""

from riskwatch.definitions.definitions import Definitions
from riskwatch.definitions.explanation import Explanation, explain
from riskwatch.definitions.loader import check, load_definitions

__all__ = ["Definitions", "Explanation", "check", "explain", "load_definitions"]
