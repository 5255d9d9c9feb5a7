"""Write one section: sentences in both languages from the same figures, tables and pictures; each number gets its trace.

A section writer is a function ``(Writer) -> None``. It takes figures from inputs with :meth:`Writer.figure`, which enters the trace, and
puts them into sentences; a part that is missing becomes a sentence with its reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from string import Formatter

from matplotlib.figure import Figure as Drawing

from riskwatch import plots
from riskwatch.digest.names import Namer
from riskwatch.digest.privacy import clean, scrub
from riskwatch.errors import RiskwatchError
from riskwatch.reports.inputs import Input, Missing, Origin, ReportInputs
from riskwatch.reports.model import (
    Block,
    Cell,
    Column,
    Line,
    Note,
    Paragraph,
    Parameter,
    Picture,
    Run,
    Section,
    Table,
    Text,
    Trace,
)
from riskwatch.reports.numbers import Kind, interval, number_in, printed, unit_of

__all__ = ["Figure", "Numbers", "Words", "Writer", "both", "with_a_second"]


def both(zh: str, en: str) -> Text:
    """Return a text in both languages."""
    return Text(zh=zh, en=en)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number as printed, with the id of its trace."""

    text: str
    trace: str
    value: float | None


@dataclass(frozen=True)
class Words:
    """A column of words."""

    head: Text
    texts: Sequence[Text]
    width: float = 2.0


@dataclass(frozen=True)
class Numbers:
    """A column of numbers, or of intervals where ``upper`` is given."""

    head: Text
    values: Sequence[float | None]
    kind: Kind
    upper: Sequence[float | None] | None = None
    width: float = 1.0
    method: Text | None = None
    units: Sequence[str] | None = None


Field = Figure | Text | str


def with_a_second(texts: Sequence[str], values: Sequence[float | None], small: int) -> list[str]:
    """Hide a second cell of a column of persons where only one is hidden, or the total would give it away.

    The smallest of the shown cells above zero becomes "≥5" (``small``); nothing changes where none, or two and more, are hidden.
    """
    shown = list(texts)
    hidden = [place for place, text in enumerate(texts) if text.startswith("<")]
    others = [(value, place) for place, value in enumerate(values) if value is not None and math.isfinite(value) and value >= small]
    if len(hidden) == 1 and others:
        shown[min(others)[1]] = f"≥{small}"
    return shown


