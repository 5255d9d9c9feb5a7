"""HTML, PDF and DOCX: the same numbers in all, nothing a name holds is read as markup, the same bytes every time."""

from __future__ import annotations

import dataclasses
import io
import re
import shutil
import subprocess
import zipfile
import zlib
from html.parser import HTMLParser

import docx
import numpy as np
import pandas as pd
import pytest
from docx.oxml.ns import qn
from docx.shared import Mm

from riskwatch.digest import Trees
from riskwatch.errors import RiskwatchError
from riskwatch.reports.build import build_report
from riskwatch.reports.docx import render_docx
from riskwatch.reports.html import render_html
from riskwatch.reports.inputs import Input
from riskwatch.reports.model import Picture
from riskwatch.reports.numbers import interval, is_missing, number_in, printed
from riskwatch.reports.pdf import render_pdf
from tests.reports.conftest import make_inputs, origin, rules

BAD_NAMES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    '#eval("1+1") #image("/etc/passwd") $x^2$ `raw` @ref <label> *b* _e_ // c /* d */',
    "= heading\n- item\n#pagebreak()",
    "{{ 7*7 }} {% raw %} {0} {name} {",
    "=cmd|' /C calc'!A0",
    "<w:p><w:instrText>DDE</w:instrText></w:p> &amp; ]]>",
    "\u202eevil\u202c \x00\x07 \u2028",
    "\\u{41} \\ \\n",
)


class Words(HTMLParser):
    """Visible text and tags of a page."""

    def __init__(self):
        super().__init__()
        self.text, self.tags, self.links, self.skip = [], [], [], False

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.skip = tag in {"style", "title"}
        self.links += [value for name, value in attrs if name in {"src", "href"}]

    def handle_endtag(self, tag):
        self.skip = False

    def handle_data(self, data):
        if not self.skip:
            self.text.append(data)


def html_words(page):
    words = Words()
    words.feed(page)
    return words


def docx_text(content):
    document = docx.Document(io.BytesIO(content))
    parts = []
    for element in document.element.body.iter():
        if element.tag.endswith("}t"):
            parts.append(element.text or "")
        elif element.tag.endswith(("}p", "}br", "}tc")):
            parts.append(" ")
    return "".join(parts)


def pdf_text(content, tmp_path):
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is needed to read a PDF back")
    path = tmp_path / "report.pdf"
    path.write_bytes(content)
    done = subprocess.run(["pdftotext", "-raw", str(path), "-"], capture_output=True, text=True, check=True)
    return done.stdout


def numbers(text):
    """Return all numbers of a text as printed, without thousands separators and places to break."""
    joined = text.replace("\u200b", "").replace("−", "-")
    return set(re.findall(r"\d+(?:[.,]\d+)*", joined))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_all_forms_show_the_same_numbers(report, language, tmp_path):
    html = numbers(" ".join(html_words(render_html(report, language)).text))
    word = numbers(docx_text(render_docx(report, language)))
    assert html == word | ({"1"} & html)
    told = {run.text for line in report.lines() for run in line.of(language) if run.trace}
    assert numbers(" ".join(told)) <= html
    pdf = pdf_text(render_pdf(report, language), tmp_path)
    # Lines are broken within words in a PDF: compare without spaces, number by number.
    flat = re.sub(r"\s|\u200b", "", pdf.replace("−", "-"))
    missing = [number for number in sorted(html) if number not in flat]
    assert missing == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_html_is_whole_in_itself(report, language):
    words = html_words(render_html(report, language))
    assert not {"script", "link", "iframe", "object", "form"} & set(words.tags)
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in words.links)
    page = render_html(report, language)
    assert "@page" in page
    assert 'alt="' in page
    targets = {link[1:] for link in words.links if link.startswith("#")}
    assert all(f'id="{target}"' in page for target in targets)


def renamed(*names):
    class Bad:
        def name(self, code, language):
            return names[zlib.crc32(code.encode()) % len(names)]

        def level_of(self, code):
            return "leaf"

        def path(self, code):
            return [code]

    return Bad()


