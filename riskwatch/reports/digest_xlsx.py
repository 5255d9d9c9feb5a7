"""A digest as a workbook: one sheet of warnings, one of proposed measures; for those who sort, filter and copy into lists of their own."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from collections.abc import Sequence

from openpyxl import Workbook
from openpyxl.cell import Cell, MergedCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from riskwatch.digest.model import CompactRow, Digest, WarningCard
from riskwatch.digest.sentences import Speaker
from riskwatch.reports.docx import same_bytes

__all__ = ["digest_xlsx"]

Value = str | int | float | dt.date | None
# Characters that XML, and so XLSX, cannot hold.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*(</dcterms:modified>)")
_LONGEST = 32_767  # characters of a cell
_HEADS = {
    "zh": (
        ("预警", ("编号", "等级", "变动", "对象", "地区", "范围", "观测", "预期", "基数", "首见", "最近时限", "原因")),
        ("措施", ("预警编号", "等级", "对象", "措施", "责任单位", "时限", "单位", "到期日", "依据")),
    ),
    "en": (
        ("Warnings", ("id", "level", "change", "subject", "place", "scope", "observed", "expected", "n", "since", "next due", "reason")),
        ("Measures", ("warning", "level", "subject", "measure", "owner", "term", "unit", "due on", "basis")),
    ),
}
_WIDTHS = ((18, 14, 10, 22, 18, 12, 10, 10, 10, 12, 12, 60), (18, 14, 22, 44, 26, 8, 14, 12, 60))


def digest_xlsx(digest: Digest, language: str, warning_id: str = "") -> bytes:
    """Return all warnings of a digest (or one of them), printed in it or not, and the measures proposed for them.

    Every text is a text cell: nothing of it is ever taken for a formula. The same digest gives the same bytes.
    """
    say = Speaker(digest, language)
    cards = [card for card in digest.warnings if not warning_id or card.warning_id == warning_id]
    rows = [row for row in digest.others if not warning_id or row.warning_id == warning_id]
    book = Workbook()
    book.remove(book.worksheets[0])
    first, second = book.create_sheet(), book.create_sheet()
    sheets: list[tuple[Worksheet, list[list[Value]]]] = [
        (first, [_card(card, digest, say) for card in cards] + [_row(row, say) for row in rows]),
        (second, [line for card in cards for line in _measures(card, say)]),
    ]
    for (sheet, lines), (name, heads), widths in zip(sheets, _HEADS[language], _WIDTHS, strict=True):
        _fill(sheet, name, heads, lines, widths)
    moment = dt.datetime.combine(digest.header.date, dt.time())
    book.properties.created = book.properties.modified = moment
    book.properties.creator = digest.header.centre_name.of(language)
    buffer = io.BytesIO()
    book.save(buffer)
    return same_bytes(_undated(buffer.getvalue(), moment), digest.header.date)


def _card(card: WarningCard, digest: Digest, say: Speaker) -> list[Value]:
    lead = card.measures[0] if card.measures else None
    due = say.next_due(card, digest.header.date)
    return [
        card.warning_id,
        say.grade(card.grade, card.domain),
        say.change(card.change, card.grade_before, card.grade, card.domain),
        say.of(card.subject),
        say.place(card.place),
        say.scope(card),
        None if lead is None else lead.observed,
        None if lead is None else lead.expected,
        None if lead is None else lead.exposure,
        card.first_seen,
        due[0] if due else None,
        say.of(card.reason) if card.reason is not None else None,
    ]


def _row(row: CompactRow, say: Speaker) -> list[Value]:
    return [
        row.warning_id,
        say.grade(row.grade, row.domain),
        say.change(row.change, row.grade_before, row.grade, row.domain),
        say.of(row.subject),
        say.place(row.place),
        say.t.code("scope", row.scope),
        row.observed,
        row.expected,
        row.exposure,
        row.first_seen,
        row.due_on,
        say.of(row.reason) if row.reason is not None else None,
    ]


def _measures(card: WarningCard, say: Speaker) -> list[list[Value]]:
    return [
        [
            card.warning_id,
            say.grade(card.grade, card.domain),
            say.of(card.subject),
            say.of(action.measure),
            say.of(action.owner),
            action.deadline,
            say.t.code("unit", action.unit),
            action.due_on,
            "；".join(say.basis(law) for law in action.legal_basis)
            if say.language == "zh"
            else "; ".join(map(say.basis, action.legal_basis)),
        ]
        for action in card.actions
    ]


def _fill(sheet: Worksheet, name: str, heads: Sequence[str], lines: Sequence[Sequence[Value]], widths: Sequence[int]) -> None:
    sheet.title = name
    for number, (head, width) in enumerate(zip(heads, widths, strict=True), start=1):
        cell = sheet.cell(1, number, head)
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="E9EFF5")
        sheet.column_dimensions[get_column_letter(number)].width = width
    for at, line in enumerate(lines, start=2):
        for number, value in enumerate(line, start=1):
            _set(sheet.cell(at, number), value)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(heads))}{len(lines) + 1}"


def _set(cell: Cell | MergedCell, value: Value) -> None:
    if not isinstance(value, str):
        cell.value = value
        if isinstance(value, dt.date):
            cell.number_format = "yyyy-mm-dd"
        return
    cell.value = _CONTROL.sub("\ufffd", value)[:_LONGEST]
    # A text that begins with "=" would be taken for a formula otherwise.
    cell.data_type = "s"
    cell.alignment = Alignment(wrap_text=True, vertical="top")


def _undated(content: bytes, moment: dt.datetime) -> bytes:
    """Return the file as if it had been saved at ``moment``: openpyxl writes the clock into it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as target:
        for entry in source.infolist():
            held = source.read(entry)
            if entry.filename == "docProps/core.xml":
                held = _MODIFIED.sub(rb"\g<1>" + f"{moment.isoformat()}Z".encode() + rb"\g<2>", held)
            target.writestr(entry, held)
    return out.getvalue()
