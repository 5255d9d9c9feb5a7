"""One raw column becomes one typed column: distinct values first, rows by number.

A :class:`Coded` column is its distinct texts and, for each row, the number of its text (-1: no value). Everything that costs
(trimming, dates, numbers, look-ups, the schema's checks) happens once per distinct text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from riskwatch.dimensions import Tree
from riskwatch.records.rules import MOMENT
from riskwatch.records.source import CodeRuleLike
from riskwatch.records.streams import STREAMS

__all__ = ["Coded", "Typed", "clean", "encode", "map_values", "recode", "to_booleans", "to_codes", "to_dates", "to_numbers", "to_texts"]

LONGEST = 1 + max(field.max_length for stream in STREAMS.values() for field in (*stream.all_fields, *stream.items))
"""One character more than any field allows."""

# Without tab, line feed and carriage return; with marks that turn the direction of writing and can disguise a text.
CONTROL = "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x{9f}\\x{202a}-\\x{202e}\\x{2066}-\\x{2069}]"
_INVISIBLE = "[\\x{feff}\\x{200b}\\x{2060}]"
_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?$"
_THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$"
_TIME_OF_DAY = r"[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$"
_CHINESE_CLOCK = re.compile(r"\s*(\d{1,2})[时点](\d{1,2})分?$")
_CLOCK = re.compile(r"[ T](\d{1,2}):(\d{2})(:\d{2}(\.\d+)?)?$")
_TRUE = ("true", "t", "yes", "y", "1", "是", "有")
_FALSE = ("false", "f", "no", "n", "0", "否", "无", "没有")
Indices = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Coded:
    """Distinct texts of a column, shape (texts,), and each row's number among them, shape (rows,), -1 for none."""

    indices: Indices
    texts: Any

    def take(self, table: npt.NDArray[Any], missing: Any) -> npt.NDArray[Any]:
        """Return ``table``'s entry for each row, ``missing`` for rows without a value."""
        return np.append(table, np.array([missing], dtype=table.dtype))[self.indices]


@dataclass(frozen=True, slots=True)
class Typed:
    """A column after conversion.

    Attributes
    ----------
    kind : {"text", "number", "date", "bool"}
        What ``values`` holds.
    indices : array of int32, shape (rows,)
        Each row's place in ``values``; -1 for no value.
    values : array, shape (values,)
        Distinct values: arrow text, float64, ``datetime64[s]`` days, or bool.
    faults : dict of rule to array of bool, shape (values,)
        What the conversion found.
    """

    kind: Literal["text", "number", "date", "bool"]
    indices: Indices
    values: Any
    faults: dict[str, npt.NDArray[np.bool_]]

    def rows(self) -> npt.NDArray[Any]:
        """Return the value of each row: floats with NaN, days with NaT, or texts with ''."""
        if self.kind == "text":
            return np.append(np.asarray(self.values.to_numpy(zero_copy_only=False), dtype=object), "")[self.indices]
        missing: Any = np.datetime64("NaT", "s") if self.kind == "date" else np.nan
        values = self.values.astype(np.float64) if self.kind == "bool" else self.values
        return np.append(values, np.array([missing], dtype=values.dtype))[self.indices]

    def series(self) -> pd.Series:
        """Return the distinct values as a Series, for the schema."""
        return pd.Series(self.values.to_pandas() if self.kind == "text" else self.values)


def encode(column: Any) -> Coded:
    """Encode a raw arrow array (text or dictionary) into distinct texts, cut at :data:`LONGEST`."""
    if not pa.types.is_dictionary(column.type):
        column = _cut(column)
        column = (column if pa.types.is_string(column.type) else column.cast(pa.string())).dictionary_encode()
    texts = column.dictionary if pa.types.is_string(column.dictionary.type) else column.dictionary.cast(pa.string())
    indices = column.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return recode(indices, texts)


