"""A message, its key, and what a channel is given to send."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["URGENT", "Attachment", "Concern", "Letter", "Message", "Outcome", "Parcel", "Picture", "message_id", "message_key"]

LetterKind = Literal["digest", "catch-up", "alert"]
URGENT = frozenset({"I", "II"})
"""Levels that no quiet hour holds back."""
_ORDER = ("I", "II", "III", "IV")


@dataclass(frozen=True, slots=True)
class Concern:
    """A warning that is new or worsened, as routes see it; ``products`` are the codes from the root of the tree down to its own."""

    warning_id: str
    change: str
    grade: str
    products: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Letter:
    """Something to be told to one centre: a digest (or its catch-up form) with all its concerns, or an alert with one.

    Attributes
    ----------
    told : mapping of language to str
        Hash of what the reader is told; a correction is written only where it differs.
    first_day : date or None
        First day that a catch-up speaks for.
    """

    centre: str
    day: dt.date
    kind: LetterKind
    languages: tuple[str, ...]
    concerns: tuple[Concern, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict)
    first_day: dt.date | None = None

    @property
    def grade(self) -> str:
        """The gravest level that is new or worsened; "" for none."""
        grades = {concern.grade for concern in self.concerns}
        return next((grade for grade in _ORDER if grade in grades), "")


@dataclass(frozen=True, slots=True)
class Message:
    """One letter addressed: what the outbox keeps of it.

    Attributes
    ----------
    due : datetime
        Not to be sent before.
    edition : int
        1, and for corrections 2 and on.
    replaces : str
        For corrections, the key of the message before: if nobody has tried to send that one yet, it will tell the newest anyway.
    """

    key: str
    centre: str
    day: dt.date
    kind: str
    channel: str
    recipients: str
    language: str
    warning_id: str
    change: str
    grade: str
    first_day: dt.date | None
    told: str
    due: dt.datetime
    edition: int = 1
    replaces: str = ""

    @property
    def slot(self) -> tuple[str, ...]:
        """What all tellings of one day to the same readers have in common."""
        return (self.centre, self.day.isoformat(), self.channel, self.recipients, self.language)


def message_key(
    *, day: dt.date, kind: str, centre: str, channel: str, recipients: str, language: str, event: Sequence[str] = (), edition: int = 1
) -> str:
    """Return the key of a message: the same thing told to the same readers always has the same one, and nothing else has.

    Parameters
    ----------
    event : sequence of str
        For alerts: warning id and change.
    edition : int
        For corrections: the second telling of the day is 2, and so on.
    """
    parts = [kind, day.isoformat(), centre, channel, recipients, language, *event]
    if edition > 1:
        parts.append(str(edition))
    for part in parts:
        if not part or "/" in part:
            raise ValueError(f"message_key: no part may be empty or hold a slash, got {part!r}")
    return "/".join(parts)


def message_id(key: str, domain: str) -> str:
    """Return the Message-ID of a mail: it follows from the key, so a receiver can drop what it got twice."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{domain}>"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture within HTML, referred to as ``cid:<cid>``."""

    cid: str
    filename: str
    content: bytes
    subtype: str = "png"


@dataclass(frozen=True, slots=True)
class Attachment:
    """One form of a digest as a file; ``form`` is its ending."""

    form: str
    filename: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message with its content, rendered for one channel.

    Attributes
    ----------
    created : datetime
        When the message was written to the outbox: the date of a mail, the same at every attempt.
    lines : tuple of str
        What a robot says, the most urgent first; ``more`` says how many were left out, with ``{n}``.
    data : mapping
        What a webhook is told beside the texts.
    recipients : tuple of str
        Addresses, for mail.
    """

    key: str
    centre: str
    day: dt.date
    kind: str
    language: str
    grade: str
    created: dt.datetime
    subject: str
    text: str = ""
    html: str = ""
    pictures: tuple[Picture, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    lines: tuple[str, ...] = ()
    more: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt.

    Attributes
    ----------
    state : {"sent", "retry", "dead"}
        Delivered; failed for now; will never be taken.
    code : str
        Short: ``250``, ``http 503``, ``timeout``.
    detail : str
        What the other side said, without addresses and secrets.
    after : float or None
        Seconds that the other side asks to wait.
    """

    state: Literal["sent", "retry", "dead"]
    code: str
    detail: str = ""
    after: float | None = None
