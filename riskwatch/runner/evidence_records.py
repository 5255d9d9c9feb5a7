"""From a piece of evidence back to the records that its number was counted from, and the series that it stood out of."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.definitions.types import ModelDefinition
from riskwatch.dimensions import Tree
from riskwatch.panel.by_item import ITEM
from riskwatch.panel.grouping import MISSING, UNCODED
from riskwatch.records.streams import STREAMS
from riskwatch.runner.context import RunContext
from riskwatch.runner.detect import SERIES, detection_id, series_key
from riskwatch.runner.freshness import freshness_by_source
from riskwatch.runner.panels import window
from riskwatch.runner.terms import model_terms
from riskwatch.texts.emerging import STRATUM

__all__ = ["COUNTED", "HISTORY_COLUMNS", "evidence_history", "evidence_records"]

COUNTED = "counted"
HISTORY_COLUMNS = ("period_start", "observed", "exposure", "expected", "upper", "alarm")
BoolArray = npt.NDArray[np.bool_]


def evidence_records(ctx: RunContext, evidence: Mapping[str, Any]) -> pd.DataFrame:
    """Return the records behind one piece of evidence, as they were known on ``ctx.as_of``; for internal use: they are as stored.

    Parameters
    ----------
    ctx : RunContext
        As of the day of the assessment.
    evidence : mapping
        As an assessment's payload holds it.

    Returns
    -------
    DataFrame
        ``counted`` (what the record adds to ``observed``: samples that failed, persons, 1 for a record that holds the term), ``source``,
        ``known_at`` and all fields of the stream; those that count first, by day and key. The ``counted`` of all add up to ``observed``,
        but for a model that counts distinct persons: there they may be more. No row if the model is no longer defined.
    """
    stream = str(evidence["stream"])
    columns = ["record_id", "source", "known_at", *(field.name for field in STREAMS[stream].all_fields)]
    model = ctx.definitions.models.get(str(evidence["model"]))
    days = (dt.date.fromisoformat(evidence["period_start"]), dt.date.fromisoformat(evidence["period_end"]))
    frame = ctx.store.read_records(
        stream,
        columns=columns,
        as_of=ctx.as_of,
        where=model.where or None if model else {"record_key": []},
        between=model.between or None if model else None,
        sources=model.sources or None if model else None,
        since=days[0],
        until=days[1],
    )
    if model is None:
        counted = np.zeros(len(frame))
    elif model.terms is not None:
        frame, counted = _of_term(ctx, model, frame, str(evidence["stratum"]))
    else:
        frame, counted = _of_series(ctx, model, frame, evidence)
    frame.insert(0, COUNTED, counted)
    order = frame.assign(_first=-frame[COUNTED]).sort_values(["_first", "event_date", "record_key"], kind="stable").index
    return frame.loc[order].drop(columns="record_id").reset_index(drop=True)


def _of_series(
    ctx: RunContext, model: ModelDefinition, frame: pd.DataFrame, evidence: Mapping[str, Any]
) -> tuple[pd.DataFrame, npt.NDArray[np.float64]]:
    kept = np.ones(len(frame), dtype=np.bool_)
    for dimension, fields in (("product", model.product_fields), ("industry", ("industry",)), ("region", ("region",))):
        if evidence[dimension]:
            kept &= _within(frame, fields, str(evidence[dimension]), ctx.trees.get(dimension))
    names = [*model.stratify, *([ITEM] if model.by_item else [])]
    strata = _strata(names, str(evidence["stratum"]))
    for name in set(strata) & set(model.stratify):
        kept &= (frame[name].astype("object").fillna(MISSING).astype(str) == strata[name]).to_numpy(dtype=np.bool_)
    frame = frame.loc[kept].reset_index(drop=True)
    counted = frame[model.numerator].to_numpy(dtype=np.float64, na_value=0.0)
    if ITEM in strata:
        counted = np.minimum(counted, _failed_item(ctx, model.stream, frame, strata[ITEM]))
    return frame, counted


def _within(frame: pd.DataFrame, fields: tuple[str, ...], code: str, tree: Tree | None) -> BoolArray:
    columns = [frame[name].astype("object").fillna("").astype(str) for name in fields]
    if tree is None:
        hits = [(column == code).to_numpy(dtype=np.bool_) for column in columns]
    elif code == UNCODED:
        return np.logical_and.reduce([~tree.contains(column) for column in columns])
    else:
        hits = [tree.is_within(column, code) for column in columns]
    return np.asarray(np.logical_or.reduce(hits), dtype=np.bool_)


def _strata(names: list[str], stratum: str) -> dict[str, str]:
    """Return field -> value of "selection=random, item=lead"; a value may itself hold commas and signs of equality."""
    found = re.fullmatch(", ".join(f"{re.escape(name)}=(.*)" for name in names), stratum, flags=re.DOTALL) if names and stratum else None
    return dict(zip(names, found.groups(), strict=True)) if found else {}


def _failed_item(ctx: RunContext, stream: str, frame: pd.DataFrame, item: str) -> npt.NDArray[np.float64]:
    """Return how often each record has failed an item on file."""
    items = ctx.store.read_items(stream, record_ids=frame["record_id"].tolist())
    bad = (items["verdict"].astype("object") == "fail") & (items["item"].astype("object").fillna("").astype(str).str.strip() == item)
    counts = items.loc[bad.to_numpy(dtype=np.bool_), "record_id"].value_counts()
    return np.asarray(frame["record_id"].map(counts).fillna(0.0), dtype=np.float64)


def _of_term(ctx: RunContext, model: ModelDefinition, frame: pd.DataFrame, stratum: str) -> tuple[pd.DataFrame, npt.NDArray[np.float64]]:
    """Return the records that hold a term, found as the model found it: texts are scrubbed and cut in its way."""
    found = model_terms(ctx, model, window(ctx, model, freshness_by_source(ctx.store, ctx.as_of)))
    term = stratum.removeprefix(f"{STRATUM}=")
    at = found.corpus.terms.index(term) if term in found.corpus.terms else None
    held = np.zeros(0, dtype=np.int64) if at is None else found.records["record_id"].to_numpy()[found.corpus.matrix[:, at].nonzero()[0]]
    frame = frame.loc[frame["record_id"].isin(held)].reset_index(drop=True)
    if model.terms is not None and model.terms.counted:
        return frame, (frame[model.terms.counted].to_numpy(dtype=np.float64, na_value=0.0) > 0).astype(np.float64)
    return frame, np.ones(len(frame))


def evidence_history(ctx: RunContext, evidence: Mapping[str, Any], kept: dict[str, Any]) -> pd.DataFrame:
    """Return the series that a piece of evidence stood out of, as the run of ``ctx.as_of`` kept it for its digest.

    Parameters
    ----------
    ctx, evidence
        As for :func:`evidence_records`.
    kept : dict
        Model -> its stored series; filled here, so that each is read once.

    Returns
    -------
    DataFrame
        :data:`HISTORY_COLUMNS`, one row per period, fit for :func:`riskwatch.plots.series_figure`. No row if the model, its parameters or
        the data have changed since, so that the run's numbers are no longer those of today.
    """
    name = str(evidence["model"])
    model = ctx.definitions.models.get(name)
    if model is not None and name not in kept:
        kept[name] = ctx.store.read_history(detection_id(ctx, model, freshness_by_source(ctx.store, ctx.as_of)))
    rows = kept.get(name, {}).get(series_key([str(evidence[part]) for part in SERIES]), [])
    frame = pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))
    return frame.assign(period_start=pd.to_datetime(frame["period_start"]))

