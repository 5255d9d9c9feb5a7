"""The rules that a row must keep, by name: what quarantine shows and the reference lists.

Rules of one field are declared to pandera (:mod:`riskwatch.records.schema`); rules between fields are masks over typed columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["MOMENT", "RULES", "TIMED", "VERDICT", "RowRule", "row_rules", "text_values"]

TIMED = re.compile(r"^\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d$")
"""A moment with its time of day."""

MOMENT = re.compile(r"^\d{4}-\d{2}-\d{2}(T([01]\d|2[0-3]):[0-5]\d)?$")
"""A moment, with or without."""

RULES: dict[str, str] = {
    "missing": "a required field has no value",
    "unknown-value": "the value is neither in the source's value map nor one of the field's choices",
    "unknown-code": "the code (or name) is not in the dimension tree, nor did it move to one that is",
    "pseudo-region": "a statistical pseudo-region (six digits ending in 71 to 79), not a division of GB/T 2260",
    "not-a-date": "no date format of the source fits, or the day does not exist (30 February)",
    "too-early": "the date is before the source's earliest (1970-01-01 is what an empty date becomes in some systems)",
    "in-future": "the date is after the day of the run",
    "not-a-moment": "no date format of the source fits, the day does not exist, or the time of day is beyond 23:59",
    "not-a-number": "the text is not a number",
    "not-finite": "the number is too large for any count or measure (1e400)",
    "not-an-integer": "a count has a fraction (3.5)",
    "below-minimum": "the number is below the field's minimum (a negative count)",
    "above-maximum": "the number is above the field's maximum",
    "not-a-boolean": "the text is neither yes nor no in any known spelling",
    "too-long": "the text is longer than the field allows",
    "control-characters": "the text holds control characters or ones that turn the direction of writing",
    "credit-code-checksum": "the code has the shape of a unified social credit code, and its check characters are wrong",
    "failed-exceeds-inspected": "more samples failed than were inspected",
    "verdict-contradicts-count": "the verdict is fail and no sample failed, or pass and some did",
    "visited-before-event": "the visit is before the injury",
    "reported-before-event": "the report is before the event",
    "received-before-event": "the laboratory had the sample before it was taken",
    "published-before-reported": "the publication is before the report",
    "learned-before-event": "the accident was learned of before it happened",
    "reported-before-learned": "the accident was reported before it was learned of",
    "accepted-before-received": "the complaint was accepted before it came in",
    "closed-before-accepted": "the complaint was closed before it was accepted",
    "refused-exceeds-inspected": "more lots were refused than were inspected",
    "ended-before-start": "the recall ended before it began",
    "deadline-before-notice": "comments were due before the notice was given",
    "duplicate-key": "an earlier row of the batch has the same key and known date, and other content",
}
"""Name of each rule and what breaks it."""

VERDICT = {"pass": 0.0, "fail": 1.0}
"""Numbers that stand for verdicts in :meth:`RowRule.broken`; another or no verdict is NaN."""

_ORDERED = (
    ("event_date", "visited_on", "visited-before-event"),
    ("event_date", "received_on", "received-before-event"),
    ("event_date", "reported_on", "reported-before-event"),
    ("reported_on", "published_on", "published-before-reported"),
    ("event_date", "learned_at", "learned-before-event"),
    ("learned_at", "reported_at", "reported-before-learned"),
    ("event_date", "accepted_on", "accepted-before-received"),
    ("accepted_on", "closed_on", "closed-before-accepted"),
    ("event_date", "ends_on", "ended-before-start"),
    ("event_date", "comment_until", "deadline-before-notice"),
)
_EXCEEDS = {"failed-exceeds-inspected": ("failed", "inspected"), "refused-exceeds-inspected": ("refused", "inspected")}
Columns = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule between fields: ``field`` is the one to blame, ``other`` the one it is held against."""

    name: str
    field: str
    other: str

    @property
    def asks(self) -> str:
        """What the rule asks for, in words."""
        if self.name in _EXCEEDS:
            return f"must not exceed {self.other}"
        if self.name == "verdict-contradicts-count":
            return f"must agree with {self.other}: fail needs one, pass none"
        return f"must not be before {self.other}"

    def broken(self, columns: Columns) -> npt.NDArray[np.bool_]:
        """Tell which rows break the rule; a missing value breaks none.

        Parameters
        ----------
        columns : mapping of str to array, shape (rows,)
            ``field`` and ``other``: days and moments as ``datetime64`` with NaT, counts as float with NaN, verdicts as numbers.
        """
        blamed, against = columns[self.field], columns[self.other]
        if self.name in _EXCEEDS:
            return np.asarray(blamed > against, dtype=np.bool_)
        if self.name == "verdict-contradicts-count":
            return np.asarray(
                ((blamed == VERDICT["fail"]) & (against == 0)) | ((blamed == VERDICT["pass"]) & (against > 0)), dtype=np.bool_
            )
        return np.asarray(blamed < against, dtype=np.bool_)


def text_values(field: str, texts: Sequence[object]) -> npt.NDArray[Any]:
    """Return what :meth:`RowRule.broken` takes for the texts of a field: verdicts as numbers, moments as ``datetime64[s]``.

    A moment without its time of day is NaT: the hour decides, and it is not known.
    """
    if field == "verdict":
        return np.array([VERDICT.get(text, np.nan) if isinstance(text, str) else np.nan for text in texts])
    timed = [text if isinstance(text, str) and TIMED.match(text) else "NaT" for text in texts]
    return np.array(timed, dtype="datetime64[s]")


def row_rules(fields: frozenset[str]) -> tuple[RowRule, ...]:
    """Return the rules between fields that apply to a stream (or batch) with these fields."""
    rules = [RowRule(name, later, earlier) for earlier, later, name in _ORDERED]
    rules.extend(RowRule(name, *pair) for name, pair in _EXCEEDS.items())
    rules.append(RowRule("verdict-contradicts-count", "verdict", "failed"))
    return tuple(rule for rule in rules if {rule.field, rule.other} <= fields)
