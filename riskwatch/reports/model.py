"""The report as data: frozen, in both languages, every number with the trace that says where it comes from.

A :class:`Report` is a header, sections of blocks, and the traces. The three renderers set the same blocks, so all forms show the same
numbers; :func:`render_json` is the canonical form. Texts hold plain characters only: no markup is ever read from them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, ValidationInfo, field_validator

from riskwatch.digest.privacy import guarded_parts

__all__ = [
    "Block",
    "Cell",
    "Column",
    "Header",
    "Line",
    "Note",
    "Paragraph",
    "Parameter",
    "Picture",
    "Report",
    "Run",
    "Section",
    "Table",
    "Text",
    "Trace",
    "render_json",
]

# Pictures are drawings of numbers that stand in the tables: the JSON names them by their hash and leaves the pixels out.
Png = Annotated[bytes, PlainSerializer(lambda content: f"sha256:{hashlib.sha256(content).hexdigest()}", return_type=str)]


class _Frozen(BaseModel):
    """Base of every part of a report: frozen, nothing unknown, and no text with an identifier in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="after")
    @classmethod
    def _guard(cls, value: Any, info: ValidationInfo) -> Any:
        return guarded_parts(value, info.field_name or "")


class Text(_Frozen):
    """One text in both languages."""

    zh: str
    en: str

    def of(self, language: str) -> str:
        """Return the text in ``language``."""
        return self.zh if language == "zh" else self.en


class Run(_Frozen):
    """A piece of a line; ``trace`` is the id of the trace where the piece is a number, "" for words."""

    text: str
    trace: str = ""


class Line(_Frozen):
    """One sentence or more in both languages: words and traced numbers in turn."""

    zh: tuple[Run, ...]
    en: tuple[Run, ...]

    def of(self, language: str) -> tuple[Run, ...]:
        """Return the pieces in ``language``."""
        return self.zh if language == "zh" else self.en

    def plain(self, language: str) -> str:
        """Return the line as plain text."""
        return "".join(run.text for run in self.of(language))


class Paragraph(_Frozen):
    """Running text, or one point of a list."""

    kind: Literal["paragraph"] = "paragraph"
    line: Line
    style: Literal["body", "lead", "bullet", "heading"] = "body"


class Note(_Frozen):
    """A remark that must not be overlooked: a missing part, an assumption, a limit of what is said."""

    kind: Literal["note"] = "note"
    line: Line
    tone: Literal["missing", "caution", "info"]


class Cell(_Frozen):
    """One cell; ``value`` is what the text was written from (None: a word, missing, or suppressed)."""

    text: Text
    value: float | None = None


class Column(_Frozen):
    """One column: its head, what it holds, and the trace of all its numbers ("" for words).

    ``width`` is a share of the table's width in arbitrary units.
    """

    head: Text
    align: Literal["left", "right", "centre"] = "left"
    unit: str = ""
    trace: str = ""
    width: float = Field(1.0, gt=0)


class Table(_Frozen):
    """A table; ``keys`` name its rows, so that a cell is cited as ``<trace of the column>/<key of the row>``."""

    kind: Literal["table"] = "table"
    title: Text
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: Line | None = None


class Picture(_Frozen):
    """A chart or map as PNG for each language, with its words for those who cannot see it."""

    kind: Literal["picture"] = "picture"
    png: dict[str, Png]
    alt: Text
    caption: Line
    width: float = Field(1.0, gt=0, le=1, description="share of the text's width")


Block = Annotated[Paragraph | Note | Table | Picture, Field(discriminator="kind")]


class Section(_Frozen):
    """One numbered section."""

    key: str
    number: str
    title: Text
    blocks: tuple[Block, ...]


class Parameter(_Frozen):
    """One setting that a number rests on, and the path under which the configuration holds it."""

    path: str
    value: str


class Trace(_Frozen):
    """Where one number, or one column of numbers, comes from.

    Attributes
    ----------
    id : str
        As printed, for example ``R4.2-07``: section 4, part 2, seventh number.
    what : Text
        What the number is.
    value : float or None
        As computed, before rounding; None for a column and for suppressed figures.
    text : str
        As printed.
    values : mapping of str to float or None
        Of a column: row key -> value.
    unit : str
    method : Text
        Formula or method in words.
    room : str
        The function that computed it, dotted.
    stream, filters, records
        Records it rests on: stream, how they were chosen, and how many.
    first, last : date or None
        First and last day of the records.
    as_of : date
        The day as which the records were read.
    parameters : tuple of Parameter
    """

    id: str
    what: Text
    value: float | None
    text: str
    values: dict[str, float | None] = Field(default_factory=dict)
    unit: str
    method: Text
    room: str
    stream: str
    filters: dict[str, str]
    records: int
    first: dt.date | None
    last: dt.date | None
    as_of: dt.date
    parameters: tuple[Parameter, ...] = ()


class Header(_Frozen):
    """What stands on the first page."""

    title: Text
    project: Text
    region: str
    region_name: Text
    period: str
    period_name: Text
    first: dt.date
    last: dt.date
    as_of: dt.date
    issued: dt.date
    simulated: bool
    version: str
    definitions: str
    languages: tuple[str, ...]


class Report(_Frozen):
    """The whole report."""

    header: Header
    sections: tuple[Section, ...]
    traces: tuple[Trace, ...]

    def lines(self) -> Iterator[Line]:
        """Yield every line of running text."""
        for section in self.sections:
            for block in section.blocks:
                if isinstance(block, (Paragraph, Note)):
                    yield block.line
                elif isinstance(block, Picture):
                    yield block.caption
                elif block.note is not None:
                    yield block.note


def render_json(report: Report) -> str:
    """Return the report as JSON: keys in the order of the model, text unescaped, pictures by their hash; the canonical form."""
    return report.model_dump_json(indent=2) + "\n"
