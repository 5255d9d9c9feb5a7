"""A digest or an alert as DOCX, from the page that HTML and Markdown are set from as well: for offices that edit and archive in Word."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence

import docx
from docx.document import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.shared import Mm, Pt, RGBColor
from docx.text.paragraph import Paragraph

from riskwatch.digest.blocks import Badge, BriefBlock, Bullets, CardBlock, Notice, Page, Para, Table
from riskwatch.reports.docx import prepare, same_bytes
from riskwatch.reports.docx_table import table_element

__all__ = ["digest_docx"]

TEXT_WIDTH = 174.0  # mm: A4 less its margins
_GREY, _RED = RGBColor(0x55, 0x55, 0x55), RGBColor(0x8B, 0x1A, 0x1A)


def digest_docx(page: Page, pictures: Sequence[bytes], day: dt.date) -> bytes:
    """Return the page as DOCX; the same page and day give the same bytes.

    Parameters
    ----------
    page : Page
    pictures : sequence of bytes
        PNG, in the order of the page's numbers.
    day : date
        Of the digest; the file's own date.
    """
    document = docx.Document()
    prepare(
        document,
        title=page.title,
        about=page.centre,
        author=page.centre,
        internal=page.internal,
        simulated=page.simulated,
        day=day,
        language=page.language,
    )
    _say(document.add_paragraph(), page.internal, 9, _RED)
    if page.simulated:
        _say(document.add_paragraph(), page.simulated, 9, _RED)
    title = document.add_paragraph(page.title, style="Title")
    for paragraph in (title, document.add_paragraph(page.centre), document.add_paragraph()):
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _say(document.paragraphs[-1], page.meta, 8.5, _GREY)
    for section in page.sections:
        document.add_heading(section.heading, level=1)
        for block in section.blocks:
            if isinstance(block, Para):
                _para(document.add_paragraph(), block)
            elif isinstance(block, Bullets):
                for item in block.items:
                    _para(document.add_paragraph(style="List Bullet"), item)
            elif isinstance(block, Table):
                _table(document, block)
            elif isinstance(block, CardBlock):
                _card(document, block, pictures)
            elif isinstance(block, BriefBlock):
                _brief(document, block)
            else:
                _notice(document, block)
    _say(document.add_paragraph(), page.footer, 7.5, _GREY)
    buffer = io.BytesIO()
    document.save(buffer)
    return same_bytes(buffer.getvalue(), day)


def _say(paragraph: Paragraph, text: str, size: float | None = None, colour: RGBColor | None = None, *, bold: bool = False) -> None:
    run = paragraph.add_run(text)
    run.bold = bold or None
    if size is not None:
        run.font.size = Pt(size)
    if colour is not None:
        run.font.color.rgb = colour


def _badge(paragraph: Paragraph, badge: Badge) -> None:
    _say(paragraph, f"[{badge.label}] ", colour=RGBColor.from_string(badge.background.lstrip("#").upper()), bold=True)


def _para(paragraph: Paragraph, block: Para) -> None:
    if block.badge is not None:
        _badge(paragraph, block.badge)
    colour = {"alert": _RED, "muted": _GREY}.get(block.tone)
    _say(paragraph, block.text, colour=colour, bold=block.tone in {"strong", "alert"})


def _table(document: Document, block: Table) -> None:
    if block.caption:
        caption = document.add_paragraph()
        caption.paragraph_format.keep_with_next = True
        _say(caption, block.caption, bold=True)
    heads = [badge.label for badge in block.badges] or list(block.head)
    rows = [[" ".join(part for part in (cell.badge.label if cell.badge else "", cell.text) if part) for cell in row] for row in block.rows]
    share = TEXT_WIDTH / sum(block.widths)
    made = table_element(
        [(head, "") for head in heads],
        rows,
        widths=[width * share for width in block.widths],
        aligns=["right" if side == "r" else "left" for side in block.align],
        size=8.0,
    )
    document.element.body.insert_element_before(made, "w:sectPr")
    document.add_paragraph()


def _head(document: Document, block: CardBlock | BriefBlock) -> Paragraph:
    head = document.add_paragraph()
    head.paragraph_format.keep_with_next = True
    _badge(head, block.badge)
    _say(head, f"{block.change} ", colour=_GREY)
    _say(head, block.title, bold=True)
    _say(head, f"  {block.code}", 7, _GREY)
    return head


def _card(document: Document, block: CardBlock, pictures: Sequence[bytes]) -> None:
    _head(document, block)
    for label, texts in block.lines:
        line = document.add_paragraph()
        line.paragraph_format.left_indent = Mm(4)
        _say(line, f"{label}  ", 9, _GREY)
        _say(line, "\n".join(texts), 9)
    for number, caption in ((block.chart, block.chart_caption), (block.map, block.map_caption)):
        if number >= 0:
            shape = document.add_paragraph().add_run().add_picture(io.BytesIO(pictures[number]), width=Mm(TEXT_WIDTH))
            shape._inline.docPr.set("descr", caption)  # noqa: SLF001 - the words of a picture have no public API


def _brief(document: Document, block: BriefBlock) -> None:
    _head(document, block)
    line = document.add_paragraph()
    line.paragraph_format.left_indent = Mm(4)
    for label, text in block.parts:
        _say(line, label, 9, _GREY)
        _say(line, f"{text} ", 9)


def _notice(document: Document, block: Notice) -> None:
    for label in block.labels:
        document.add_paragraph(f"{label} ________________")
