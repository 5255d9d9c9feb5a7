"""What parsing needs to know of a source; ``definitions.SourceDefinition`` offers it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

__all__ = ["CodeRuleLike", "KnownAtLike", "SourceLike"]


class CodeRuleLike(Protocol):
    """How a raw value becomes a tree code."""

    @property
    def by(self) -> Literal["code", "name"]:
        """Whether raw values are codes or names."""

    @property
    def prefix(self) -> str:
        """Text put before a raw code."""

    @property
    def width(self) -> int | None:
        """Numeric codes are padded with zeros to this width."""

    @property
    def unknown(self) -> Literal["quarantine", "keep-missing"]:
        """What becomes of a row whose code is unknown."""

    @property
    def names(self) -> Mapping[str, str]:
        """Raw value -> code, before anything else."""

    @property
    def level(self) -> str | None:
        """Level of the tree in which names are looked up."""

    @property
    def default(self) -> str | None:
        """Code for missing values."""


class KnownAtLike(Protocol):
    """When a record became known."""

    @property
    def field(self) -> str | None:
        """Date field of the row."""

    @property
    def event_date_plus_days(self) -> int | None:
        """Fixed delay after the event."""


class SourceLike(Protocol):
    """A source's mapping of raw columns to fields of a stream."""

    @property
    def name(self) -> str:
        """Name of the source."""

    @property
    def stream(self) -> str:
        """Name of the stream."""

    @property
    def key(self) -> Sequence[str]:
        """Fields or raw headers that make the natural key."""

    @property
    def columns(self) -> Mapping[str, str | Sequence[str]]:
        """Field -> header or aliases."""

    @property
    def items(self) -> Mapping[str, str | Sequence[str]]:
        """Item field -> header or aliases."""

    @property
    def ignore(self) -> Sequence[str]:
        """Headers that are known and not wanted."""

    @property
    def constants(self) -> Mapping[str, str]:
        """Field (``items.<field>`` for an item's) -> value where the row has none."""

    @property
    def values(self) -> Mapping[str, Mapping[str, str]]:
        """Field (``items.<field>`` for an item's) -> raw value -> value; '' is missing."""

    @property
    def codes(self) -> Mapping[str, CodeRuleLike]:
        """Field -> rule of its codes."""

    @property
    def missing(self) -> Sequence[str]:
        """Raw values that mean 'no value'."""

    @property
    def date_formats(self) -> Sequence[str]:
        """Formats of dates, first one first."""

    @property
    def known_at(self) -> KnownAtLike:
        """Rule of the known date."""

    @property
    def earliest(self) -> dt.date:
        """First day that is believed."""
