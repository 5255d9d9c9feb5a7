"""What several sections do alike: floats from frames, enumerations of names with figures, labels of charts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from riskwatch.reports.model import Run, Text
from riskwatch.reports.writer import Field, Figure, Writer, both

__all__ = ["Listed", "enumerate_names", "floats", "grade_word", "names_of", "say_list", "shorten"]

FloatArray = npt.NDArray[np.float64]
Listed = tuple[Text, Sequence[Figure]]


def floats(frame: pd.DataFrame, name: str) -> FloatArray:
    """Return a column as floats, NaN where missing."""
    return pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def names_of(writer: Writer, kind: str, codes: Sequence[object]) -> list[Text]:
    """Return the names of codes."""
    return [writer.name(kind, code) for code in codes]


def shorten(text: str, size: int = 26) -> str:
    """Return ``text`` cut to about ``size`` half-width columns, for a chart's label."""
    width, kept = 0, ""
    for char in text:
        width += 2 if ord(char) > 0x2E7F else 1
        if width > size:
            return kept.rstrip() + "…"
        kept += char
    return kept


def enumerate_names(texts: Sequence[Text], most: int = 6) -> Text:
    """Return "A, B and C" in both languages, "and n others" beyond ``most``."""
    shown = list(texts[:most])
    more = len(texts) - len(shown)
    zh = "、".join(text.zh for text in shown) + (f"等 {len(texts)} 项" if more else "")
    en = ", ".join(text.en for text in shown) + (f" and {more} more" if more else "")
    return both(zh, en)


def say_list(writer: Writer, zh: str, en: str, entries: Sequence[Listed], *pattern: str, **fields: Field) -> None:
    """Add one sentence that lists names with their figures.

    Parameters
    ----------
    writer : Writer
    zh, en : str
        The sentence, with ``{list}`` where the entries stand.
    entries : sequence of (Text, sequence of Figure)
    *pattern : str
        One entry in Chinese and in English: ``{name}``, and ``{0}``, ``{1}`` … for its figures.
    **fields
        Other fields of the sentence.
    """
    pattern_zh, pattern_en = pattern
    parts_zh, parts_en = [], []
    given: dict[str, Field] = dict(fields)
    for place, (name, figures) in enumerate(entries):
        given[f"n{place}"] = name
        one_zh, one_en = pattern_zh.replace("{name}", f"{{n{place}}}"), pattern_en.replace("{name}", f"{{n{place}}}")
        for number, figure in enumerate(figures):
            given[f"f{place}_{number}"] = figure
            one_zh, one_en = (text.replace(f"{{{number}}}", f"{{f{place}_{number}}}") for text in (one_zh, one_en))
        parts_zh.append(one_zh)
        parts_en.append(one_en)
    writer.say_with(zh.replace("{list}", "；".join(parts_zh)), en.replace("{list}", "; ".join(parts_en)), given)


def grade_word(writer: Writer, grade: str) -> Text:
    """Return the words for a level."""
    return writer.inputs.grades.get(grade, both(grade, grade))


def plain(runs: Sequence[Run]) -> str:
    """Return runs as text."""
    return "".join(run.text for run in runs)
