"""Assess a day: its judged series and the records that the store knew."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

import pandas as pd

from riskwatch.assessment import Assessment, assess
from riskwatch.assessment.attention import KeyProduct
from riskwatch.assessment.discovery import Controlled
from riskwatch.assessment.memory import FORGETFUL, Memory
from riskwatch.coverage.rules import CatalogueFile
from riskwatch.digest import QualityReport
from riskwatch.records.streams import STREAMS
from riskwatch.runner.actions import emergency_rules
from riskwatch.runner.borders import borders_of
from riskwatch.runner.context import RunContext
from riskwatch.runner.dossier_rules import dossier_rules
from riskwatch.runner.failures import usual_failures
from riskwatch.runner.outside import outside_signals
from riskwatch.runner.quality import ReporterState, assessment_quality

__all__ = ["assess_day", "first_alarm", "since_alarm"]


def assess_day(
    ctx: RunContext,
    signals: pd.DataFrame | Controlled,
    quality: QualityReport,
    absence: ReporterState,
    memory: Memory = FORGETFUL,
    *,
    since: dt.date,
) -> list[Assessment]:
    """Assess the concerns of a day from its judged series and the records that the store knew, from ``since`` (:func:`since_alarm`) on."""
    records = _Records(ctx, since)
    return assess(
        signals,
        records,
        records.failing_items,
        as_of=ctx.as_of,
        rules=ctx.grading,
        actions=ctx.actions,
        hazards=ctx.hazards,
        trees=ctx.trees,
        quality=assessment_quality(ctx, quality, absence),
        holidays=ctx.holidays,
        emergency=emergency_rules(ctx),
        borders=borders_of(ctx.root),
        key_products=_key_products(ctx),
        bursts=dossier_rules(ctx.definitions).claimant_bursts,
        outside=outside_signals(ctx, memory),
        failures=lambda: usual_failures(ctx, since),
        memory=memory,
    )


class _Records(Mapping[str, pd.DataFrame]):
    """The records of each stream, read when they are first asked for."""

    def __init__(self, ctx: RunContext, since: dt.date) -> None:
        self._ctx, self._since = ctx, since
        self._read: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._read:
            store, day = self._ctx.store, self._ctx.as_of
            if name == "laboratory":
                # A calibration holds for a year: the whole register, not its recent entries.
                self._read[name] = store.read_records(name, as_of=day)
            else:
                columns = ["record_id", "source", *(entry.name for entry in STREAMS[name].all_fields if entry.name != "narrative")]
                self._read[name] = store.read_records(name, columns=columns, as_of=day, since=self._since, until=day)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(STREAMS)

    def __len__(self) -> int:
        return len(STREAMS)

    def failing_items(self) -> pd.DataFrame:
        """Return the test items of the failing samples."""
        checks = self["spot_check"]
        items = self._ctx.store.read_items("spot_check", record_ids=checks.loc[checks["failed"] > 0, "record_id"].tolist())
        return items.merge(checks[["record_id", "record_key", "source"]], on="record_id", how="left")


def first_alarm(signals: pd.DataFrame) -> dt.date | None:
    """Return the first day on which the evidence of an alarm lies, None without an alarm."""
    judged = signals.loc[signals["alarm"].astype(bool), "evidence_start"]
    return min(judged) if len(judged) else None


def since_alarm(ctx: RunContext, alarm: dt.date | None) -> dt.date:
    """Return the first day whose records an assessment reads, by the first day of evidence."""
    since = ctx.as_of - dt.timedelta(days=ctx.grading.floors.lookback_days)
    return since if alarm is None else min(since, alarm)


def _key_products(ctx: RunContext) -> list[KeyProduct]:
    """Return the entries of the key-product catalogue in force on the day; none without the file."""
    content = ctx.definitions.catalogue("catalogue")
    edition = CatalogueFile.model_validate(content).in_force(ctx.as_of) if content else None
    return [KeyProduct(one.product, one.reason, one.vulnerable, one.season) for one in edition.entries] if edition is not None else []