def hostile(name, *more):
    made = make_inputs(
        only=("items", "anomalies", "notices", "warnings", "actions", "injuries", "gaps", "coverage_cells", "rates_region", "closure")
    )
    items = made.items.frame.assign(item=[name, name + "2", name + "3"])
    anomalies = made.anomalies.frame.assign(drivers_zh=name, drivers_en=name)
    notices = made.notices.frame.assign(system=[name, name + "x"])
    bad = renamed(name, *more)
    return dataclasses.replace(
        made,
        trees=Trees(product=bad, industry=bad, region=bad),
        geometries=(),
        rules=rules(rows=3),
        items=Input(items, origin()),
        anomalies=Input(anomalies, origin()),
        notices=Input(notices, origin()),
    )


@pytest.fixture
def harmless(undrawn):
    return build_report(hostile("电热毯"), languages=("zh",))


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_cannot_inject(name, harmless, undrawn, tmp_path):
    report = build_report(hostile(name), languages=("zh",))
    plain, page = html_words(render_html(harmless, "zh")), html_words(render_html(report, "zh"))
    assert page.tags == plain.tags
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in page.links)
    made, ordinary = (docx.Document(io.BytesIO(render_docx(one, "zh"))) for one in (report, harmless))
    tags = [[element.tag for element in document.element.body.iter()] for document in (made, ordinary)]
    assert [tag for tag in tags[0] if "fldChar" in tag or "instrText" in tag] == []
    assert len(made.tables) == len(ordinary.tables)
    assert len(made.paragraphs) == len(ordinary.paragraphs)
    pdf = pdf_text(render_pdf(report, "zh"), tmp_path)
    flat = re.sub(r"[\s\u200b]", "", pdf)
    readable = re.sub(r"[\s\u200b\u2028\x00\x07\u202e\u202c]", "", name)
    # What the name says is printed as it is, and nothing of it was carried out.
    assert readable[:12] in flat
    assert "root:" not in pdf


def test_the_same_report_gives_the_same_bytes(report):
    for render in (render_pdf, render_docx, render_html):
        # Compared outside of assert: a difference of megabytes would be printed.
        same = render(report, "zh") == render(report, "zh")
        assert same, render.__name__


def test_names_in_pictures_are_drawn_as_they_stand_and_the_same_every_time():
    pictures = []
    for _ in range(2):
        made = build_report(hostile(*BAD_NAMES), languages=("zh",))
        pictures.append([block.png["zh"] for section in made.sections for block in section.blocks if isinstance(block, Picture)])
    assert len(pictures[0]) >= 2
    same = pictures[0] == pictures[1]
    assert same


def test_docx_is_made_for_readers(report):
    content = render_docx(report, "zh")
    document = docx.Document(io.BytesIO(content))
    assert sum(paragraph.style.name == "Heading 1" for paragraph in document.paragraphs) == len(report.sections) + 1
    xml = zipfile.ZipFile(io.BytesIO(content)).read("word/document.xml").decode()
    assert xml.count("w:tblHeader") == len(document.tables)
    # Every table is as wide as the text at most, and its cells as wide as its columns.
    for table in document.tables:
        grid = [int(column.get(qn("w:w"))) for column in table._tbl.tblGrid.findall(qn("w:gridCol"))]
        assert sum(grid) <= round(Mm(175).twips)
        assert [round(cell.width.twips) for cell in table.rows[0].cells] == grid
    # A short table stays on one page: all its rows but the last hold on to the next.
    short = next(table for table in document.tables if 2 < len(table.rows) <= 8)
    kept = [row.cells[0].paragraphs[0].paragraph_format.keep_with_next for row in short.rows]
    assert kept == [True] * (len(kept) - 1) + [None]
    described = re.findall(r'<wp:docPr [^>]*descr="([^"]+)"', xml)
    assert len(described) == xml.count("<wp:inline")
    styles = zipfile.ZipFile(io.BytesIO(content)).read("word/styles.xml").decode()
    assert 'w:eastAsia="SimSun"' in styles
    footer = "".join(
        zipfile.ZipFile(io.BytesIO(content)).read(name).decode()
        for name in zipfile.ZipFile(io.BytesIO(content)).namelist()
        if "footer" in name
    )
    assert "PAGE" in footer
    assert "NUMPAGES" in footer


