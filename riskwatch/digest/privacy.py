r"""What may leave the store: a whitelist of facts, small-cell suppression, and a last scrub of texts.

Free text never enters a digest. Facts pass by name and type only (:data:`INTEGER_FACTS`, age bands, failed test items); sentences
come from configuration and are scrubbed of identifiers all the same, in case a template was fed with a record's field.

Sources: 个人信息保护法 arts. 28, 51, 73 and the rules of DOMAIN §5 (age in bands, no cell under 5, complementary suppression).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from riskwatch.assessment.types import Assessment
from riskwatch.texts.scrub import scrub_identities

__all__ = [
    "AGE_BANDS",
    "MASK",
    "MIN_CELL",
    "KnownFigures",
    "age_bands",
    "clean",
    "guarded",
    "guarded_parts",
    "integer_fact",
    "item_counts",
    "known_figures",
    "scrub",
]

AGE_BANDS = ("0-4", "5-9", "10-14", "15-24", "25-44", "45-64", "65+")
MIN_CELL = 5
MASK = "***"

# Identifiers as they are written in China: identity card, social credit code, mobile and fixed phones, mail, bank card, plates. The
# decimals of a figure are none.
_IDENTIFIERS = tuple(
    re.compile(pattern)
    for pattern in (
        r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
        r"(?<![0-9A-Za-z])(?<!\d\.)\d{17}[0-9Xx](?![0-9A-Za-z])",
        r"(?<![0-9A-Za-z])(?<!\d\.)\d{6}(?:18|19|20)\d{2}[01]\d[0-3]\d\d{3}[0-9Xx]",
        r"(?<![0-9A-Za-z])(?<!\d\.)[1-9AN][0-9]\d{6}[0-9A-HJ-NPQRTUWXY]{10}(?![0-9A-Za-z])",
        r"(?<!\d)(?<!\d\.)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)",
        r"(?<!\d)0\d{2,3}[- ]\d{7,8}(?!\d)",
        r"(?<!\d)(?<!\d\.)\d{16,19}(?!\d)",
        r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z][·• ]?[A-Z0-9]{5,6}(?![A-Za-z0-9])",
    )
)
# Bidirectional overrides can make a line read otherwise than it is stored.
_BIDI = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def clean(text: str, *, limit: int = 300) -> str:
    """Return ``text`` on one line, without control or bidirectional characters, at most ``limit`` characters long."""
    kept = "".join(" " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char for char in text[: limit * 4] if char not in _BIDI)
    kept = " ".join(kept.split())
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


# The same names and messages stand in the digests of all centres.
@lru_cache(maxsize=65_536)
def scrub(text: str, *, limit: int = 300) -> str:
    """Return :func:`clean` ``text`` with anything that looks like an identifier masked.

    Names of people cannot be told from other words by pattern: they are kept out by never passing free text, not by this function.
    """
    for pattern in _IDENTIFIERS:
        text = pattern.sub(MASK, text)
    return clean(text, limit=limit)


@lru_cache(maxsize=65_536)
def guarded(text: str) -> str:
    """Return ``text`` with every identifier masked: numbers, addresses, plates, and names, firms, schools and hospitals where words tell.

    The boundary: every text of a digest or report passes it when the document is made or read back (:class:`riskwatch.digest.parts.Part`),
    whichever way the text came. It changes nothing in texts without identifiers, and nothing the second time.
    """
    for pattern in _IDENTIFIERS:
        text = pattern.sub(MASK, text)
    return scrub_identities(text)


# Names of our own for our own things: hashes and paths, in which digits may stand as they like.
_OUR_NAMES = frozenset(
    {
        *("warning_id", "warning_ids", "case_id", "silence_id", "event_id", "fingerprint", "matches", "leading", "id", "run_id"),
        *("covered_by", "previous", "takes_over", "merged_into", "hidden_by", "head", "hash", "previous_hash"),
        *("message_key", "trace", "definitions", "colour", "room", "path", "files", "png"),
    }
)


def guarded_parts(value: Any, field: str = "") -> Any:
    """Return a value with every text in it guarded: texts, and lists, tuples and mappings of them at any depth; all else as it is.

    Parameters
    ----------
    value : object
        A field of a document, or JSON.
    field : str
        Its name: names of riskwatch's own things are left alone.
    """
    if field in _OUR_NAMES:
        return value
    if isinstance(value, str):
        return guarded(value)
    if isinstance(value, (tuple, list)):
        kept = [guarded_parts(item, field) for item in value]
        return value if all(new is old for new, old in zip(kept, value, strict=True)) else type(value)(kept)
    if isinstance(value, Mapping):
        return {guarded(key) if isinstance(key, str) else key: guarded_parts(item, str(key)) for key, item in value.items()}
    return value


@dataclass(frozen=True, slots=True)
class KnownFigures:
    """All that may be taken from the facts and scope figures of an assessment."""

    died: int | None = None
    admitted: int | None = None
    prefectures: int | None = None
    counties: int | None = None
    producers: int | None = None
    units_in_use: int | None = None
    age_bands: tuple[tuple[str, int | None], ...] = ()
    failed_items: tuple[tuple[str, int], ...] = ()


def known_figures(assessment: Assessment | None) -> KnownFigures:
    """Return the whitelisted figures of an assessment; everything else in its facts stays behind.

    Read from ``facts`` (``injuries``: ``deaths``, ``by_outcome``, ``age_bands``; ``spot_checks``: ``items``, ``producers_failed``;
    ``units_in_use``) and ``scope_figures`` (``touched``: regions at the level of spread; ``counties``, ``producers``), by name and type.
    """
    if assessment is None:
        return KnownFigures()
    facts, scope = assessment.facts, assessment.scope_figures
    injuries, checks = _part(facts, "injuries"), _part(facts, "spot_checks")
    return KnownFigures(
        died=integer_fact(injuries, "deaths", "died"),
        admitted=integer_fact(_part(injuries, "by_outcome"), "admitted") if injuries else None,
        prefectures=integer_fact(scope, "touched", "prefectures"),
        counties=integer_fact(scope, "counties"),
        producers=integer_fact(checks, "producers_failed") or integer_fact(scope, "producers"),
        units_in_use=integer_fact(facts, "units_in_use"),
        age_bands=age_bands(injuries.get("age_bands")),
        failed_items=item_counts(checks.get("items")),
    )


def _part(facts: Mapping[str, object], name: str) -> dict[str, object]:
    value = facts.get(name)
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else {}


def integer_fact(facts: Mapping[str, object], *names: str) -> int | None:
    """Return the first of ``names`` in ``facts`` that is a non-negative whole number; None otherwise (text never passes)."""
    for name in names:
        value = facts.get(name)
        if isinstance(value, bool):
            continue
        if isinstance(value, int) and value >= 0:
            return value
        if isinstance(value, float) and value >= 0 and value.is_integer():
            return int(value)
    return None


def age_bands(value: object) -> tuple[tuple[str, int | None], ...]:
    """Return counts by age band with small cells suppressed.

    Parameters
    ----------
    value : mapping of band to count
        Bands outside :data:`AGE_BANDS` are dropped; the dash may be an en dash. None is a cell that was suppressed before.

    Returns
    -------
    tuple of (band, count or None)
        None marks a suppressed cell: 1 to 4, and, where exactly one was suppressed, the next smallest too, so that it cannot be
        recovered from the total. Empty if nothing usable came or all cells would be suppressed.
    """
    if not isinstance(value, Mapping):
        return ()
    counts = dict.fromkeys(AGE_BANDS, 0)
    hidden: set[str] = set()
    for band, number in value.items():
        name = str(band).replace("\u2013", "-")
        if name not in counts:
            continue
        if number is None:
            hidden.add(name)
        elif isinstance(number, int) and not isinstance(number, bool) and number >= 0:
            counts[name] += number
    hidden |= {band for band, count in counts.items() if 0 < count < MIN_CELL}
    if len(hidden) == 1:
        others = sorted((count, band) for band, count in counts.items() if count > 0 and band not in hidden)
        hidden |= {others[0][1]} if others else set()
    shown = tuple((band, None if band in hidden else count) for band, count in counts.items() if count > 0 or band in hidden)
    return shown if any(count is not None for _, count in shown) else ()


def item_counts(value: object, *, most: int = 3) -> tuple[tuple[str, int], ...]:
    """Return the failed test items with the highest counts, scrubbed and cut to 40 characters; test items are not personal.

    ``value`` is a list of mappings with ``item`` and ``failed``.
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    rows = [{str(key): item for key, item in row.items()} for row in value if isinstance(row, Mapping)]
    pairs = [(scrub(str(row["item"]), limit=40), integer_fact(row, "failed") or 0) for row in rows if row.get("item")]
    return tuple(sorted((pair for pair in pairs if pair[1] > 0), key=lambda pair: (-pair[1], pair[0]))[:most])
