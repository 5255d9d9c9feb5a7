"""Read the fields of one batch: header, cleaning, value map, type, codes and the schema's verdict, rejecting rows as it goes."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from riskwatch.dimensions import Tree, is_pseudo_region
from riskwatch.errors import RecordError
from riskwatch.records.columns import (
    Coded,
    Typed,
    clean,
    encode,
    fill,
    map_values,
    recode,
    to_booleans,
    to_codes,
    to_dates,
    to_moments,
    to_numbers,
    to_texts,
    without,
)
from riskwatch.records.headers import Headers, aliases_of
from riskwatch.records.rejects import Rejects, shorten
from riskwatch.records.schema import broken_rules, field_schema, only_length
from riskwatch.records.source import SourceLike
from riskwatch.records.streams import Field, Stream

__all__ = ["Batch"]

Mask = npt.NDArray[np.bool_]
_KEY_GLUE = "|"
_OFFSETS = 2**31 - 2**20


class Batch:
    """One table and what is needed to read it.

    Parameters
    ----------
    table : pyarrow.Table
        Raw rows.
    source : SourceLike
        The mapping.
    stream : Stream
        The source's stream.
    trees : mapping of str to Tree
        By dimension.
    today : date
        Day of the run.
    """

    def __init__(self, table: pa.Table, source: SourceLike, stream: Stream, trees: Mapping[str, Tree], today: dt.date) -> None:
        self.table, self.source, self.stream, self.trees, self.today = table, source, stream, trees, today
        self.headers = Headers(table.column_names, source)
        self.notes: list[str] = self.headers.unknown()
        self.event_dates: npt.NDArray[np.datetime64] | None = None
        self._encoded: dict[tuple[int, bool], Coded] = {}
        self._raw: dict[int, Any] = {}
        for dimension in sorted({field.tree for field in stream.all_fields} - {"", *trees}):
            if any(field.tree == dimension and field.name in source.columns for field in stream.all_fields):
                self.notes.append(f"there is no {dimension} tree: {dimension} codes are taken unchecked")

    # --- raw columns ------------------------------------------------------------------------------------------------

    def raw(self, place: int | None) -> Any:
        """Return a raw column as one arrow array; None for a field without a column."""
        if place is None:
            return None
        if place not in self._raw:
            column = self.table.column(place)
            if column.nbytes >= _OFFSETS and pa.types.is_string(column.type):
                column = column.cast(pa.large_string())  # 32-bit offsets reach 2 GiB
            self._raw[place] = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], type=column.type)
        return self._raw[place]

    def _coded(self, place: int | None, *, half_width: bool) -> Coded:
        if place is None:
            return Coded(np.full(self.table.num_rows, -1, dtype=np.int32), pa.array([], type=pa.string()))
        if (place, half_width) not in self._encoded:
            self._encoded[place, half_width] = clean(encode(self.raw(place)), half_width=half_width)
        return self._encoded[place, half_width]

    # --- fields -----------------------------------------------------------------------------------------------------

    def read_field(self, field: Field, rejects: Rejects) -> Typed | None:
        """Read a field of the record; None where the source has neither a column nor a constant for it.

        Raises
        ------
        RecordError
            If it is required and cannot be had.
        """
        source = self.source
        place = None
        if field.name in source.columns:
            aliases = aliases_of(source.columns[field.name])
            place = self.headers.place(aliases)
            if place is None and field.name not in source.constants:
                if field.required:
                    raise self.headers.missing(field.name, aliases)
                self.notes.append(f"no column for {field.name!r}: tried {', '.join(map(repr, aliases))}")
        if place is None and field.name not in source.constants:
            rule = source.codes.get(field.name)
            if rule is None or rule.default is None:
                if field.required and field.name not in source.columns:
                    raise RecordError(
                        f"source {source.name!r}: field {field.name!r} is required by stream {self.stream.name!r}, and the source has "
                        "neither a column nor a constant for it",
                        hint=f"add it to columns or constants of source {source.name!r}",
                    )
                return None
        return self._read(field, place, field.name, rejects)

    def read_item(self, field: Field, rejects: Rejects) -> Typed:
        """Read a field of the row's test item; a column that is not there is all missing."""
        entry = self.source.items.get(field.name)
        place = None if entry is None else self.headers.place(aliases_of(entry))
        if entry is not None and place is None:
            self.notes.append(f"no column for 'items.{field.name}': tried {', '.join(map(repr, aliases_of(entry)))}")
        return self._read(field, place, f"items.{field.name}", rejects)

    def read_date(self, header: str, rejects: Rejects) -> Typed:
        """Read a raw column that is no field as a date.

        Raises
        ------
        RecordError
            If the column is not there.
        """
        place = self.headers.place([header])
        if place is None:
            raise self.headers.missing("known_at", [header])
        return self._read(Field(header, "date"), place, header, rejects)

    def _read(self, field: Field, place: int | None, label: str, rejects: Rejects) -> Typed:
        half_width = field.kind != "text" or bool(field.choices)
        coded = self._coded(place, half_width=half_width)
        mapping = self.source.values.get(label, {})
        if half_width and mapping:
            mapping = {unicodedata.normalize("NFKC", raw).strip(): value for raw, value in mapping.items()}
        if field.choices and mapping:
            # A canonical value that also is a missing token ('other' is not, 'unknown' may be) stays what it is.
            mapping = {**{choice: choice for choice in field.choices}, **mapping}
        coded = map_values(coded, mapping, self.source.missing)
        if label in self.source.constants:
            coded = fill(coded, self.source.constants[label])
        typed = self._convert(field, coded, label)
        raw = self.raw(place)
        faults, dropped = self._faults(field, typed, label)
        if place is None and faults:
            rule = next(iter(faults))
            raise RecordError(
                f"source {self.source.name!r}: the constant (or default code) of {label!r} {self._why(field, rule)}",
                hint=f"it is {self.source.constants.get(label) or self.source.codes[label].default!r}",
            )
        for rule, bad in faults.items():
            rows = np.flatnonzero(np.append(bad, False)[typed.indices])
            rejects.add(rows, label, rule, raw, self._why(field, rule), personal=field.personal)
        if bool(field.required) and not label.startswith("items."):
            rejects.add(np.flatnonzero(typed.indices < 0), label, "missing", raw, self._why(field, "missing"), personal=True)
        return typed if dropped is None else without(typed, dropped)

    def _convert(self, field: Field, coded: Coded, label: str) -> Typed:
        if field.kind == "date":
            return to_dates(coded, self.source.date_formats)
        if field.kind == "moment":
            return to_moments(coded, self.source.date_formats)
        if field.kind in {"int", "float"}:
            return to_numbers(coded)
        if field.kind == "bool":
            return to_booleans(coded)
        if field.tree:
            coded = to_codes(coded, self.source.codes.get(label), self.trees.get(field.tree), self.event_dates)
        return to_texts(coded)

    def _faults(self, field: Field, typed: Typed, label: str) -> tuple[dict[str, Mask], Mask | None]:
        """Return what is wrong with each distinct value (the conversion's findings and the schema's), and which codes to leave out."""
        faults = dict(typed.faults)
        if only_length(field, self.trees) and (pc.max(pc.utf8_length(typed.values)).as_py() or 0) <= field.max_length:
            return faults, None  # arrow sees at once that the schema has nothing to object to
        schema = field_schema(field, self.trees, earliest=self.source.earliest, today=self.today)
        if schema is None or not len(typed.values):
            return faults, None
        for rule, places in broken_rules(schema, typed.series()).items():
            bad = np.zeros(len(typed.values), dtype=np.bool_)
            bad[places] = True
            faults[rule] = bad
        unknown = faults.get("unknown-code")
        if unknown is None:
            return faults, None
        code_rule = self.source.codes.get(label)
        if code_rule is not None and code_rule.unknown == "keep-missing":
            del faults["unknown-code"]
            count = int(np.append(unknown, False)[typed.indices].sum())
            some = ", ".join(shorten(typed.values.filter(pa.array(unknown)).slice(0, 5)).to_pylist())
            self.notes.append(f"{label}: {count} rows have one of {int(unknown.sum())} unknown codes ({some}) and were kept without")
            return faults, unknown
        if field.tree == "region":
            texts = np.asarray(typed.values.to_numpy(zero_copy_only=False), dtype=object)
            pseudo = unknown & is_pseudo_region(texts)
            if pseudo.any():
                faults["pseudo-region"], faults["unknown-code"] = pseudo, unknown & ~pseudo
        return faults, None

    def _why(self, field: Field, rule: str) -> str:
        """Say what a rule asks for, with the bounds of this field and source."""
        return {
            "unknown-value": f"must be one of {', '.join(field.choices)}, as written or by values.{field.name} of the source",
            "unknown-code": f"must be in the {field.tree} tree, or have moved to a code that is",
            "pseudo-region": "is a statistical pseudo-region (ends in 71 to 79), not a division of GB/T 2260: use the county it lies in",
            "not-a-date": f"must be a day that exists, in a format of {', '.join(self.source.date_formats)}",
            "not-a-moment": f"must be a day that exists, in a format of {', '.join(self.source.date_formats)}, the time as 14:05",
            "too-early": f"must not be before {self.source.earliest} (1970-01-01 is often an empty date)",
            "in-future": f"must not be after the day of the run, {self.today}",
            "not-a-number": "must be a number",
            "not-finite": "must be a finite number",
            "not-an-integer": "must be a whole number",
            "below-minimum": f"must be at least {field.minimum}",
            "above-maximum": f"must be at most {field.maximum}",
            "not-a-boolean": "must be yes or no (true, 1, 是; false, 0, 否)",
            "too-long": f"must have at most {field.max_length} characters",
            "control-characters": "must hold no control characters and no marks that turn the direction of writing",
            "credit-code-checksum": "looks like a unified social credit code, and its check characters are wrong (GB 32100-2015)",
            "missing": "is required and has no value",
        }[rule]

    # --- key --------------------------------------------------------------------------------------------------------

    def read_key(self, field: Field, rejects: Rejects) -> Typed:
        """Read the natural key: ``record_key`` if it has a column, else the source's key columns joined with ``|``.

        A key is missing if all its parts are.

        Raises
        ------
        RecordError
            If a key column is not there.
        """
        if field.name in self.source.columns and tuple(self.source.key) in {(field.name,), ()}:
            typed = self.read_field(field, rejects)
            if typed is not None:
                return typed
        parts = [self._key_part(name) for name in self.source.key]
        if len(parts) == 1:
            return self._read_coded_key(field, parts[0], rejects)
        texts = [pa.array(part.indices, mask=part.indices < 0).cast(pa.int32()) for part in parts]
        columns = [pc.fill_null(pc.take(part.texts, at), "") for part, at in zip(parts, texts, strict=True)]
        joined = pc.binary_join_element_wise(*columns, _KEY_GLUE)
        none = np.logical_and.reduce([part.indices < 0 for part in parts])
        if none.any():
            joined = pc.if_else(pa.array(none), pa.scalar(None, pa.string()), joined)
        return self._read_coded_key(field, encode(joined), rejects)

    def _key_part(self, name: str) -> Coded:
        aliases: Sequence[str] = aliases_of(self.source.columns[name]) if name in self.source.columns else (name,)
        place = self.headers.place(aliases)
        if place is None:
            if name in self.source.constants:
                return fill(self._coded(None, half_width=True), self.source.constants[name])
            raise self.headers.missing("record_key", aliases)
        return map_values(self._coded(place, half_width=True), {}, self.source.missing)

    def _read_coded_key(self, field: Field, coded: Coded, rejects: Rejects) -> Typed:
        typed = to_texts(recode(coded.indices, coded.texts))
        for rule, bad in self._faults(field, typed, field.name)[0].items():
            shown = pc.take(typed.values, pa.array(typed.indices, mask=typed.indices < 0))
            rows = np.flatnonzero(np.append(bad, False)[typed.indices])
            rejects.add(rows, field.name, rule, shown, self._why(field, rule), personal=True)
        rejects.add(np.flatnonzero(typed.indices < 0), field.name, "missing", None, self._why(field, "missing"))
        return typed
