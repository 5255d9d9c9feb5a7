"""Notices -> codes of the product tree: by their own code, or by what their category and text say."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import pandas as pd

from riskwatch.outside.rules import MatchRules

__all__ = ["MATCHED", "match"]

MATCHED = ("notice", "product", "how", "entry")
"""Columns of a match: row of the notice (its place, from 0), code, ``own-code`` or ``reading``, place of the entry (-1 for own codes)."""


def _text(frame: pd.DataFrame, column: str) -> pd.Series:
    if column not in frame.columns:
        return pd.Series("", index=frame.index, dtype=object)
    known = frame[column].astype("object")
    return known.where(known.notna(), "").astype(str)


def _read(texts: Sequence[str], entries: Sequence[tuple[int, re.Pattern[str] | None]]) -> int:
    """Return the place of the first entry that fits a text, texts in turn; entries without a pattern fit the last; -1 for none."""
    for turn, text in enumerate(texts, start=1):
        for place, pattern in entries:
            if pattern.search(text) if pattern is not None else turn == len(texts):
                return place
    return -1


def match(notices: pd.DataFrame, rules: MatchRules, *, goods: Collection[str]) -> pd.DataFrame:
    """Match each notice to codes of the product tree.

    A notice whose own code is a good here is matched to it. Any other is read: of its fields in turn (``rules.read``), the text up to
    ``rules.stop``, the first entry that fits; an entry without words fits any text and is tried after the words of every field.

    Parameters
    ----------
    notices : DataFrame
        ``system``, ``product`` (its own code) and the fields that are read.
    rules : MatchRules
    goods : collection of str
        Codes of goods that are checked, hurt people or are made here: a branch that holds nothing but notices is none.

    Returns
    -------
    DataFrame
        Columns :data:`MATCHED`, in order of notices; one with several codes has several rows, one that fits nothing has none.
    """
    frame = notices.reset_index(drop=True)
    systems = _text(frame, "system").to_numpy(dtype=object)
    own = _text(frame, "product").to_numpy(dtype=object)
    known = set(goods)
    stop = re.compile(rules.stop, re.IGNORECASE)
    patterns = [re.compile(entry.words, re.IGNORECASE) if entry.words else None for entry in rules.entries]
    matches: list[tuple[int, str, str, int]] = []
    kinds: dict[tuple[str, str], list[int]] = {}
    for row, kind in enumerate(zip(systems.tolist(), own.tolist(), strict=True)):
        kinds.setdefault(kind, []).append(row)
    for (system, code), rows in sorted(kinds.items()):
        if code in known:
            matches += [(row, code, "own-code", -1) for row in rows]
            continue
        able = [
            (place, pattern)
            for place, (entry, pattern) in enumerate(zip(rules.entries, patterns, strict=True))
            if system in entry.systems and (not entry.categories or code in entry.categories)
        ]
        columns = [_text(frame, column).to_numpy(dtype=object)[rows] for column in rules.read.get(system, ("title",))]
        read: dict[tuple[str, ...], int] = {}
        for row, texts in zip(rows, zip(*columns, strict=True), strict=True):
            if texts not in read:
                read[texts] = _read([stop.split(text, maxsplit=1)[0] for text in texts], able)
            place = read[texts]
            matches += [(row, one, "reading", place) for one in (rules.entries[place].codes if place >= 0 else ()) if one in known]
    return pd.DataFrame(sorted(matches), columns=list(MATCHED))
