"""What a field and a stream are, and the fields that every stream has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["COMMON", "Field", "Stream"]

Kind = Literal["text", "code", "int", "float", "date", "moment", "bool"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record.

    Attributes
    ----------
    name : str
        Column name in frames and tables.
    kind : {"text", "code", "int", "float", "date", "moment", "bool"}
        ``code`` is a short string whose leading zeros count; ``moment`` is a day with the time of day where that is known, as text:
        ``2025-11-03T14:05``, or ``2025-11-03`` without.
    required : bool
        A row without a value goes to quarantine.
    choices : tuple of str
        Allowed values after the source's value map; empty means free.
    tree : str
        Dimension tree that the code must be in (``product``, ``region``, ``industry``); empty for none.
    minimum, maximum : float or None
        Bounds, inclusive, for numbers.
    max_length : int
        Longest text that is accepted, in characters.
    personal : bool
        True if the value may identify a person or an enterprise: never leaves the store for a digest, message or log.
    ahead : bool
        True if a day may lie in the future (a licence is valid until then).
    zh, en : str
        Labels.
    """

    name: str
    kind: Kind = "text"
    required: bool = False
    choices: tuple[str, ...] = ()
    tree: str = ""
    minimum: float | None = None
    maximum: float | None = None
    max_length: int = 400
    personal: bool = False
    ahead: bool = False
    zh: str = ""
    en: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """A kind of record: its fields beyond the common ones, and the fields of its child rows if it has any."""

    name: str
    fields: tuple[Field, ...]
    items: tuple[Field, ...] = ()
    zh: str = ""
    en: str = ""
    # Source type for evidence: independent types corroborate each other (grading C3).
    evidence: str = ""
    all_fields: tuple[Field, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "all_fields", COMMON + self.fields)

    def field_named(self, name: str) -> Field:
        """Return the field called ``name``; KeyError if there is none."""
        for candidate in self.all_fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)


# Fields that every stream has. `record_key` is the natural key within a source; `event_date` is when it
# happened, `known_at` (set by the store from the source's rule) when we learnt it.
COMMON: tuple[Field, ...] = (
    Field("record_key", "code", required=True, max_length=200, zh="记录主键", en="record key", personal=True),
    Field("event_date", "date", required=True, zh="发生日期", en="event date"),
    Field("product", "code", tree="product", max_length=40, zh="产品代码", en="product code"),
    Field("industry", "code", tree="industry", max_length=40, zh="行业代码", en="industry code"),
    Field("region", "code", tree="region", max_length=40, zh="地区代码", en="region code"),
)
