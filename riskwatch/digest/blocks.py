"""What a page is made of: headings, paragraphs, lists, tables, cards. All texts are plain; only renderers know markup."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Badge", "BriefBlock", "Bullets", "CardBlock", "Cell", "Notice", "Page", "Para", "Section", "Table"]


@dataclass(frozen=True, slots=True)
class Badge:
    """A level: its label, and the colours it is set in. The label is always written out."""

    label: str
    background: str
    ink: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table; ``badge`` stands before the text."""

    text: str
    badge: Badge | None = None


@dataclass(frozen=True, slots=True)
class Para:
    """A paragraph; ``tone`` is "", "strong", "muted" or "alert"."""

    text: str
    tone: str = ""
    badge: Badge | None = None
    kind: str = field(default="para", init=False)


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of sentences."""

    items: tuple[Para, ...]
    kind: str = field(default="bullets", init=False)


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``align`` has "l" or "r" for each column, ``widths`` percentages; ``badges`` set the head in the colours of levels."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    align: str
    widths: tuple[int, ...]
    caption: str = ""
    badges: tuple[Badge, ...] = ()
    kind: str = field(default="table", init=False)


@dataclass(frozen=True, slots=True)
class CardBlock:
    """One warning in full: labelled lines, each of one or more texts, and pictures by their number among the page's (-1 for none).

    ``chart`` is the history of its leading series, ``map`` the cluster of counties that it rests on.
    """

    badge: Badge
    change: str
    title: str
    code: str
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    chart: int
    chart_caption: str
    map: int = -1
    map_caption: str = ""
    kind: str = field(default="card", init=False)


@dataclass(frozen=True, slots=True)
class BriefBlock:
    """One warning in brief: its head, and labelled sentences one after the other."""

    badge: Badge
    change: str
    title: str
    code: str
    parts: tuple[tuple[str, str], ...]
    kind: str = field(default="brief", init=False)


@dataclass(frozen=True, slots=True)
class Notice:
    """A few lines to be filled in by hand."""

    labels: tuple[str, ...]
    kind: str = field(default="notice", init=False)


Block = Para | Bullets | Table | CardBlock | BriefBlock | Notice


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    key: str
    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A whole digest in one language."""

    language: str
    centre: str
    title: str
    internal: str
    simulated: str
    meta: str
    sections: tuple[Section, ...]
    footer: str
    subject: str
    # What stands at the foot of every printed page.
    running: str