@dataclass
class Writer:
    """What a section is written with.

    Attributes
    ----------
    inputs : ReportInputs
    languages : tuple of str
        Pictures are drawn for these.
    traces : list of Trace
        Shared by all sections.
    """

    inputs: ReportInputs
    languages: tuple[str, ...]
    key: str
    number: int
    title: Text
    traces: list[Trace]
    blocks: list[Block] = field(default_factory=list)
    _part: int = 1
    _seq: int = 0

    def __post_init__(self) -> None:
        """Prepare names."""
        self._namer = Namer(self.inputs.trees)

    # --- names -------------------------------------------------------------------------------------------------------

    def name(self, kind: object, code: object) -> Text:
        """Return the name of a code; ``kind`` is product, industry or region. "" is everything. Both may be cells of a frame."""
        text = str(code)
        if not text or text == "nan":
            return both("全部", "all")
        found = self._namer.subject(str(kind), text)
        return both(found.zh, found.en)

    @property
    def place(self) -> Text:
        """Name of the jurisdiction."""
        return self.name("region", self.inputs.region) if self.inputs.region else both("全部地区", "all regions")

    # --- numbers -----------------------------------------------------------------------------------------------------

    def part(self, zh: str, en: str, **fields: Field) -> None:
        """Begin the next part of the section under a small heading; trace ids count from 1 again."""
        if self.blocks or self._seq:
            self._part += 1
        self._seq = 0
        self.blocks.append(Paragraph(line=self._line(both(zh, en), fields), style="heading"))

    def figure(
        self,
        value: object,
        kind: Kind,
        what: Text,
        source: Input,
        *,
        upper: object = None,
        is_interval: bool = False,
        method: Text | None = None,
        unit: str = "",
        records: int | None = None,
    ) -> Figure:
        """Enter a number's trace and return it ready for a sentence; with ``is_interval``, ``value`` and ``upper`` are its ends.

        Both may be cells of a frame: a missing cell is printed as a dash.

        Raises
        ------
        RiskwatchError
            If a cell holds something else than a number.
        """
        small = self.inputs.rules.small.persons
        number, end = number_in(value), number_in(upper)
        text = interval(number, end, kind, unit=unit) if is_interval else printed(number, kind, small=small, unit=unit)
        kept = None if is_interval or text.startswith("<") else _finite(number)
        ends = {"lower": _finite(number), "upper": _finite(end)} if is_interval else {}
        identity = self._enter(
            what, kept, text, values=ends, unit=unit_of(kind, unit), origin=source.origin, method=method, records=records
        )
        return Figure(text, identity, kept)

    def count_of(self, value: int, what: Text, source: Input) -> Figure:
        """Return the number of rows that meet a condition, as a figure."""
        return self.figure(value, "count", what, source, method=both(f"计数：{what.zh}", f"count: {what.en}"))

    def _enter(
        self,
        what: Text,
        value: float | None,
        text: str,
        *,
        values: Mapping[str, float | None],
        unit: str,
        origin: Origin,
        method: Text | None,
        records: int | None = None,
    ) -> str:
        self._seq += 1
        identity = f"R{self.number}.{self._part}-{self._seq:02d}"
        inputs = self.inputs
        self.traces.append(
            Trace(
                id=identity,
                what=both(scrub(what.zh, limit=200), scrub(what.en, limit=200)),
                value=value,
                text=text,
                values={clean(key, limit=80): number for key, number in values.items()},
                unit=unit,
                method=method or origin.method,
                room=origin.room,
                stream=origin.stream,
                filters=dict(origin.filters),
                records=origin.records if records is None else records,
                first=origin.first,
                last=origin.last,
                as_of=inputs.as_of,
                parameters=tuple(Parameter(path=path, value=text) for path, text in sorted(origin.parameters.items())),
            )
        )
        return identity

    # --- blocks ------------------------------------------------------------------------------------------------------

    def say(self, zh: str, en: str, *, style: str = "body", **fields: Field) -> None:
        """Add a paragraph; ``{name}`` stands for a field in both languages."""
        self.say_with(zh, en, fields, style=style)

    def say_with(self, zh: str, en: str, fields: Mapping[str, Field], *, style: str = "body") -> None:
        """Add a paragraph whose fields were gathered in a mapping."""
        styles = {"body": "body", "lead": "lead", "bullet": "bullet"}
        self.blocks.append(Paragraph.model_validate({"line": self._line(both(zh, en), fields), "style": styles[style]}))

    def note(self, zh: str, en: str, *, tone: str = "info", **fields: Field) -> None:
        """Add a remark: ``info``, ``caution`` or ``missing``."""
        self.blocks.append(Note.model_validate({"line": self._line(both(zh, en), fields), "tone": tone}))

    def need(self, source: Input | Missing, zh: str, en: str) -> Input | None:
        """Return the input, or None after saying that the part is missing and why; an empty frame counts as missing."""
        if isinstance(source, Input) and len(source.frame):
            return source
        reason = (
            source.reason if isinstance(source, Missing) else both("本期没有符合条件的记录", "no record of this period meets the condition")
        )
        self.note(
            "{what}：本期缺失。原因：{why}。",
            "{what}: missing in this report. Reason: {why}.",
            tone="missing",
            what=both(zh, en[:1].upper() + en[1:]),
            why=reason,
        )
        return None

    def skip(self, parts: Sequence[tuple[Input | Missing, str, str]]) -> bool:
        """Say in one note that all parts are missing, and return True; False, and nothing said, if any is there."""
        if any(isinstance(source, Input) and len(source.frame) for source, _, _ in parts):
            return False
        reasons = [
            source.reason if isinstance(source, Missing) else both("本期没有符合条件的记录", "no record meets the condition")
            for source, _, _ in parts
        ]
        zh = "；".join(dict.fromkeys(reason.zh for reason in reasons))
        en = "; ".join(dict.fromkeys(reason.en for reason in reasons))
        listed = ", ".join(name for _, _, name in parts)
        names = both("、".join(name for _, name, _ in parts), listed[:1].upper() + listed[1:])
        self.note(
            "{what}：本期缺失。原因：{why}。",
            "{what}: missing in this report. Reason: {why}.",
            tone="missing",
            what=names,
            why=both(zh, en),
        )
        return True

    def table(
        self, title: Text, columns: Sequence[Words | Numbers], keys: Sequence[str], source: Input, *, note: Line | None = None
    ) -> None:
        """Add a table; each column of numbers gets one trace with all its values."""
        small = self.inputs.rules.small.persons
        heads: list[Column] = []
        cells: list[list[Cell]] = []
        for column in columns:
            if isinstance(column, Words):
                heads.append(Column(head=column.head, width=column.width))
                cells.append([Cell(text=both(scrub(text.zh, limit=160), scrub(text.en, limit=160))) for text in column.texts])
                continue
            units = column.units or [""] * len(column.values)
            if column.upper is not None:
                texts = [
                    interval(low, high, column.kind, unit=unit) for low, high, unit in zip(column.values, column.upper, units, strict=True)
                ]
                values: dict[str, float | None] = {}
                for key, low, high in zip(keys, column.values, column.upper, strict=True):
                    values[f"{key}.lower"], values[f"{key}.upper"] = _finite(low), _finite(high)
                told: list[float | None] = [None] * len(texts)
            else:
                texts = [printed(value, column.kind, small=small, unit=unit) for value, unit in zip(column.values, units, strict=True)]
                if column.kind == "persons":
                    texts = with_a_second(texts, column.values, small)
                told = [None if text.startswith(("<", "≥")) else _finite(value) for text, value in zip(texts, column.values, strict=True)]
                values = dict(zip(keys, told, strict=True))
            what = both(f"{title.zh}：{column.head.zh}", f"{title.en}: {column.head.en}")
            identity = self._enter(
                what, None, f"{len(texts)}", values=values, unit=unit_of(column.kind), origin=source.origin, method=column.method
            )
            heads.append(Column(head=column.head, align="right", unit=unit_of(column.kind), trace=identity, width=column.width))
            cells.append([Cell(text=both(text, text), value=value) for text, value in zip(texts, told, strict=True)])
        rows = tuple(zip(*cells, strict=True))
        if len(set(keys)) != len(keys) or len(rows) != len(keys):
            raise RiskwatchError(f"report table {title.en}: keys must name each of the {len(rows)} rows once, got {len(set(keys))} names")
        self.blocks.append(Table(title=title, columns=tuple(heads), keys=tuple(clean(key, limit=80) for key in keys), rows=rows, note=note))

    def line(self, zh: str, en: str, **fields: Field) -> Line:
        """Return a line for the note of a table or the caption of a picture."""
        return self._line(both(zh, en), fields)

    def picture(self, draw: Callable[[str], Drawing], alt: Text, caption: Line, *, width: float = 1.0) -> None:
        """Draw a picture for each language and add it."""
        png = {language: plots.to_png(draw(language)) for language in self.languages}
        self.blocks.append(Picture(png=png, alt=alt, caption=caption, width=width))

    def section(self) -> Section:
        """Return what was written; a section without blocks says so.

        Raises
        ------
        RiskwatchError
            If nothing was written: an empty heading would read as 'nothing happened'.
        """
        if not self.blocks:
            raise RiskwatchError(f"report section {self.key}: nothing was written under the heading")
        return Section(key=self.key, number=str(self.number), title=self.title, blocks=tuple(self.blocks))

    def _line(self, template: Text, fields: Mapping[str, Field]) -> Line:
        return Line(zh=_runs(template.zh, fields, "zh"), en=_runs(template.en, fields, "en"))


def _runs(template: str, fields: Mapping[str, Field], language: str) -> tuple[Run, ...]:
    """Fill a template; what the fields hold is never read as a pattern."""
    runs: list[Run] = []
    words = ""
    for literal, name, _, _ in Formatter().parse(template):
        words += literal
        if name is None:
            continue
        value = fields[name]
        if isinstance(value, Figure):
            runs += [Run(text=words)] if words else []
            runs.append(Run(text=value.text, trace=value.trace))
            words = ""
        else:
            words += clean(value.of(language) if isinstance(value, Text) else value, limit=600)
    return (*runs, Run(text=words)) if words else tuple(runs)


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
