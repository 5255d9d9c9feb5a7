"""What shows that the day was watched, and how well, as data: sources, defects, coverage, the fate of past warnings."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from riskwatch.digest.parts import Part, Place, Text

__all__ = [
    "Calibration",
    "CatalogueCoverage",
    "CatalogueGap",
    "Coverage",
    "DataQuality",
    "SourceLine",
]


class SourceLine(Part):
    """How fresh one source is. Silence is its own state: it never reads as 'all clear'."""

    source: str
    label: Text
    state: Literal["on-time", "late", "silent", "closed", "failed"]
    newest_event: dt.date | None
    newest_known: dt.date | None
    records: int
    quarantine_open: int
    message: Text | None


class DataQuality(Part):
    """数据质量: sources, backlog of quarantine, duplicates, series rolled up, models refused."""

    window_days: int
    sources: tuple[SourceLine, ...]
    quarantine_open: int
    duplicates: int
    rolled_up: int
    rolled_up_series: tuple[Text, ...]
    refused: tuple[tuple[str, int], ...]
    failed_models: tuple[Text, ...]
    # Stream, hospitals or laboratories that are silent, those expected to report.
    silent_reporters: tuple[tuple[str, int, int], ...] = ()
    # Kind of message and how many could not be delivered to this centre; the oldest of their days. Empty in digests stored before.
    undelivered: tuple[tuple[str, int], ...] = ()
    undelivered_since: dt.date | None = None


class Coverage(Part):
    """Proof that the day was watched: what was read, judged and tested, and what chance alone would have flagged."""

    records: int
    sources_heard: int
    sources_expected: int
    models: int
    series: int
    tests: int
    refused: int
    alarms: int
    chance_level: float
    below_chance_level: int
    expected_by_chance: float
    fdr: float | None
    kept: int | None
    expected_false: float | None


class CatalogueGap(Part):
    """One key product that was not sampled at all in one region of the jurisdiction."""

    product: str
    product_name: Text
    place: Place
    weight: float
    # Samples that higher levels took of the product in the region above.
    higher_level: int


class CatalogueCoverage(Part):
    """重点监管产品目录: how much of it was sampled in the jurisdiction. A gap has no rate and is no sign of safety."""

    version: str
    verified: bool
    window_days: int
    level: str
    cells: int
    covered: int
    thin: int
    gaps: int
    population_share: float | None
    top: tuple[CatalogueGap, ...]


class Calibration(Part):
    """昨日校准: what became of past warnings, as far as the store knows."""

    issued: int
    confirmed: int
    refuted: int
    recovered: int
    open: int
    days_to_warning: float | None
    days_to_warning_n: int