def _cut(column: Any) -> Any:
    """Cut texts that no field can hold: the schema's verdict is the same, and looking through megabytes in a cell is saved."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    long = pc.fill_null(pc.greater(pc.binary_length(column), 4 * LONGEST), False)
    if not pc.any(long).as_py():
        return column
    cut = pc.utf8_slice_codeunits(pc.utf8_trim_whitespace(column.filter(long)), 0, LONGEST)
    return pc.replace_with_mask(column, long, cut)


def recode(indices: Indices, texts: Any) -> Coded:
    """Return distinct texts again after they were changed; a null text means no value."""
    again = texts.dictionary_encode()
    if again.null_count == 0 and len(again.dictionary) == len(texts):
        return Coded(indices, texts)
    table = np.append(again.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32), np.int32(-1))
    return Coded(table[indices], again.dictionary)


def clean(coded: Coded, *, half_width: bool) -> Coded:
    """Trim texts and take invisible characters out; with ``half_width``, full-width digits and letters become plain ones."""
    texts = pc.utf8_trim_whitespace(coded.texts)
    if not pc.all(pc.string_is_ascii(texts)).as_py():
        if half_width:
            texts = pc.utf8_normalize(texts, form="NFKC")
        if pc.any(pc.match_substring_regex(texts, _INVISIBLE)).as_py():
            texts = pc.replace_substring_regex(texts, _INVISIBLE, "")
        texts = pc.utf8_trim_whitespace(texts)
    if texts.equals(coded.texts):
        return coded
    return recode(coded.indices, texts)


def map_values(coded: Coded, mapping: Mapping[str, str], missing: Sequence[str]) -> Coded:
    """Apply a value map, then drop missing tokens; a text that maps to '' is missing."""
    texts = coded.texts
    mapped = None
    if mapping:
        at = pc.index_in(texts, pa.array(list(mapping), type=pa.string()))
        mapped = pc.is_valid(at)
        if pc.any(mapped).as_py():
            texts = pc.if_else(mapped, pc.take(pa.array(list(mapping.values()), type=pa.string()), at), texts)
    dropped = pc.is_in(texts, pa.array(list(missing), type=pa.string()))
    if mapped is not None:
        dropped = pc.and_(dropped, pc.invert(mapped))
    dropped = pc.or_(dropped, pc.equal(texts, ""))
    if pc.any(dropped).as_py():
        texts = pc.if_else(dropped, pa.scalar(None, pa.string()), texts)
    return coded if texts is coded.texts else recode(coded.indices, texts)


def _mask(condition: Any) -> npt.NDArray[np.bool_]:
    return np.asarray(condition.to_numpy(zero_copy_only=False), dtype=np.bool_)


def to_texts(coded: Coded) -> Typed:
    """Check a column of text for control characters."""
    control = _mask(pc.match_substring_regex(coded.texts, CONTROL))
    return Typed("text", coded.indices, coded.texts, {"control-characters": control} if control.any() else {})


def to_dates(coded: Coded, formats: Sequence[str]) -> Typed:
    """Read dates with the first format that fits each text; a time of day without zone is cut off.

    A day that does not exist (30 February) fits no format. A format without separators wants all its digits, so that ``2021111``
    is not guessed at.
    """
    texts = coded.texts
    timed = pc.match_substring_regex(texts, _TIME_OF_DAY)
    if pc.any(timed).as_py():
        texts = pc.if_else(timed, pc.replace_substring_regex(texts, _TIME_OF_DAY, ""), texts)
    values = texts.to_numpy(zero_copy_only=False)
    days = np.full(len(values), np.datetime64("NaT", "s"), dtype="datetime64[s]")
    digits = _mask(pc.match_substring_regex(texts, r"^\d*$"))
    length = np.asarray(pc.utf8_length(texts).to_numpy(zero_copy_only=False))
    for date_format in formats:
        todo = np.isnat(days)
        if date_format.replace("%Y", "").replace("%m", "").replace("%d", "") == "":
            todo &= digits & (length == 2 * date_format.count("%") + 2 * date_format.count("%Y"))
        else:
            todo &= ~digits & (length <= 40)
        if todo.any():
            found = pd.to_datetime(pd.Series(values[todo], dtype="str"), format=date_format, errors="coerce")
            days[todo] = found.to_numpy().astype("datetime64[s]")
    bad = np.isnat(days)
    return Typed("date", coded.indices, days, {"not-a-date": bad} if bad.any() else {})


def to_moments(coded: Coded, formats: Sequence[str]) -> Typed:
    """Read days with a time of day (``2025/11/3 14:05``, ``2025年11月3日14时5分``) as ISO text; without a time, the day alone."""
    plain = [
        None if text is None else _CHINESE_CLOCK.sub(lambda found: f" {found[1]}:{found[2]:0>2}", text) for text in coded.texts.to_pylist()
    ]
    texts = pa.array(plain, type=pa.string())
    days = to_dates(Coded(np.arange(len(texts), dtype=np.int32), texts), formats).values.astype("datetime64[D]")
    moments = []
    for written, text, day in zip(coded.texts.to_pylist(), plain, days, strict=True):
        clock = _CLOCK.search(text or "")
        moment = str(day) + (f"T{int(clock[1]):02d}:{clock[2]}" if clock else "")
        moments.append(moment if MOMENT.match(moment) else written)  # what is no moment is shown as it was written
    coded = recode(coded.indices, pa.array(moments, type=pa.string()))
    bad = np.array([not MOMENT.match(text) for text in coded.texts.to_pylist()], dtype=np.bool_)
    return Typed("text", coded.indices, coded.texts, {"not-a-moment": bad} if bad.any() else {})


def to_numbers(coded: Coded) -> Typed:
    """Read decimal numbers; ``1,234`` is one, ``1e400`` becomes infinite, ``nan``, ``0x10`` and ``1_000`` are none."""
    texts = coded.texts
    if pc.any(pc.match_substring(texts, ",")).as_py():
        grouped = pc.match_substring_regex(texts, _THOUSANDS)
        texts = pc.if_else(grouped, pc.replace_substring(texts, ",", ""), texts)
    good = _mask(pc.match_substring_regex(texts, _NUMBER))
    numbers = np.full(len(texts), np.nan)
    numbers[good] = [float(text) for text in texts.filter(pa.array(good)).to_pylist()]
    return Typed("number", coded.indices, numbers, {} if good.all() else {"not-a-number": ~good})


def to_booleans(coded: Coded) -> Typed:
    """Read yes and no in the spellings of both languages."""
    small = pc.utf8_lower(coded.texts)
    true = _mask(pc.is_in(small, pa.array(_TRUE)))
    bad = ~true & ~_mask(pc.is_in(small, pa.array(_FALSE)))
    return Typed("bool", coded.indices, true, {"not-a-boolean": bad} if bad.any() else {})


def to_codes(coded: Coded, rule: CodeRuleLike | None, tree: Tree | None, on: npt.NDArray[np.datetime64] | None) -> Coded:
    """Turn raw texts into today's tree codes: names, padding, prefix, default, then the dated crosswalk.

    Parameters
    ----------
    coded : Coded
        Cleaned texts.
    rule : CodeRuleLike or None
        The source's rule for the field; None takes texts as codes.
    tree : Tree or None
        Tree of the field's dimension, where the profile has one.
    on : array of datetime64, shape (rows,), or None
        Event dates, for moved codes.

    Returns
    -------
    Coded
        Codes; unknown ones stay as they are for the schema to judge.
    """
    if rule is not None:
        coded = _apply_rule(coded, rule, tree)
    if tree is None or on is None or not tree.crosswalk.codes():
        return coded
    moved = _mask(pc.is_in(coded.texts, pa.array(sorted(tree.crosswalk.codes()), type=pa.string())))
    if not moved.any():
        return coded
    rows = np.flatnonzero(np.append(moved, False)[coded.indices])
    written = np.asarray(coded.texts.to_numpy(zero_copy_only=False), dtype=object)[coded.indices[rows]]
    today = pa.array(tree.resolve(written, on[rows]), type=pa.string()).dictionary_encode()
    indices = coded.indices.copy()
    indices[rows] = len(coded.texts) + today.indices.to_numpy()
    # No row has the old texts any more; left in, the schema would judge them.
    texts = pc.if_else(pa.array(moved), pa.scalar(None, pa.string()), coded.texts)
    return recode(indices, pa.concat_arrays([texts, today.dictionary]))


def _apply_rule(coded: Coded, rule: CodeRuleLike, tree: Tree | None) -> Coded:
    named = dict(rule.names)
    if rule.by == "name" and tree is not None:
        named = {**tree.names(rule.level), **named}
    texts = coded.texts
    at = pc.index_in(texts, pa.array(list(named), type=pa.string()))
    direct = pc.is_valid(at)
    if rule.by == "code":
        written = texts
        if rule.width is not None:
            # Spreadsheets turn 220184 into 220184.0 and 0101 into 101.
            written = pc.replace_substring_regex(written, r"^(\d+)\.0$", r"\1")
            digits = pc.match_substring_regex(written, r"^\d+$")
            written = pc.if_else(digits, pc.utf8_lpad(written, width=rule.width, padding="0"), written)
        if rule.prefix:
            written = pc.binary_join_element_wise(rule.prefix, written, "")
        texts = written
    if pc.any(direct).as_py():
        texts = pc.if_else(direct, pc.take(pa.array(list(named.values()), type=pa.string()), at), texts)
    coded = coded if texts is coded.texts else recode(coded.indices, texts)
    return fill(coded, rule.default) if rule.default is not None else coded


def fill(coded: Coded, text: str) -> Coded:
    """Give rows without a value one."""
    if not (coded.indices < 0).any():
        return coded
    indices = np.where(coded.indices < 0, np.int32(len(coded.texts)), coded.indices)
    return recode(indices, pa.concat_arrays([coded.texts, pa.array([text], type=pa.string())]))


def without(typed: Typed, bad: npt.NDArray[np.bool_]) -> Typed:
    """Make the rows of some values missing."""
    return replace(typed, indices=np.where(np.append(bad, False)[typed.indices], np.int32(-1), typed.indices))
