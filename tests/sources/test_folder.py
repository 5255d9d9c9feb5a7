"""Drop folders: what is read, what is refused with which words, and that nothing is lost or read by halves."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskwatch.errors import SourceError
from riskwatch.sources import MAX_BATCH_ROWS, RawBatch, SourceState, open_source
from riskwatch.sources.delimited import BadRows, _is_utf8, read_delimited

CSV = "编号,名称\n01,童车\n02,\n"
ROWS = {"编号": ["01", "02"], "名称": ["童车", None]}


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / "drop" / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [CSV.encode(), CSV.encode("utf-8-sig"), CSV.encode("gb18030"), CSV.replace("\n", "\r\n").encode(), CSV.rstrip("\n").encode()],
    ids=["utf-8", "utf-8 with mark", "gb18030", "crlf", "no last line end"],
)
def test_csv_in_any_encoding_gives_the_same_rows(tmp_path, read, content):
    put(tmp_path, "a.csv", content)
    (batch,), faults = read()
    assert faults == []
    assert batch.table.to_pydict() == ROWS
    assert (batch.name, batch.first_row, batch.last, batch.cursor) == ("a.csv", 1, True, None)
    assert batch.content_key == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "the file is empty (0 bytes)"),
        (
            "a.csv",
            b"a,b\n1,\xff\xff\n",
            "is neither UTF-8 (byte 0xff at offset 6 does not fit) nor GB18030 (byte 0xff at offset 6 does not fit)",
        ),
        ("a.csv", "a,b\n1,童".encode()[:-1], "is UTF-8 that ends within a character at offset 6: the file was cut off"),
        ("a.csv", ("a,b\n1," + "童车" * 20).encode() + b"\xff\n", "is UTF-8 with a byte 0xff at offset 126 that does not fit"),
        ("a.csv", "a\n1\n".encode("utf-16"), "is UTF-16, which is not read"),
        ("a.csv", b"a,b\n1,\x00\n", "holds a NUL byte at offset 6: not a text file"),
        ("a.csv", b"a,b,a\n1,2,3\n", 'header "a" stands twice in row 1: in columns 1 and 3'),
        (
            "a.csv",
            b'a,b\n1,"never closed\n' + b"x,y\n" * 5,
            "a quotation mark in row 1 is never closed: all that follows it would be one cell",
        ),
        (
            "a.csv.gz",
            gzip.compress(CSV.encode() * 1000, mtime=0)[:-40],
            "the gzip file is truncated: it ends before its end mark; nothing of it was read",
        ),
        ("a.csv.gz", b"\x1f\x8bnonsense and more of it", "is not a sound gzip file"),
        ("a.zip", b"PK\x03\x04 broken", "is not a sound zip archive"),
        ("a.xlsx", b"PK\x03\x04 broken", "is not a sound workbook"),
        ("a.parquet", b"PAR1 not really PAR1", "is not sound Parquet"),
        ("a.7z", b"7z", 'archives of kind ".7z" are not read; .gz and .zip are'),
        ("a.docx", b"x", 'files of kind ".docx" are not read'),
        ("a.json", b'[{"a": 1},', "is not JSON"),
    ],
)
def test_an_unreadable_file_is_a_fault_and_the_others_are_read(tmp_path, read, name, content, message):
    put(tmp_path, name, content)
    put(tmp_path, "z.csv", CSV)
    batches, (fault,) = read()
    assert message in fault.message
    assert (fault.source, fault.name, fault.kind) == ("drop", name, "unreadable")
    assert [batch.name for batch in batches] == ["z.csv"]
    assert str(tmp_path) not in str(fault)


def test_a_file_with_a_header_only_is_read_to_its_end(tmp_path, read):
    put(tmp_path, "a.csv", "a,b\n")
    put(tmp_path, "b.csv", "a,b")
    put(tmp_path, "c.csv", "a,b\n\n\n")
    batches, faults = read()
    assert faults == []
    assert [(batch.name, batch.table.num_rows, batch.table.column_names, batch.last) for batch in batches] == [
        (name, 0, ["a", "b"], True) for name in ("a.csv", "b.csv", "c.csv")
    ]


def test_ragged_rows_are_refused_with_their_text_and_the_others_keep_their_numbers(tmp_path, read):
    put(tmp_path, "a.csv", 'a,b\n1,x\n2\n3,y\n\n4,"two\nlines"\n5,z,w\n6,v\n')
    batches, (fault,) = read()
    numbered = {batch.first_row + offset: row for batch in batches for offset, row in enumerate(batch.table.to_pylist())}
    assert numbered == {1: {"a": "1", "b": "x"}, 3: {"a": "3", "b": "y"}, 4: {"a": "4", "b": "two\nlines"}, 6: {"a": "6", "b": "v"}}
    assert fault.kind == "rows"
    assert fault.message == ("2 rows refused, the others were read: row 2: 1 cells, the header has 2; row 5: 3 cells, the header has 2")
    assert [(row.row_no, row.text) for row in fault.rows] == [(2, "2"), (5, "5,z,w")]
    assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]


def test_a_cell_of_a_million_characters_arrives_whole(tmp_path, read):
    put(tmp_path, "a.csv", "a,b\n1," + "险" * 1_000_000 + "\n2,x\n")
    (batch,), faults = read()
    assert faults == []
    assert len(batch.table.column("b")[0].as_py()) == 1_000_000
    assert batch.table.column("a").to_pylist() == ["1", "2"]


def test_quotation_marks_inside_cells_are_no_unclosed_quotes(tmp_path, read):
    put(tmp_path, "a.csv", 'a,b\n1,5" pipe\n2,"6"" pipe"\n')
    (batch,), faults = read()
    assert faults == []
    assert batch.table.column("b").to_pylist() == ['5" pipe', '6" pipe']


def test_headers_are_cleaned_and_nameless_columns_kept(tmp_path, read):
    put(tmp_path, "a.csv", "公告标题,,\n\n 编号 ,,名称\n1,note,童车\n")
    (batch,), _ = read(header_row=2)
    assert batch.table.to_pydict() == {"编号": ["1"], "column_2": ["note"], "名称": ["童车"]}
    _, (fault,) = read(header_row=9)
    assert fault.message == "has no header in row 9: the file ends after row 3"


def test_big_files_come_in_batches_with_one_key_and_running_numbers(tmp_path, read):
    content = "a,b\n" + "".join(f"{number},x\n" for number in range(1, 120_001))
    put(tmp_path, "a.csv", content)
    batches, _ = read()
    assert [batch.table.num_rows for batch in batches] == [50_000, 50_000, 20_000]
    assert [batch.first_row for batch in batches] == [1, 50_001, 100_001]
    assert [batch.last for batch in batches] == [False, False, True]
    assert {batch.content_key for batch in batches} == {hashlib.sha256(content.encode()).hexdigest()}
    assert batches[-1].table.column("a")[-1].as_py() == "120000"


def test_a_file_that_was_seen_is_not_parsed_again(tmp_path, read, monkeypatch):
    put(tmp_path, "a.csv", CSV)
    key = read()[0][0].content_key
    monkeypatch.setattr("riskwatch.sources.folder.read_delimited", lambda *args, **kwargs: pytest.fail("parsed again"))
    assert read(SourceState(seen_keys=frozenset({key}))) == ([], [])


def test_a_file_is_read_again_where_the_way_of_reading_it_was_mended(tmp_path, read):
    put(tmp_path, "a.csv", "title,\nid,violations\n1,2\n")
    seen = SourceState(seen_keys=frozenset({read()[0][0].content_key}))
    assert read(seen) == ([], [])
    (batch,), _ = read(seen, header_row=2)
    assert batch.table.column_names == ["id", "violations"]
    assert read(seen, header_row=2, adapter="chicago-violations")[0][0].content_key not in {batch.content_key, *seen.seen_keys}


def test_files_come_in_a_fixed_order_without_hidden_and_unfinished_ones(tmp_path, read):
    for name in ("b.csv", "a.csv", ".hidden.csv", "~$open.xlsx", "c.csv.part"):
        put(tmp_path, name, CSV)
    (tmp_path / "drop" / "A").mkdir()
    put(tmp_path, "A/z.csv", CSV)
    assert [batch.name for batch in read(pattern="**/*")[0]] == ["A/z.csv", "a.csv", "b.csv"]
    with pytest.raises(SourceError, match=r'pattern "\.\./\*" leaves its folder'):
        read(pattern="../*")


def test_a_missing_folder_is_an_error_of_the_source(tmp_path, make_definition):
    definition = make_definition({"kind": "folder", "path": "{data}/nowhere"})
    with pytest.raises(SourceError, match=r'source "drop": folder ".*nowhere" does not exist'):
        list(open_source(definition, root=tmp_path, data=tmp_path))


def test_a_file_still_being_written_is_left_for_the_next_pull(tmp_path, make_definition):
    (tmp_path / "drop").mkdir()
    path = put(tmp_path, "a.csv", CSV)
    os.utime(path, (1000.0, 1000.0))
    definition = make_definition({"kind": "folder", "path": "drop", "settle_seconds": 60})
    (fault,) = open_source(definition, root=tmp_path, data=tmp_path, clock=lambda: 1030.0)
    assert (fault.kind, fault.message) == ("settling", "was written 30 s ago and may not be complete (settle_seconds = 60)")
    (batch,) = open_source(definition, root=tmp_path, data=tmp_path, clock=lambda: 1060.0)
    assert batch.table.num_rows == 2


def test_a_file_that_changes_while_it_is_read_is_reported(tmp_path, make_definition):
    (tmp_path / "drop").mkdir()
    path = put(tmp_path, "a.csv", CSV)
    reading = open_source(make_definition({"kind": "folder", "path": "drop"}), root=tmp_path, data=tmp_path)
    next(reading)
    path.write_text(CSV + "03,x\n")
    (fault,) = reading
    assert (fault.kind, fault.message) == ("incomplete", "changed while it was being read")


# --- archives ---------------------------------------------------------------------------------------------------------


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_zip_members_are_read_one_by_one_and_bad_ones_refused(tmp_path, read):
    members = {
        "b.csv": CSV.encode(),
        "a.csv": CSV.encode("gb18030"),
        "../evil.csv": CSV.encode(),
        "/etc/evil.csv": CSV.encode(),
        "C:\\evil.csv": CSV.encode(),
        "inner.zip": zipped({"c.csv": CSV.encode()}),
        "empty.csv": b"",
        "__MACOSX/._a.csv": b"litter",
        ".DS_Store": b"litter",
    }
    put(tmp_path, "all.zip", zipped(members))
    batches, faults = read()
    assert [batch.name for batch in batches] == ["all.zip/a.csv", "all.zip/b.csv"]
    assert all(batch.table.to_pydict() == ROWS and batch.last for batch in batches)
    assert batches[0].content_key != batches[1].content_key
    messages = {fault.name.removeprefix("all.zip/"): fault.message for fault in faults}
    assert messages == {
        "../evil.csv": 'the archive names a member outside itself: "../evil.csv"',
        "/etc/evil.csv": 'the archive names a member outside itself: "/etc/evil.csv"',
        "C:\\evil.csv": 'the archive names a member outside itself: "C:\\evil.csv"',
        "inner.zip": "archives inside archives are not read",
        "empty.csv": "the file is empty (0 bytes)",
    }
    assert not (tmp_path / "evil.csv").exists()
    assert read(SourceState(seen_keys=frozenset(batch.content_key for batch in batches)))[0] == []


def test_a_damaged_member_does_not_hide_the_sound_one(tmp_path, read):
    content = bytearray(zipped({"a.csv": CSV.encode() * 50, "b.csv": CSV.encode()}))
    content[45] ^= 0xFF  # inside the compressed bytes of a.csv
    put(tmp_path, "all.zip", bytes(content))
    batches, (fault,) = read()
    assert [batch.name for batch in batches] == ["all.zip/b.csv"]
    assert fault.message.startswith("the archive's member is damaged")


def test_names_packed_on_chinese_windows_are_read_as_gb18030(tmp_path, read):
    content = zipped({"XXXX.csv": CSV.encode()}).replace(b"XXXX.csv", "抽查".encode("gb18030") + b".csv")
    put(tmp_path, "all.zip", content)
    assert read()[0][0].name == "all.zip/抽查.csv"


@pytest.mark.parametrize("name", ["bomb.csv.gz", "bomb.zip", "bomb.csv"])
def test_what_unpacks_beyond_the_limit_is_refused(tmp_path, read, name):
    plain = b"a,b\n" + b"1,2\n" * 100_000
    content = {"bomb.csv.gz": gzip.compress(plain, mtime=0), "bomb.zip": zipped({"bomb.csv": plain}), "bomb.csv": plain}[name]
    put(tmp_path, name, content)
    batches, (fault,) = read(max_bytes=100_000)
    assert batches == []
    assert "max_bytes = 100,000" in fault.message


def test_a_zip_that_lies_about_its_sizes_is_caught_while_unpacking(tmp_path, read):
    plain = b"1,2\n" * 100_000
    content = zipped({"bomb.csv": plain}).replace(len(plain).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    put(tmp_path, "bomb.zip", content)
    batches, (fault,) = read(max_bytes=100_000)
    assert batches == []
    assert "damaged" in fault.message or "max_bytes" in fault.message


def test_no_temporary_file_is_left_behind(tmp_path, read, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    put(tmp_path, "a.zip", zipped({"a.csv": CSV.encode("gb18030")}))
    put(tmp_path, "b.csv.gz", gzip.compress(CSV.encode("gb18030"), mtime=0))
    assert len(read()[0]) == 2
    assert list((tmp_path / "tmp").iterdir()) == []


# --- spreadsheets, Parquet, JSON --------------------------------------------------------------------------------------


def workbook(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "说明"
    sheet.append(["read me"])
    sheet = book.create_sheet("数据")
    sheet.append(["2021年抽查结果", None, None, None])
    sheet.merge_cells("A1:D1")
    sheet.append(["企业", "批次", "日期", "公式"])
    sheet.append(["甲", 12.0, dt.datetime(2021, 3, 1), "=B3*2"])
    sheet.append([None, 2.5, dt.datetime(2021, 3, 1, 8, 30), True])
    sheet.append([None, None, None, None])
    sheet.append(["乙", "007", None, None, "beyond the header"])
    sheet.merge_cells("A3:A4")
    book.save(path)
    book.close()


def test_a_sheet_gives_canonical_text_and_fills_merged_cells(tmp_path, read):
    workbook(tmp_path / "drop" / "a.xlsx")
    (batch,), faults = read(sheet="数据", header_row=2)
    assert faults == []
    assert batch.table.to_pydict() == {
        "企业": ["甲", "甲", "乙"],
        "批次": ["12", "2.5", "007"],
        "日期": ["2021-03-01", "2021-03-01T08:30:00", None],
        "公式": [None, "true", None],
        "column_5": [None, None, "beyond the header"],
    }


def test_a_formula_gives_its_saved_value(tmp_path, read):
    workbook(tmp_path / "drop" / "a.xlsx")
    source, target = zipfile.ZipFile(tmp_path / "drop" / "a.xlsx"), zipfile.ZipFile(tmp_path / "drop" / "b.xlsx", "w")
    with source, target:
        for name in source.namelist():
            # What a spreadsheet program adds on saving: the value beside the formula.
            target.writestr(
                name,
                source.read(name)
                .replace(b"<f>B3*2</f><v></v>", b"<f>B3*2</f><v>24</v>")
                .replace(b"<f>B3*2</f><v />", b"<f>B3*2</f><v>24</v>"),
            )
    batches, _ = read(sheet="数据", header_row=2, pattern="b.xlsx")
    assert batches[0].table.column("公式").to_pylist() == ["24", "true", None]


def test_workbooks_are_known_by_content_whatever_their_name(tmp_path, read):
    workbook(tmp_path / "a.xlsx")
    put(tmp_path, "a.xls", (tmp_path / "a.xlsx").read_bytes())
    put(tmp_path, "b.zip", zipped({"b.xlsx": (tmp_path / "a.xlsx").read_bytes()}))
    batches, faults = read(sheet="数据", header_row=2)
    assert faults == []
    assert [(batch.name, batch.table.num_rows) for batch in batches] == [("a.xls", 3), ("b.zip/b.xlsx", 3)]


def test_a_missing_sheet_or_header_is_named(tmp_path, read):
    workbook(tmp_path / "drop" / "a.xlsx")
    assert read(sheet="结果")[1][0].message == "has no sheet \"结果\"; it has '说明', '数据'"
    assert read(header_row=5)[1][0].message == 'has no header in row 5: sheet "说明" has 1 rows'


def test_parquet_gives_canonical_text(tmp_path, read):
    table = pa.table(
        {
            "code": pa.array(["0042", ""]).dictionary_encode(),
            "n": pa.array([42.0, None]),
            "x": pa.array([0.1, float("nan")], pa.float32()),
            "big": pa.array([2**60, -1]),
            "day": pa.array([dt.datetime(2021, 3, 1), dt.datetime(2021, 3, 1, 8, 30, 5)], pa.timestamp("us")),
            "date": pa.array([dt.date(2021, 3, 1), None]),
            "flag": pa.array([True, False]),
            "list": pa.array([["a", "b"], None]),
        }
    )
    pq.write_table(table, tmp_path / "drop" / "a.parquet")
    (batch,), _ = read()
    assert batch.table.to_pydict() == {
        "code": ["0042", None],
        "n": ["42", None],
        "x": ["0.1", None],
        "big": [str(2**60), "-1"],
        "day": ["2021-03-01", "2021-03-01T08:30:05"],
        "date": ["2021-03-01", None],
        "flag": ["true", "false"],
        "list": ['["a", "b"]', None],
    }
    assert read(max_bytes=10)[1][0].message.endswith("more than max_bytes = 10")


def test_json_lines_keep_digits_and_refuse_single_lines(tmp_path, read):
    lines = [
        '{"id": 10000000000000000001, "sum": 0.10, "a": {"b": [1, {"c": null}], "d": true}}',
        "[1]",
        "{broken",
        '{"id": 2, "sum": 3.0, "x": NaN}',
        '{"id": 3}',
        '{"id": "\\ud800"}',
    ]
    put(tmp_path, "a.jsonl", "\n".join(lines))
    batches, (fault,) = read()
    rows = {batch.first_row: {name: cell for name, cell in batch.table.to_pylist()[0].items() if cell is not None} for batch in batches}
    assert rows == {1: {"id": "10000000000000000001", "sum": "0.10", "a.b": '["1", {"c": null}]', "a.d": "true"}, 5: {"id": "3"}}
    assert [(row.row_no, row.message.split(":")[0]) for row in fault.rows] == [
        (2, "is not an object but list"),
        (3, "is not JSON"),
        (4, "is not JSON"),
        (6, "it holds half a character (an unpaired surrogate)"),
    ]


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8), min_size=3, max_size=3),
        max_size=20,
    ),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
)
def test_any_quoted_csv_comes_back_as_written(tmp_path_factory, rows, encoding):
    folder = tmp_path_factory.mktemp("csv")
    text = "a,b,c\n" + "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows)
    (folder / "x.csv").write_bytes(text.encode(encoding))
    bad = BadRows()
    wanted = "gb18030" if encoding == "gb18030" else "auto"
    segments = list(read_delimited(folder / "x.csv", encoding=wanted, delimiter=",", header_row=1, bad=bad, workdir=folder))
    found = [list(row.values()) for segment in segments for row in segment.table.to_pylist()]
    assert bad.total == 0
    assert found == [[cell or None for cell in row] for row in rows]


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_of_every_kind_are_read_or_reported_never_crash(tmp_path, make_definition, seed):
    rng = np.random.default_rng(seed)
    text = "编号,名称\n" + "".join(f'{number},"名{number}"\n' for number in range(200))
    workbook(tmp_path / "w.xlsx")
    pq.write_table(pa.table({"a": list(range(500))}), tmp_path / "w.parquet")
    xlsx, parquet = (tmp_path / "w.xlsx").read_bytes(), (tmp_path / "w.parquet").read_bytes()
    whole = {
        "a.csv": text.encode(), "b.csv": text.encode("gb18030"), "c.csv.gz": gzip.compress(text.encode(), mtime=0), "d.xlsx": xlsx,
        "e.parquet": parquet, "f.zip": zipped({"a.csv": text.encode(), "b.xlsx": xlsx}), "g.jsonl": b"{}\n" * 50,
        "h.xls": xlsx,
    }  # fmt: skip
    definition = make_definition({"kind": "folder", "path": "drop", "max_bytes": 10_000_000})
    (tmp_path / "drop").mkdir()
    for _ in range(20):
        for name, content in whole.items():
            damaged = np.frombuffer(content, np.uint8).copy()
            at = rng.integers(0, len(damaged), 3)
            damaged[at] = rng.integers(0, 256, 3)
            put(tmp_path, name, damaged[: None if rng.random() < 0.5 else rng.integers(1, len(damaged))].tobytes())
        parts = list(open_source(definition, root=tmp_path, data=tmp_path))
        assert {part.name.split("/")[0] for part in parts} == set(whole)
        for part in parts:
            if isinstance(part, RawBatch):
                part.table.validate(full=True)


@settings(max_examples=60, deadline=None)
@given(text=st.text(min_size=1), cut=st.integers(0, 3), broken=st.booleans())
def test_utf8_is_told_as_python_tells_it(tmp_path_factory, text, cut, broken):
    path = tmp_path_factory.mktemp("utf8") / "x"
    content = text.encode("utf-8", "surrogatepass" if broken else "ignore")
    path.write_bytes(content[: len(content) - cut])
    try:
        path.read_bytes().decode("utf-8")
        valid = True
    except UnicodeDecodeError:
        valid = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("riskwatch.sources.delimited._PIECE", 3)
        assert _is_utf8(path) == valid


def test_batches_never_exceed_the_limit():
    assert MAX_BATCH_ROWS == 50_000
