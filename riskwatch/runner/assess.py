"""Assess a day: its judged series and the records that the store knew."""

from __future__ import annotations

import datetime as dt

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
    records: dict[str, pd.DataFrame] = {}
    for name, stream in STREAMS.items():
        columns = ["record_id", "source", *(entry.name for entry in stream.all_fields if entry.name != "narrative")]
        records[name] = ctx.store.read_records(name, columns=columns, as_of=ctx.as_of, since=since, until=ctx.as_of)
    # A calibration holds for a year: the whole register, not its recent entries.
    records["laboratory"] = ctx.store.read_records("laboratory", as_of=ctx.as_of)
    checks = records["spot_check"]
    items = ctx.store.read_items("spot_check", record_ids=checks.loc[checks["failed"] > 0, "record_id"].tolist())
    items = items.merge(checks[["record_id", "record_key", "source"]], on="record_id", how="left")
    return assess(
        signals,
        records,
        items,
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
        failures=usual_failures(ctx, since),
        memory=memory,
    )


def first_alarm(signals: pd.DataFrame) -> dt.date | None:
    """Return the first day of the earliest period in alarm, None without an alarm."""
    judged = signals.loc[signals["alarm"].astype(bool), "period_start"]
    return min(judged) if len(judged) else None


def since_alarm(ctx: RunContext, alarm: dt.date | None) -> dt.date:
    """Return the first day whose records an assessment reads, by the first day of the earliest period in alarm."""
    since = ctx.as_of - dt.timedelta(days=ctx.grading.floors.lookback_days)
    return since if alarm is None else min(since, alarm)


def _key_products(ctx: RunContext) -> list[KeyProduct]:
    """Return the entries of the key-product catalogue in force on the day; none without the file."""
    content = ctx.definitions.catalogue("catalogue")
    edition = CatalogueFile.model_validate(content).in_force(ctx.as_of) if content else None
    return [KeyProduct(one.product, one.reason, one.vulnerable, one.season) for one in edition.entries] if edition is not None else []
