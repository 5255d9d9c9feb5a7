"""Dropped files that were made to harm: each is a fault of its own, and the sound file beside it is read."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable

import openpyxl
import pytest

from riskwatch.sources.unpack import _MAX_ENTRIES

CSV = b"id,p\n1,a\n"
ROWS = {"id": ["1"], "p": ["a"]}


def zipped(members: dict[str | zipfile.ZipInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3  # Unix
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry, target.encode()


@pytest.fixture
def refused(tmp_path, read):
    """Drop a file beside a sound one and return what is said of it."""

    def drop(name: str, content: bytes, **reader) -> list[str]:
        (tmp_path / "drop" / name).write_bytes(content)
        (tmp_path / "drop" / "zz.csv").write_bytes(CSV)
        batches, faults = read(**reader)
        assert [batch.table.to_pydict() for batch in batches] == [ROWS]
        assert faults
        return [fault.message for fault in faults]

    return drop


# --- archives ---------------------------------------------------------------------------------------------------------


def test_a_bomb_within_max_bytes_is_told_by_its_ratio(refused):
    plain = b"id,p\n" + b"0" * 60_000_000
    for name, content in (("bomb.zip", zipped({"a.csv": plain})), ("bomb.csv.gz", gzip.compress(plain))):
        assert any("250 times as large as it was packed" in message for message in refused(name, content))


def test_an_archive_of_many_files_is_refused(refused):
    (message,) = refused("many.zip", zipped({f"{number}.csv": b"" for number in range(_MAX_ENTRIES + 1)}))
    assert message == "the archive holds 10,001 entries, more than 10,000; nothing of it was read"


def test_links_in_archives_are_refused(refused):
    messages = refused("links.zip", zipped(dict([link("a.csv", "/etc/passwd"), link("b.csv", "../../secret.csv")])))
    assert messages == ["the archive's member is a link or a device, no file"] * 2


@pytest.mark.parametrize("name", ["all.tar", "all.tar.gz", "all.tgz"])
def test_tar_archives_are_not_opened_whatever_they_hold(refused, name):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz" if name != "all.tar" else "w") as archive:
        for path in ("../evil.csv", "/evil.csv"):
            entry = tarfile.TarInfo(path)
            entry.size = len(CSV)
            archive.addfile(entry, io.BytesIO(CSV))
        entry = tarfile.TarInfo("link.csv")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    (message,) = refused(name, out.getvalue())
    assert message.startswith("archives of kind")


def test_a_link_out_of_the_drop_folder_is_not_followed(tmp_path, refused):
    (tmp_path / "secret.csv").write_bytes(b"id,p\n9,secret\n")
    (tmp_path / "drop" / "a.csv").symlink_to(tmp_path / "secret.csv")
    assert refused("b.bin", b"x")[0] == "is a link that leads out of the folder"


# --- workbooks --------------------------------------------------------------------------------------------------------


def workbook(change: Callable[[bytes], bytes], part: str = "xl/worksheets/sheet1.xml") -> bytes:
    """Make a sound workbook, and let a test spoil one part of it."""
    book = openpyxl.Workbook()
    book.active.append(["id", "p"])
    book.active.append([1, "a"])
    made = io.BytesIO()
    book.save(made)
    with zipfile.ZipFile(made) as archive:
        return zipped({name: change(archive.read(name)) if name == part else archive.read(name) for name in archive.namelist()})


def after_rows(text: bytes) -> Callable[[bytes], bytes]:
    return lambda sheet: sheet.replace(b"</sheetData>", text + b"</sheetData>")


@pytest.mark.parametrize(
    "cell",
    [
        b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
        b'<row r="1048576"><c><v>1</v></c></row><row r="9"><c r="XFD9" s="1"><v>1</v></c></row>',
        b"<row\n r='1048576' ><c s='1'\tr = 'xfd1048576'><v>1</v></c></row>",
        b'<x:row r="1048576"><x:c r="XFD1048576"><x:v>1</x:v></x:c></x:row>',
    ],
)
def test_a_cell_in_the_last_corner_does_not_take_all_memory(refused, cell):
    """Without the check this file of five kilobytes ends the process: the reader asks for half a terabyte."""
    (message,) = refused("far.xlsx", workbook(after_rows(cell)))
    assert message == "xl/worksheets/sheet1.xml spans 1,048,576 rows x 16,384 columns, more than 30,000,000 cells"


def test_a_stray_cell_within_reason_is_read(tmp_path, read):
    (tmp_path / "drop" / "a.xlsx").write_bytes(workbook(after_rows(b'<row r="900"><c r="AZ900"><v>1</v></c></row>')))
    (batch,), faults = read()
    assert (batch.table.num_rows, faults) == (2, [])


def ods(rows: str) -> bytes:
    spaces = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text"))
    body = f'<office:body><office:spreadsheet><table:table table:name="S">{rows}</table:table></office:spreadsheet></office:body>'
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>'
    )
    content = f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces}>{body}</office:document-content>'
    return zipped({"mimetype": kind.encode(), "META-INF/manifest.xml": manifest.encode(), "content.xml": content.encode()})


def ods_row(*cells: str, times: int = 1) -> str:
    return f'<table:table-row table:number-rows-repeated="{times}">{"".join(cells)}</table:table-row>'


def ods_cell(text: str, times: int = 1) -> str:
    return (
        f'<table:table-cell office:value-type="string" table:number-columns-repeated="{times}"><text:p>{text}</text:p></table:table-cell>'
    )


EMPTY = '<table:table-cell table:number-columns-repeated="16384"/>'


def test_repeated_cells_count_and_empty_ends_do_not(tmp_path, refused, read):
    head = ods_row(ods_cell("id"), ods_cell("p"))
    (message,) = refused("bomb.ods", ods(head + ods_row(ods_cell("a", 16384), times=1_048_575)))
    assert message == "content.xml spans 1,048,576 rows x 16,384 columns, more than 30,000,000 cells"
    (tmp_path / "drop" / "bomb.ods").unlink()
    (tmp_path / "drop" / "zz.csv").unlink()
    (tmp_path / "drop" / "sound.ods").write_bytes(
        ods(head + ods_row(ods_cell("1"), ods_cell("a"), EMPTY) + ods_row(EMPTY, times=1_048_573))
    )
    (batch,), faults = read()
    assert (batch.table.to_pydict(), faults) == (ROWS, [])


def test_a_part_that_is_larger_than_it_says_is_refused(refused):
    plain = b"<sst>" + b" " * 3_000_000 + b"</sst>"
    content = workbook(lambda text: text)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    lying = zipped(members | {"xl/sharedStrings.xml": plain}).replace(len(plain).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    (message,) = refused("lie.xlsx", lying, max_bytes=1_000_000)
    assert message.startswith("is not a sound workbook: Bad CRC-32")


def entities(sheet: bytes, declared: bytes, used: bytes) -> bytes:
    start = sheet.index(b"<worksheet")
    return b'<?xml version="1.0"?><!DOCTYPE x [' + declared + b"]>" + sheet[start:].replace(b"<v>1</v>", b"<v>" + used + b"</v>")


def test_entities_in_workbooks_are_neither_expanded_nor_fetched(tmp_path, read):
    laughs = b'<!ENTITY a "ha">' + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    secret = tmp_path / "secret.txt"
    secret.write_text("top-secret", encoding="utf-8")
    outside = b'<!ENTITY a SYSTEM "file://%s">' % str(secret).encode()
    for number, (declared, used) in enumerate([(laughs, b"&j;"), (outside, b"&a;")]):
        content = workbook(lambda sheet, declared=declared, used=used: entities(sheet, declared, used))
        (tmp_path / "drop" / f"{number}.xlsx").write_bytes(content)
    batches, faults = read()
    told = repr([batch.table.to_pydict() for batch in batches]) + repr(faults)
    assert "top-secret" not in told
    assert "haha" not in told
    assert len(told) < 2000
