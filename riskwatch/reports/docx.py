"""The report as DOCX: real headings, tables whose heads repeat, pictures with their words, East Asian fonts, page numbers.

Texts are set as text nodes: no field code or markup is ever read from them. Dates within the file are those of the report, so the same
report gives the same bytes.
"""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from typing import Any

import docx
from docx.document import Document
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from docx.text.paragraph import Paragraph as DocxParagraph
from docx.text.run import Run as DocxRun

from riskwatch.errors import RiskwatchError
from riskwatch.reports.docx_table import table_element
from riskwatch.reports.model import Note, Paragraph, Picture, Report, Run, Table
from riskwatch.reports.wording import check_language, meta, refs, section_title, trace_rows, word

__all__ = ["prepare", "render_docx", "same_bytes"]

TEXT_WIDTH = 174.0  # mm: A4 less its margins
LATIN, EAST_ASIAN = "Arial", "SimSun"
NAVY, GREY, RED = RGBColor(0x14, 0x30, 0x4D), RGBColor(0x8A, 0x94, 0x9E), RGBColor(0x8B, 0x1A, 0x1A)
_TINT = {"missing": "F4F6F8", "caution": "FFF8E1", "info": "F4F6F8"}


def render_docx(report: Report, language: str) -> bytes:
    """Return the report as DOCX in one language.

    Raises
    ------
    RiskwatchError
        If the language is neither "zh" nor "en", or its pictures were not drawn.
    """
    check_language(language)
    document = docx.Document()
    header = report.header
    prepare(
        document,
        title=header.title.of(language),
        about=header.period,
        author=header.project.of(language),
        internal=word("internal", language),
        simulated=word("simulated", language) if header.simulated else "",
        day=header.issued,
        language=language,
    )
    _first_page(document, report, language)
    for section in report.sections:
        document.add_heading(section_title(section.number, section.title, language), level=1)
        for block in section.blocks:
            if isinstance(block, Paragraph):
                _paragraph(document, block, language)
            elif isinstance(block, Note):
                _note(document, block, language)
            elif isinstance(block, Picture):
                _picture(document, block, language)
            else:
                _table(document, block, language)
    _traces(document, report, language)
    buffer = io.BytesIO()
    document.save(buffer)
    return same_bytes(buffer.getvalue(), report.header.issued)


def prepare(document: Document, *, title: str, about: str, author: str, internal: str, simulated: str, day: dt.date, language: str) -> None:
    """Set page, fonts, properties, header and footer.

    Parameters
    ----------
    title, about : str
        What it is, and which period or centre it is about.
    internal : str
        Who may read it.
    simulated : str
        Said at the foot of every page; "" where data are real.
    day : date
        Of the document.
    """
    page = document.sections[0]
    page.orientation = WD_ORIENT.PORTRAIT
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.left_margin = page.right_margin = Mm(18)
    page.top_margin, page.bottom_margin = Mm(20), Mm(18)
    for name, size, colour in (
        ("Normal", 10, None),
        ("Heading 1", 14, NAVY),
        ("Heading 2", 11.5, NAVY),
        ("List Bullet", 10, None),
        ("Title", 20, NAVY),
    ):
        style: Any = document.styles[name]
        style.font.name, style.font.size = LATIN, Pt(size)
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{theme}"), None)
        fonts.set(qn("w:eastAsia"), EAST_ASIAN)
        fonts.set(qn("w:hAnsi"), LATIN)
        if colour is not None:
            style.font.color.rgb = colour
    language_tag = OxmlElement("w:lang")
    language_tag.set(qn("w:val"), "en-GB")
    language_tag.set(qn("w:eastAsia"), "zh-CN")
    normal: Any = document.styles["Normal"]
    normal.element.get_or_add_rPr().append(language_tag)
    normal.paragraph_format.space_after = Pt(4)
    moment = dt.datetime.combine(day, dt.time())
    properties = document.core_properties
    properties.title, properties.author = f"{title} {about}", author
    properties.created = properties.modified = moment
    properties.last_modified_by, properties.revision, properties.language = "", 1, "zh-CN" if language == "zh" else "en-GB"
    top = page.header.paragraphs[0]
    _small(top.add_run(f"{title} {about}　{internal}"), 7.5)
    foot = page.footer.paragraphs[0]
    foot.alignment = WD_ALIGN_PARAGRAPH.CENTER
    if simulated:
        _small(foot.add_run(simulated + "　"), 7)
    _field(foot, "PAGE")
    _small(foot.add_run(" / "), 8)
    _field(foot, "NUMPAGES")


def _field(paragraph: DocxParagraph, code: str) -> None:
    """Add a page-number field; ``code`` is never taken from data."""
    for kind, text in (("begin", ""), ("", code), ("separate", ""), ("text", "1"), ("end", "")):
        # Each in a run of its own: with one run for all, the number loses its size.
        run = paragraph.add_run()
        _small(run, 8)
        if kind in {"begin", "separate", "end"}:
            element = OxmlElement("w:fldChar")
            element.set(qn("w:fldCharType"), kind)
        else:
            element = OxmlElement("w:t" if kind == "text" else "w:instrText")
            element.text = text
        run._r.append(element)  # noqa: SLF001 - python-docx has no API for fields


