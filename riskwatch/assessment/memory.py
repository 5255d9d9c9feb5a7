"""What an assessment may remember: parts that rest on records alone, and not on the thresholds that are tried on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

__all__ = ["FACT_RULES", "FORGETFUL", "Memory"]

T = TypeVar("T")

FACT_RULES = ("severity", "probability", "privacy", "lifts", "linking")
"""Sections of ``config/grading.yaml`` that the figures of a concern rest on (:func:`riskwatch.assessment.facts.gather`)."""


class Memory(Protocol):
    """Remembers results of one day: the same name and basis mean the same result."""

    def recall(self, name: str, basis: object, make: Callable[[], T]) -> T:
        """Return what ``make`` gives, from memory where it is known.

        Parameters
        ----------
        name : str
            Of the function.
        basis : object
            All that the result rests on besides the records and definitions of the day; JSON-able once days are texts.
        make : callable
        """


class _Forgetful:
    def recall(self, name: str, basis: object, make: Callable[[], T]) -> T:  # noqa: ARG002 - part of the interface
        return make()


FORGETFUL: Memory = _Forgetful()
"""Remembers nothing."""
