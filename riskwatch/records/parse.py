"""Raw rows in, typed records and the reasons for what was turned away out.

The work is done once per distinct value of each column (:mod:`riskwatch.records.columns`); rows only carry numbers until the
frame is put together. No row is lost: each is a record, is merged into one, or is in ``rejected``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from riskwatch.dimensions import Tree
from riskwatch.errors import RecordError
from riskwatch.records.batch import Batch
from riskwatch.records.columns import Typed, recode
from riskwatch.records.frames import frame_of, text_column
from riskwatch.records.hashing import row_words
from riskwatch.records.headers import check_fields
from riskwatch.records.rejects import Rejects
from riskwatch.records.rules import row_rules, text_values
from riskwatch.records.source import SourceLike
from riskwatch.records.streams import STREAMS, Stream

__all__ = ["Parsed", "parse"]


@dataclass(frozen=True, eq=False)
class Parsed:
    """What became of one batch.

    Attributes
    ----------
    records : DataFrame
        One row per record in the order of the file: the stream's fields, ``row_no`` and ``known_on``. Codes, choices and other
        texts are categoricals (``record_key`` is text), dates ``datetime64[s]``, counts and numbers int64 or float64, yes/no ``boolean``.
    items : DataFrame
        ``record_key``, ``item_no`` (1, 2, … within a record), the stream's item fields, and ``row_no`` of the owning record.
    rejected : DataFrame
        ``row_no, field, rule, value, message``: one line for each rule that a row breaks. ``value`` is cut at 80 characters;
        ``message`` never repeats a value of a personal field.
    merged : DataFrame
        ``row_no, into, reason``: rows that are no record of their own: ``duplicate`` of the row ``into``, or an ``item`` added to it.
    notes : tuple of str
        Headers that nobody mapped, optional columns that are not there, codes that were kept as missing.
    """

    records: pd.DataFrame
    items: pd.DataFrame
    rejected: pd.DataFrame
    merged: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def duplicates(self) -> int:
        """Number of rows that repeat an earlier row of the batch."""
        return int((self.merged["reason"] == "duplicate").sum())


def parse(table: pa.Table, source: SourceLike, trees: Mapping[str, Tree], *, today: dt.date, first_row: int = 0) -> Parsed:
    """Turn raw rows into records of the source's stream.

    Parameters
    ----------
    table : pyarrow.Table
        Text columns with headers as found; nulls are missing values.
    source : SourceLike
        Mapping of headers, values and codes to the stream's fields.
    trees : mapping of str to Tree
        By dimension. Codes of a dimension without a tree are taken unchecked, with a note.
    today : date
        Day of the run; later dates are rejected.
    first_row : int
        Number of the table's first row: ``row_no`` counts from it. 0 numbers rows within the table, which is what the store wants
        (it adds the batch's first row itself); ``batch.first_row`` numbers them within the file.

    Returns
    -------
    Parsed

    Raises
    ------
    RecordError
        If the stream is unknown, the source maps something that is no field of it, the table has no columns, a required field is
        mapped to no column that is there, a constant breaks a rule, or a header stands twice.

    Examples
    --------
    >>> parse(batch.table, source, trees, today=dt.date(2021, 12, 31)).records  # doctest: +SKIP
    """
    stream = STREAMS.get(source.stream)
    if stream is None:
        raise RecordError(f"source {source.name!r}: stream {source.stream!r} is unknown", hint=f"streams: {', '.join(STREAMS)}")
    check_fields(source, stream)
    batch = Batch(table, source, stream, trees, today)
    rejects = Rejects(table.num_rows, first_row)
    columns = _read_fields(batch, rejects)
    key = columns["record_key"]
    items = _read_items(batch, columns, rejects)
    _check_rows(columns, rejects)
    known = _known_on(batch, columns, rejects)

    good = rejects.kept()
    into, reason = _merge(columns, items, known=known, good=good, rejects=rejects)
    alone = np.flatnonzero((into == np.arange(len(into))) & ~rejects.bad)
    extra = {"row_no": alone + first_row, "known_on": known[alone]}
    records = frame_of(stream.all_fields, columns, alone, keys={"record_key": text_column(key, alone)}, extra=extra)
    merged_rows = np.flatnonzero(reason != "")
    merged = pd.DataFrame(
        {"row_no": merged_rows + first_row, "into": into[merged_rows] + first_row, "reason": pd.Series(reason[merged_rows], dtype="str")}
    )
    return Parsed(
        records, _items_frame(stream, items, key, into=into, reason=reason, rejects=rejects), rejects.frame(), merged, tuple(batch.notes)
    )


def _read_fields(batch: Batch, rejects: Rejects) -> dict[str, Typed]:
    """Read all fields of the stream; the event date first, since moved codes depend on it."""
    fields = {field.name: field for field in batch.stream.all_fields}
    columns: dict[str, Typed] = {}
    event = batch.read_field(fields.pop("event_date"), rejects)
    if event is not None:  # always: the field is required
        columns["event_date"] = event
        batch.event_dates = event.rows()
    columns["record_key"] = batch.read_key(fields.pop("record_key"), rejects)
    for name, field in fields.items():
        typed = batch.read_field(field, rejects)
        if typed is not None:
            columns[name] = typed
    industry = _fill_industry(columns, batch.trees)
    if industry is not None:
        columns["industry"] = industry
    return columns


def _fill_industry(columns: Mapping[str, Typed], trees: Mapping[str, Tree]) -> Typed | None:
    """Return the industry column with gaps filled from the product tree's ``industry`` attribute; None if there is nothing to add."""
    product, tree = columns.get("product"), trees.get("product")
    if product is None or tree is None or "industry" not in tree.attributes.columns or not len(product.values):
        return None
    of_product = tree.attribute(product.values.to_numpy(zero_copy_only=False), "industry")
    if "industry" in trees:
        of_product = np.where(trees["industry"].contains(of_product), of_product, "")
    rows = np.append(of_product, "")[product.indices]
    own = columns.get("industry")
    if own is not None:
        rows = np.where(own.indices >= 0, own.rows(), rows)
    numbers, texts = pd.factorize(np.asarray(rows, dtype=object))
    coded = recode(
        numbers.astype(np.int32), pc.if_else(pc.equal(pa.array(texts, type=pa.string()), ""), None, pa.array(texts, type=pa.string()))
    )
    return Typed("text", coded.indices, coded.texts, {})


def _read_items(batch: Batch, columns: Mapping[str, Typed], rejects: Rejects) -> dict[str, Typed]:
    """Read the item of each row; an item without a verdict has the record's."""
    if not batch.source.items:
        return {}
    items = {field.name: batch.read_item(field, rejects) for field in batch.stream.items}
    named = items["item"].indices >= 0
    filled = np.logical_or.reduce(
        [items[name].indices >= 0 for name in batch.source.items if name not in {"item", "verdict"}] or [~named & False]
    )
    rejects.add(np.flatnonzero(filled & ~named), "items.item", "missing", None, "is required where the row has other values of an item")
    verdict, whole = items["verdict"], columns.get("verdict")
    if whole is not None and (named & (verdict.indices < 0)).any():
        indices = np.where(verdict.indices >= 0, verdict.indices, np.where(whole.indices >= 0, whole.indices + len(verdict.values), -1))
        coded = recode(indices.astype(np.int32), pa.concat_arrays([verdict.values, whole.values]))
        items["verdict"] = Typed("text", coded.indices, coded.texts, {})
    rejects.add(
        np.flatnonzero(named & (items["verdict"].indices < 0)),
        "items.verdict",
        "missing",
        None,
        "is required for an item where the record has no verdict either",
    )
    return items


def _check_rows(columns: Mapping[str, Typed], rejects: Rejects) -> None:
    """Apply the rules between fields, as masks over rows; a value that is wrong by itself is not held against another."""
    rules = row_rules(frozenset(columns))
    needed = {name for rule in rules for name in (rule.field, rule.other)}
    values = {name: _plain(name, columns[name]) for name in needed}
    for rule in rules:
        rows = np.flatnonzero(rule.broken(values) & ~rejects.of(rule.field) & ~rejects.of(rule.other))
        if rows.size:
            blamed, against = (_show(columns[name], rows) for name in (rule.field, rule.other))
            shown = [f"{value} ({rule.other} {other})" for value, other in zip(blamed, against, strict=True)]
            rejects.add_values(rows, rule.field, rule.name, shown, rule.asks)


def _plain(name: str, typed: Typed) -> npt.NDArray[Any]:
    """Return rows as rules between fields want them."""
    if typed.kind != "text":
        return typed.rows()
    return np.asarray(text_values(name, [*typed.values.to_pylist(), None])[typed.indices])


def _show(typed: Typed, rows: npt.NDArray[np.int64]) -> list[str]:
    values = typed.values if typed.kind != "text" else np.array(typed.values.to_pylist(), dtype=object)
    at = typed.indices[rows]
    if typed.kind == "date":
        return [str(day) for day in values[at].astype("datetime64[D]")]
    return [f"{value:g}" if isinstance(value, float) else str(value) for value in values[at].tolist()]


def _known_on(batch: Batch, columns: Mapping[str, Typed], rejects: Rejects) -> npt.NDArray[np.datetime64]:
    """Return the day on which each row became known by the source's rule; NaT: on arrival."""
    rule = batch.source.known_at
    if rule.field is not None:
        typed = columns[rule.field] if rule.field in columns else batch.read_date(rule.field, rejects)
        return np.asarray(typed.rows())
    if rule.event_date_plus_days is not None:
        return np.asarray(columns["event_date"].rows() + np.timedelta64(rule.event_date_plus_days, "D"))
    return np.full(rejects.rows, np.datetime64("NaT", "s"), dtype="datetime64[s]")


def _merge(
    columns: Mapping[str, Typed],
    items: Mapping[str, Typed],
    *,
    known: npt.NDArray[np.datetime64],
    good: npt.NDArray[np.int64],
    rejects: Rejects,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.object_]]:
    """Fold rows of one key and known date together, and reject those that contradict the first.

    Returns
    -------
    into : array of int, shape (rows,)
        Position of the row that a row belongs to, its own for most.
    reason : array of str, shape (rows,)
        '' , ``duplicate`` or ``item``.
    """
    into = np.arange(rejects.rows)
    reason = np.full(rejects.rows, "", dtype=object)
    key = columns["record_key"]
    times = np.bincount(key.indices[good], minlength=len(key.values))
    again = good[times[key.indices[good]] > 1]
    if not again.size:
        return into, reason
    rows = pd.DataFrame({"at": again, "key": key.indices[again], "known": known[again].astype(np.int64)})
    rows["content"] = row_words({name: typed for name, typed in columns.items() if name != "record_key"}, again)
    rows["item"] = row_words(items, again)
    rows["named"] = items["item"].indices[again] >= 0 if items else False
    first = rows.groupby(["key", "known"], sort=False)[["at", "content"]].transform("first")
    differs = (rows["content"] != first["content"]).to_numpy()
    key_texts = pc.take(key.values, pa.array(key.indices[again[differs]])).to_pylist()
    why = "is that of an earlier row of the batch with other content and the same known date"
    rejects.add_values(again[differs], "record_key", "duplicate-key", key_texts, why, personal=True)
    rows, first = rows[~differs], first[~differs]
    repeated = rows.duplicated(["key", "known", "item"]) | ~rows["named"]
    later = (rows["at"] != first["at"]).to_numpy()
    at = rows["at"].to_numpy()[later]
    into[at] = first["at"].to_numpy()[later]
    reason[at] = np.where(repeated.to_numpy()[later], "duplicate", "item")
    return into, reason


def _items_frame(
    stream: Stream,
    items: Mapping[str, Typed],
    key: Typed,
    *,
    into: npt.NDArray[np.int64],
    reason: npt.NDArray[np.object_],
    rejects: Rejects,
) -> pd.DataFrame:
    """Return the items of all records, numbered within each."""
    rows = np.flatnonzero(~rejects.bad & (reason != "duplicate") & (items["item"].indices >= 0)) if items else np.zeros(0, dtype=np.int64)
    rows = rows[np.argsort(into[rows], kind="stable")]
    owner = into[rows]
    numbers = pd.Series(owner).groupby(owner).cumcount().to_numpy(dtype=np.int64) + 1
    keys = {"record_key": text_column(key, rows), "item_no": numbers}
    return frame_of(stream.items, items, rows, keys=keys, extra={"row_no": owner + rejects.first_row})