def _small(run: DocxRun, size: float, colour: RGBColor = GREY) -> None:
    run.font.size = Pt(size)
    run.font.color.rgb = colour


def _first_page(document: Document, report: Report, language: str) -> None:
    header = report.header
    first = document.add_paragraph()
    _small(first.add_run(f"{word('internal', language)}　　{word('status', language)}"), 9, RED)
    if header.simulated:
        marked = document.add_paragraph()
        _small(marked.add_run(word("simulated", language)), 9, RED)
        _shade(marked, "FFF4CE")
    title = document.add_paragraph(style="Title")
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    title.add_run(header.title.of(language))
    project = document.add_paragraph(header.project.of(language))
    project.alignment = WD_ALIGN_PARAGRAPH.CENTER
    colon = "：" if language == "zh" else ": "
    line = document.add_paragraph()
    line.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _small(line.add_run("　".join(f"{label}{colon}{value}" for label, value in meta(report, language))), 9, RGBColor(0x44, 0x44, 0x44))


def _runs(paragraph: DocxParagraph, runs: tuple[Run, ...], size: float | None = None, colour: RGBColor | None = None) -> None:
    for run in runs:
        made = paragraph.add_run(run.text)
        if size is not None:
            made.font.size = Pt(size)
        if colour is not None:
            made.font.color.rgb = colour
    ids = refs(runs)
    if ids:
        mark = paragraph.add_run(f" {ids}")
        _small(mark, 6)
        mark.font.superscript = True


def _paragraph(document: Document, block: Paragraph, language: str) -> None:
    runs = block.line.of(language)
    if block.style == "heading":
        _runs(document.add_heading(level=2), runs)
    else:
        _runs(document.add_paragraph(style="List Bullet" if block.style == "bullet" else "Normal"), runs)


def _note(document: Document, block: Note, language: str) -> None:
    paragraph = document.add_paragraph()
    paragraph.add_run(word(block.tone, language) + "　").bold = True
    _runs(paragraph, block.line.of(language), 9)
    _shade(paragraph, _TINT[block.tone])


def _shade(paragraph: DocxParagraph, fill: str) -> None:
    shading = OxmlElement("w:shd")
    shading.set(qn("w:val"), "clear")
    shading.set(qn("w:color"), "auto")
    shading.set(qn("w:fill"), fill)
    paragraph._p.get_or_add_pPr().append(shading)  # noqa: SLF001 - python-docx has no API for shading


def _picture(document: Document, block: Picture, language: str) -> None:
    if language not in block.png:
        raise RiskwatchError(f"report: pictures must be drawn for {language}, got {', '.join(sorted(block.png))}")
    paragraph = document.add_paragraph()
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    paragraph.paragraph_format.keep_with_next = True
    shape = paragraph.add_run().add_picture(io.BytesIO(block.png[language]), width=Mm(TEXT_WIDTH * block.width))
    described = shape._inline.docPr  # noqa: SLF001 - the words of a picture have no public API
    described.set("descr", block.alt.of(language))
    caption = document.add_paragraph()
    caption.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _runs(caption, block.caption.of(language), 8.5, RGBColor(0x55, 0x55, 0x55))


def _table(document: Document, block: Table, language: str) -> None:
    name = document.add_paragraph()
    name.paragraph_format.keep_with_next = True
    name.add_run(block.title.of(language)).bold = True
    size = 8.0 if len(block.columns) <= 8 else 7.0
    heads = [(column.head.of(language), column.trace) for column in block.columns]
    rows = [[cell.text.of(language) for cell in row] for row in block.rows]
    _grid(
        document,
        heads,
        rows,
        widths=[column.width for column in block.columns],
        aligns=[column.align for column in block.columns],
        size=size,
    )
    note = document.add_paragraph()
    if block.note is not None:
        _runs(note, block.note.of(language), 8, RGBColor(0x55, 0x55, 0x55))


def _grid(
    document: Document, heads: list[tuple[str, str]], rows: list[list[str]], *, widths: list[float], aligns: list[str], size: float
) -> None:
    """Add a table as wide as the text."""
    share = TEXT_WIDTH / sum(widths)
    made = table_element(heads, rows, widths=[width * share for width in widths], aligns=aligns, size=size)
    document.element.body.insert_element_before(made, "w:sectPr")


def _traces(document: Document, report: Report, language: str) -> None:
    document.add_heading(word("traces", language), level=1)
    document.add_paragraph(word("traces_note", language))
    heads = [(word(key, language), "") for key in ("id", "what", "printed", "method", "records")]
    _grid(
        document,
        heads,
        [list(row) for row in trace_rows(report.traces, language)],
        widths=[1.15, 3.0, 1.2, 3.6, 2.6],
        aligns=["left"] * 5,
        size=6.5,
    )


def same_bytes(content: bytes, day: dt.date) -> bytes:
    """Return the file with every part dated ``day``: a ZIP otherwise holds the time of writing."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            made = zipfile.ZipInfo(entry.filename, date_time=(max(day.year, 1980), day.month, day.day, 0, 0, 0))
            made.compress_type, made.external_attr = zipfile.ZIP_DEFLATED, entry.external_attr
            target.writestr(made, source.read(entry.filename))
    return out.getvalue()
