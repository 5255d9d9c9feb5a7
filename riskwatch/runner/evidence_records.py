"""From a piece of evidence back to the records that its number was counted from, and the series that it stood out of."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from functools import cached_property
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
from riskwatch.runner.freshness import Freshness, freshness_by_source
from riskwatch.runner.panels import window
from riskwatch.runner.terms import model_terms
from riskwatch.texts.emerging import STRATUM, TermPanel

__all__ = ["COUNTED", "HISTORY_COLUMNS", "EvidenceReader"]

COUNTED = "counted"
HISTORY_COLUMNS = ("period_start", "observed", "exposure", "expected", "upper", "alarm")
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


class EvidenceReader:
    """Reads what lies behind the evidence of one assessment; what several pieces share is read once.

    Parameters
    ----------
    ctx : RunContext
        As of the day of the assessment: what came later had no part in it.
    """

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx
        self._periods: dict[tuple[str, dt.date, dt.date], pd.DataFrame] = {}
        self._terms: dict[str, TermPanel] = {}
        self._kept: dict[str, Any] = {}

    @cached_property
    def _fresh(self) -> dict[str, Freshness]:
        return freshness_by_source(self._ctx.store, self._ctx.as_of)

    def records(self, evidence: Mapping[str, Any]) -> pd.DataFrame:
        """Return the records behind one piece of evidence, for internal use: they are as stored.

        Parameters
        ----------
        evidence : mapping
            As an assessment's payload holds it.

        Returns
        -------
        DataFrame
            ``counted`` (what the record adds to ``observed``: samples that failed, persons, 1 for a record that holds the term),
            ``source``, ``known_at`` and all fields of the stream; those that count first, by day and key. The ``counted`` of all add up to
            ``observed``, but for a model that counts distinct persons: there they may be more. No row if the model is no longer defined.
        """
        model = self._ctx.definitions.models.get(str(evidence["model"]))
        if model is None:
            fields = [field.name for field in STREAMS[str(evidence["stream"])].all_fields]
            return pd.DataFrame(columns=[COUNTED, "source", "known_at", *fields])
        frame = self._period(model, dt.date.fromisoformat(evidence["period_start"]), dt.date.fromisoformat(evidence["period_end"]))
        if model.terms is None:
            frame, counted = self._of_series(model, frame, evidence)
        else:
            frame, counted = self._of_term(model, frame, str(evidence["stratum"]))
        frame = frame.assign(**{COUNTED: counted, "_first": -counted})
        frame = frame.sort_values(["_first", "event_date", "record_key"], kind="stable").reset_index(drop=True)
        return frame[[COUNTED, *(name for name in frame.columns if name not in {COUNTED, "_first", "record_id"})]]

    def series(self, evidence: Mapping[str, Any]) -> pd.DataFrame:
        """Return the series that a piece of evidence stood out of, as the run of that day kept it for its digest.

        Returns
        -------
        DataFrame
            :data:`HISTORY_COLUMNS`, one row per period, fit for :func:`riskwatch.plots.series_figure`. No row if the model, its parameters
            or the data as known on that day have changed since: today's numbers would not be those that were judged.
        """
        name = str(evidence["model"])
        model = self._ctx.definitions.models.get(name)
        if model is not None and name not in self._kept:
            self._kept[name] = self._ctx.store.read_history(detection_id(self._ctx, model, self._fresh))
        rows = self._kept.get(name, {}).get(series_key([str(evidence[part]) for part in SERIES]), [])
        frame = pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))
        return frame.assign(period_start=pd.to_datetime(frame["period_start"]))

    def _period(self, model: ModelDefinition, first: dt.date, last: dt.date) -> pd.DataFrame:
        key = (model.name, first, last)
        if key not in self._periods:
            self._periods[key] = self._ctx.store.read_records(
                model.stream,
                columns=["record_id", "source", "known_at", *(field.name for field in STREAMS[model.stream].all_fields)],
                as_of=self._ctx.as_of,
                where=model.where or None,
                between=model.between or None,
                sources=model.sources or None,
                since=first,
                until=last,
            )
        return self._periods[key]

    def _of_series(self, model: ModelDefinition, frame: pd.DataFrame, evidence: Mapping[str, Any]) -> tuple[pd.DataFrame, FloatArray]:
        kept = np.ones(len(frame), dtype=np.bool_)
        for dimension, fields in (("product", model.product_fields), ("industry", ("industry",)), ("region", ("region",))):
            if evidence[dimension]:
                kept &= _within(frame, fields, str(evidence[dimension]), self._ctx.trees.get(dimension))
        strata = _strata([*model.stratify, *([ITEM] if model.by_item else [])], str(evidence["stratum"]))
        for name in set(strata) & set(model.stratify):
            kept &= (frame[name].astype("object").fillna(MISSING).astype(str) == strata[name]).to_numpy(dtype=np.bool_)
        frame = frame.loc[kept]
        counted = frame[model.numerator].to_numpy(dtype=np.float64, na_value=0.0)
        if ITEM in strata:
            counted = np.minimum(counted, self._failed_item(model.stream, frame, strata[ITEM]))
        return frame, counted

    def _failed_item(self, stream: str, frame: pd.DataFrame, item: str) -> FloatArray:
        """Return how often each record has failed an item on file."""
        items = self._ctx.store.read_items(stream, record_ids=frame["record_id"].tolist())
        bad = (items["verdict"].astype("object") == "fail") & (items["item"].astype("object").fillna("").astype(str).str.strip() == item)
        counts = items.loc[bad.to_numpy(dtype=np.bool_), "record_id"].value_counts()
        return np.asarray(frame["record_id"].map(counts).fillna(0.0), dtype=np.float64)

    def _of_term(self, model: ModelDefinition, frame: pd.DataFrame, stratum: str) -> tuple[pd.DataFrame, FloatArray]:
        """Return the records that hold a term, found as the model found it: texts are scrubbed and cut in its way."""
        if model.name not in self._terms:
            self._terms[model.name] = model_terms(self._ctx, model, window(self._ctx, model, self._fresh))
        found, term = self._terms[model.name], stratum.removeprefix(f"{STRATUM}=")
        if term not in found.corpus.terms:
            return frame.iloc[:0], np.zeros(0)
        rows = found.corpus.matrix[:, found.corpus.terms.index(term)].nonzero()[0]
        frame = frame.loc[frame["record_id"].isin(found.records["record_id"].to_numpy()[rows])]
        if model.terms is not None and model.terms.counted:
            return frame, (frame[model.terms.counted].to_numpy(dtype=np.float64, na_value=0.0) > 0).astype(np.float64)
        return frame, np.ones(len(frame))


def _within(frame: pd.DataFrame, fields: tuple[str, ...], code: str, tree: Tree | None) -> BoolArray:
    """Return which records have a code within ``code`` in any of these fields; of the uncoded ones, those without a known code."""
    columns = [frame[name].astype("object").fillna("").astype(str) for name in fields]
    if tree is None:
        hits = [(column == code).to_numpy(dtype=np.bool_) for column in columns]
    elif code == UNCODED:
        return np.asarray(np.logical_and.reduce([~tree.contains(column) for column in columns]), dtype=np.bool_)
    else:
        hits = [tree.is_within(column, code) for column in columns]
    return np.asarray(np.logical_or.reduce(hits), dtype=np.bool_)


def _strata(names: list[str], stratum: str) -> dict[str, str]:
    """Return field -> value of "selection=random, item=lead"; a value may itself hold commas and signs of equality."""
    found = re.fullmatch(", ".join(f"{re.escape(name)}=(.*)" for name in names), stratum, flags=re.DOTALL) if names and stratum else None
    return dict(zip(names, found.groups(), strict=True)) if found else {}