def test_pdf_has_one_font_for_every_glyph(report, tmp_path):
    if shutil.which("pdffonts") is None:
        pytest.skip("pdffonts is needed to look at the fonts of a PDF")
    path = tmp_path / "report.pdf"
    path.write_bytes(render_pdf(report, "zh"))
    fonts = subprocess.run(["pdffonts", str(path)], capture_output=True, text=True, check=True).stdout
    families = {line.split()[0].partition("+")[2].split("-")[0] for line in fonts.splitlines()[2:]}
    assert families == {"NotoSansSC"}
    text = pdf_text(render_pdf(report, "zh"), tmp_path)
    assert "\ufffd" not in text
    assert "质量状况统计分析报告" in re.sub(r"\s", "", text)


def test_simulated_stands_on_every_form(report, tmp_path):
    real = report.model_copy(update={"header": report.header.model_copy(update={"simulated": False})})
    assert "模拟数据" in render_html(report, "zh")
    assert "模拟数据：" not in render_html(real, "zh")
    assert "模拟数据" in docx_text(render_docx(report, "zh"))
    text = pdf_text(render_pdf(report, "zh"), tmp_path)
    assert text.count("不得作为执法或处置依据") >= text.count("\f")


def test_a_language_that_was_not_drawn_is_named(undrawn):
    made = build_report(make_inputs(), languages=("zh",))
    with pytest.raises(RiskwatchError, match="pictures must be drawn for en, got zh"):
        render_pdf(made, "en")
    with pytest.raises(RiskwatchError, match="pictures must be drawn for en, got zh"):
        render_docx(made, "en")
    with pytest.raises(RiskwatchError, match="report: language must be one of zh, en, got 'fr'"):
        render_html(made, "fr")


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0.0712, "share", "7.1%"),
        (0.00042, "share", "0.042%"),
        (0.0, "share", "0.0%"),
        (0.0127, "points", "+1.3"),
        (-0.0127, "points", "−1.3"),
        (0.0, "points", "0.00"),
        (3, "persons", "<5"),
        (0, "persons", "0"),
        (5, "persons", "5"),
        (1234, "count", "1,234"),
        (None, "count", "–"),
        (float("nan"), "ratio", "–"),
        (1.234, "ratio", "1.23"),
        (0.999, "probability", ">99%"),
        (0.5, "probability", "50%"),
        (0.0003, "q", "<0.001"),
        (94.85, "plain", "94.85"),
        (-5.15, "plain", "−5.15"),
        (-20_000, "plain", "−20,000"),
        (float("inf"), "ratio", "–"),
    ],
)
def test_numbers_are_printed_one_way(value, kind, text):
    assert printed(value, kind) == text


def test_intervals_need_both_ends():
    assert interval(0.051, 0.083, "share") == "5.1–8.3%"
    assert interval(-0.002, 0.021, "points") == "−0.2 ~ +2.1"
    assert interval(0.051, None, "share") == "–"
    assert interval(-2.3, -0.2, "plain") == "−2.3 ~ −0.2"


def test_cells_of_frames_are_read_as_numbers_or_nothing():
    for cell in (None, float("nan"), np.nan, pd.NA, pd.NaT):
        assert is_missing(cell)
        assert number_in(cell) is None
    assert number_in(np.int64(7)) == 7.0
    assert number_in(np.float32(0.5)) == 0.5
    with pytest.raises(RiskwatchError, match="a figure must be a number, got '7' of type str"):
        number_in("7")
