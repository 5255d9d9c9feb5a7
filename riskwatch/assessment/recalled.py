"""The records behind a run, read and indexed when somebody first asks; counts of them are taken from memory where they are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from riskwatch.assessment.behind import NUMERATOR, RecordBase, Window
from riskwatch.assessment.memory import FORGETFUL, Memory
from riskwatch.assessment.protocols import TreePaths
from riskwatch.assessment.types import Subject

__all__ = ["Behind", "Failures", "Items"]

Items = pd.DataFrame | Callable[[], pd.DataFrame]
"""Test items, or what reads them."""
Failures = Callable[[], tuple[pd.DataFrame, pd.DataFrame]]
"""Reads failed samples of the last years, and their items."""


@dataclass(frozen=True, eq=False)
class Behind:
    """Records of all streams.

    Attributes
    ----------
    records : mapping of str to pandas.DataFrame
        As for :class:`RecordBase`; may read each stream when it is asked for.
    items : pandas.DataFrame or callable
    paths : mapping of str to TreePaths
    read_failures : callable, optional
        Reads failed samples of the last years and their items; without it those among the records are taken.
    memory : Memory
        Of the day.
    """

    records: Mapping[str, pd.DataFrame]
    items: Items
    paths: Mapping[str, TreePaths]
    read_failures: Failures | None = None
    memory: Memory = FORGETFUL

    @property
    def streams(self) -> tuple[str, ...]:
        """Streams that are evidence or part of a count."""
        return tuple(sorted(stream for stream in self.records if stream in NUMERATOR))

    @cached_property
    def base(self) -> RecordBase:
        """The records, indexed."""
        return RecordBase(self.records, self.items() if callable(self.items) else self.items, self.paths)

    @cached_property
    def failures(self) -> RecordBase:
        """The failed samples of the last years, indexed."""
        if self.read_failures is None:
            return self.base
        samples, items = self.read_failures()
        return RecordBase({"spot_check": samples}, items, self.paths)

    @cached_property
    def duplicates(self) -> dict[str, int]:
        """How many rows of each stream were left out as repeated."""
        return self.memory.recall("duplicates", None, lambda: dict(self.base.duplicates))

    def count(self, stream: str, codes: Mapping[str, str], window: Window) -> float:
        """Return the sum of what the stream counts within ``codes`` (product, industry, region) and the window."""
        return self.memory.recall("count", (stream, dict(codes), window), lambda: self.base.count(stream, **codes, window=window))

    def by_region(self, stream: str, subject: Subject, window: Window) -> dict[str, float]:
        """Return region -> what the stream counts of a subject in the window, in its order."""

        def counted() -> dict[str, float]:
            return self.base.counts_by_region(stream, self.base.select(stream, subject, window=window))

        return self.memory.recall("by-region", (stream, (subject.kind, subject.code, subject.region), window), counted)
