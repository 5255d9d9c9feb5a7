"""A digest as PDF, DOCX and XLSX: the same words, the same bytes every time, nothing read as markup or formula."""

from __future__ import annotations

import io
import shutil
import subprocess
import time

import docx
import openpyxl
import pytest

from riskwatch.digest import Text
from riskwatch.digest.letter import alert_letter, digest_letter
from riskwatch.reports.digest_docx import digest_docx
from riskwatch.reports.digest_pdf import digest_pdf
from riskwatch.reports.digest_xlsx import digest_xlsx
from tests.digest.conftest import AS_OF, make

HOSTILE = '=HYPERLINK("https://x","y") #eval("1+1") $x$ *b* <script> \\ \x07'


@pytest.fixture(scope="module")
def digest():
    return make()


@pytest.fixture(scope="module")
def hostile(digest):
    named = Text(zh=HOSTILE, en=HOSTILE)
    cards = tuple(card.model_copy(update={"subject": named, "reason": named}) for card in digest.warnings)
    return digest.model_copy(update={"warnings": cards})


def test_a_pdf_holds_the_words_and_comes_out_the_same(digest, hostile, tmp_path):
    page, pictures = digest_letter(digest, "zh")
    made = digest_pdf(page, pictures, AS_OF)
    assert made.startswith(b"%PDF-")
    assert made == digest_pdf(page, pictures, AS_OF)
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    text = _pdf_text(made, tmp_path)
    for card in digest.warnings[:2]:
        assert card.subject.zh in text
    assert "长春市市场监督管理局" in text
    odd = _pdf_text(digest_pdf(*digest_letter(hostile, "en"), AS_OF), tmp_path)
    assert '#eval("1+1")' in odd.replace("\n", " ").replace("\u201c", '"').replace("\u201d", '"')


def _pdf_text(content, folder):
    path = folder / "a.pdf"
    path.write_bytes(content)
    return subprocess.run(["pdftotext", "-layout", str(path), "-"], check=True, capture_output=True, text=True).stdout


def test_a_docx_holds_the_words_and_comes_out_the_same(digest):
    page, pictures = digest_letter(digest, "zh")
    made = digest_docx(page, pictures, AS_OF)
    time.sleep(0.01)
    assert made == digest_docx(page, pictures, AS_OF)
    document = docx.Document(io.BytesIO(made))
    text = "\n".join(paragraph.text for paragraph in document.paragraphs)
    assert [paragraph.text for paragraph in document.paragraphs if paragraph.style.name == "Heading 1"] == [
        section.heading for section in page.sections
    ]
    for card in digest.warnings[:2]:
        assert card.subject.zh in text
    assert len(document.inline_shapes) == len(pictures) > 0
    assert document.core_properties.language == "zh-CN"


def test_an_alert_has_these_forms_as_well(digest):
    page, pictures = alert_letter(digest, "en", digest.warnings[0].warning_id)
    assert digest_pdf(page, pictures, AS_OF).startswith(b"%PDF-")
    assert docx.Document(io.BytesIO(digest_docx(page, pictures, AS_OF))).core_properties.title.startswith("Product quality risk alert")
    book = openpyxl.load_workbook(io.BytesIO(digest_xlsx(digest, "en", digest.warnings[0].warning_id)))
    assert book["Warnings"].max_row == 2


def test_a_workbook_of_warnings_and_measures(digest):
    made = digest_xlsx(digest, "zh")
    time.sleep(1.1)
    assert made == digest_xlsx(digest, "zh"), "no clock in it"
    book = openpyxl.load_workbook(io.BytesIO(made))
    assert book.sheetnames == ["预警", "措施"]
    rows = list(book["预警"].iter_rows(min_row=2, values_only=True))
    assert [row[0] for row in rows] == [item.warning_id for item in (*digest.warnings, *digest.others)]
    lead = digest.warnings[0]
    assert rows[0][6:9] == (lead.measures[0].observed, lead.measures[0].expected, lead.measures[0].exposure)
    assert rows[0][9].date() == lead.first_seen
    measures = list(book["措施"].iter_rows(min_row=2, values_only=True))
    assert len(measures) == sum(len(card.actions) for card in digest.warnings)


def test_no_cell_is_a_formula(hostile):
    book = openpyxl.load_workbook(io.BytesIO(digest_xlsx(hostile, "en")))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert all(cell.data_type in {"s", "n", "d"} for cell in cells)
    assert any(str(cell.value).startswith("=HYPERLINK") for cell in cells)
