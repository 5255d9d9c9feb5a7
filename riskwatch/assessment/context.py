"""What all concerns of a run share, what belongs to one of them, and what both are read from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from riskwatch.assessment.actions import Desk
from riskwatch.assessment.attention import KeyProduct
from riskwatch.assessment.behind import RecordBase, Window
from riskwatch.assessment.concerns import Concern
from riskwatch.assessment.confidence import Quality
from riskwatch.assessment.discovery import Judged
from riskwatch.assessment.doubts import Calibrations, Doubt
from riskwatch.assessment.emergency_rules import EmergencyRules
from riskwatch.assessment.facts import Facts
from riskwatch.assessment.floors import FloorEvent
from riskwatch.assessment.hazards import Classifier
from riskwatch.assessment.lookups import span
from riskwatch.assessment.memory import FORGETFUL, Memory
from riskwatch.assessment.protocols import TreePaths, WorkCalendar
from riskwatch.assessment.recalled import Behind
from riskwatch.assessment.rules import ActionCatalogue, GradingRules
from riskwatch.assessment.types import Evidence, Subject
from riskwatch.dossiers.rules import BURSTS, BurstRules
from riskwatch.outside.weight import Outside

__all__ = ["Case", "Run", "flags_on", "windows_of"]


@dataclass(frozen=True, eq=False)
class Run:
    """What all concerns of a run share."""

    as_of: dt.date
    judged: Judged
    behind: Behind
    paths: Mapping[str, TreePaths]
    rules: GradingRules
    catalogue: ActionCatalogue
    classifier: Classifier
    quality: Quality
    calendar: WorkCalendar | None
    events: Sequence[FloorEvent]
    desk: Desk  # tells which body of law a subject falls under
    calibrations: Calibrations  # of laboratories, as known on the day
    emergency: EmergencyRules | None = None
    borders: Collection[tuple[str, str]] = ()  # pairs of neighbouring regions
    key_products: Sequence[KeyProduct] = ()
    festivals: Mapping[int, dt.date] = field(default_factory=dict)
    bursts: BurstRules = BURSTS
    outside: Outside | None = None  # notices matched to goods here
    memory: Memory = FORGETFUL  # figures that other thresholds do not change

    @property
    def base(self) -> RecordBase:
        """The records behind all concerns."""
        return self.behind.base


@dataclass(frozen=True, eq=False)
class Case:
    """One concern with everything that was read about it."""

    subject: Subject
    rows: tuple[int, ...]
    evidence: tuple[Evidence, ...]
    newest: tuple[bool, ...]
    windows: Mapping[str, Window | None]
    facts: Facts
    events: tuple[FloorEvent, ...]
    types: tuple[str, ...]  # source types that speak for it
    streams: frozenset[str]
    hazard: str
    units: float | None  # units in use in the anchor region
    doubts: tuple[Doubt, ...] = ()  # artefacts in its own records


def windows_of(run: Run, concern: Concern) -> dict[str, Window | None]:
    """Return the days whose records are read, for each stream: its own evidence, else the whole concern's, else the look-back.

    Evidence that lies in several periods together (three single failures in three months) is read in all of them: by its last one alone
    it would be too few cases, or one firm.
    """
    if not concern.rows:
        window = (run.as_of - dt.timedelta(days=run.rules.floors.lookback_days), run.as_of)
        return dict.fromkeys(run.behind.streams, window)
    some = [run.judged.lookups.candidates[row] for row in concern.rows]
    spans = {stream: span([one for one in some if one.evidence.stream == stream]) for stream in {one.evidence.stream for one in some}}
    whole = span(some)
    return {stream: spans.get(stream, whole) for stream in run.behind.streams}


def flags_on(run: Run, subject: Subject, streams: Collection[str], kinds: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds of flag, out of ``kinds``, that speak for ``subject``; one that names nothing speaks for nothing."""
    found = set()
    for flag in run.quality.flags:
        if flag.get("kind") not in kinds:
            continue
        codes = {name: str(flag.get(name) or "") for name in ("product", "industry", "region")}
        stream = str(flag.get("stream") or "")
        if not stream and not any(codes.values()):
            continue
        if stream and stream not in streams:
            continue
        mine = {"product": "", "industry": "", "region": subject.region}
        mine[subject.kind] = subject.code
        if all(not code or (mine[name] and run.paths[name].within(mine[name], code)) for name, code in codes.items()):
            found.add(str(flag["kind"]))
    return tuple(sorted(found))
