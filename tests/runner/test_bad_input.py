"""Bad input from end to end: what a pull and a run say, that the good rows are stored, and that nothing is lost.

docs/bad_input.md tells the same as a table.
"""

from __future__ import annotations

import csv
import functools
import gzip
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import openpyxl
import pytest

from riskwatch.api import Project
from riskwatch.errors import LeaseHeldError, StoreError
from riskwatch.project import init_project
from riskwatch.runner import context
from riskwatch.runner.pull import PullReport, pull
from riskwatch.runner.retry import retry_quarantine
from riskwatch.store import Store
from tests.conftest import empty_folders

SOURCE = "provincial-spot-checks"
HEADER = [
    "样品编号", "抽样方式", "产品代码", "样品名称", "抽样地区代码", "抽样日期", "公告日期",
    "抽查批次", "不合格批次", "检验结论", "不合格项目",
]  # fmt: skip
GOOD = {
    "样品编号": "S1", "抽样方式": "随机", "产品代码": "P0702", "样品名称": "木椅", "抽样地区代码": "220104", "抽样日期": "2025-11-03",
    "公告日期": "2025-12-01", "抽查批次": "1", "不合格批次": "0", "检验结论": "合格", "不合格项目": "",
}  # fmt: skip
FORMULA = "=cmd|' /C calc'!A0"


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad") / "demo"
    init_project(folder)
    return folder


class Desk:
    """A small project and what is dropped on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.drop = folder / "data" / "demo" / "spot_checks"
        for name in ("spot_checks", "injuries", "notices", "indicators", "credit"):
            (folder / "data" / "demo" / name).mkdir(parents=True)
        empty_folders(folder)

    def put(self, name: str, *rows: dict[str, str], header: list[str] | None = None, encoding: str = "utf-8") -> None:
        (self.drop / name).write_bytes(self.text(*rows, header=header).encode(encoding))

    def text(self, *rows: dict[str, str], header: list[str] | None = None) -> str:
        out = io.StringIO()
        writer = csv.DictWriter(out, header or HEADER, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(GOOD | row for row in rows)
        return out.getvalue()

    def pull(self, source: str = SOURCE) -> PullReport:
        with Project(self.folder).leased(label="pull") as ctx:
            (report,) = pull(ctx, [source])
        assert_nothing_is_lost(report)
        return report

    def keys(self) -> list[str]:
        return sorted(Project(self.folder).records("spot_check")["record_key"].astype(str))

    def quarantine(self) -> list[tuple[str, int, str, str, str]]:
        with Project(self.folder).store() as store:
            frame = store.list_quarantine()
        return [tuple(row) for row in frame[["file", "row_no", "field", "rule", "value"]].to_numpy().tolist()]

    def define(self, text: str) -> None:
        (self.folder / "config" / "sources" / "more.yaml").write_text(text, encoding="utf-8")


def assert_nothing_is_lost(report: PullReport) -> None:
    told = report.new + report.changed + report.same + report.stale + report.duplicates + report.items + report.rejected + report.waiting
    assert report.rows == told


@pytest.fixture
def desk(definitions: Path, tmp_path: Path) -> Desk:
    shutil.copytree(definitions, tmp_path / "demo")
    return Desk(tmp_path / "demo")


# --- rows ---------------------------------------------------------------------------------------------------------------

BAD_ROWS = {
    "in the future": ({"抽样日期": "2031-05-01"}, "event_date", "in-future", "2031-05-01"),
    "1970-01-01": ({"抽样日期": "1970-01-01"}, "event_date", "too-early", "1970-01-01"),
    "30 February": ({"抽样日期": "2025-02-30"}, "event_date", "not-a-date", "2025-02-30"),
    "unknown product": ({"产品代码": "P9999"}, "product", "unknown-code", "P9999"),
    "unknown region": ({"抽样地区代码": "229999"}, "region", "unknown-code", "229999"),
    "negative count": ({"抽查批次": "-1"}, "inspected", "below-minimum", "-1"),
    "fraction": ({"抽查批次": "1.5"}, "inspected", "not-an-integer", "1.5"),
    "words for a count": ({"抽查批次": "一批"}, "inspected", "not-a-number", "一批"),
    "failed > inspected": ({"不合格批次": "3", "检验结论": "不合格"}, "failed", "failed-exceeds-inspected", "3 (inspected 1)"),
    "unmapped word": ({"检验结论": "待复核"}, "verdict", "unknown-value", "待复核"),
    "no key": ({"样品编号": ""}, "record_key", "missing", ""),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_is_quarantined_and_its_neighbours_are_stored(case: str, desk: Desk) -> None:
    change, field, rule, value = BAD_ROWS[case]
    desk.put("a.csv", {}, {"样品编号": "S2"} | change, {"样品编号": "S3"})
    report = desk.pull()
    assert (report.rows, report.new, report.rejected, report.faults) == (3, 2, 1, [])
    assert desk.keys() == ["S1", "S3"]
    assert ("a.csv", 2, field, rule, value) in desk.quarantine()
    with Project(desk.folder).store() as store:
        raw = json.loads(store.list_quarantine()["raw"].iloc[0])
    assert {name: text or "" for name, text in raw.items()} == GOOD | {"样品编号": "S2"} | change, "the whole row is kept"


def test_a_cell_of_a_million_characters_is_shown_cut_and_kept_whole(desk: Desk) -> None:
    long = "长" * 1_000_000
    desk.put("a.csv", {}, {"样品编号": "S2", "样品名称": long}, {"样品编号": "S3"})
    report = desk.pull()
    assert (report.new, report.rejected, report.faults) == (2, 1, [])
    ((file, row_no, field, rule, value),) = desk.quarantine()
    assert (file, row_no, field, rule) == ("a.csv", 2, "product_name", "too-long")
    assert len(value) < 500
    with Project(desk.folder).store() as store:
        assert json.loads(store.list_quarantine()["raw"].iloc[0])["样品名称"] == long


def test_a_formula_is_stored_as_text_and_exported_harmless(desk: Desk, tmp_path: Path) -> None:
    desk.put("a.csv", {"样品名称": FORMULA}, {"样品编号": "S2", "样品名称": FORMULA, "抽样日期": "2025-02-30"})
    report = desk.pull()
    assert (report.new, report.rejected) == (1, 1)
    project = Project(desk.folder)
    assert project.records("spot_check")["product_name"].astype(str).tolist() == [FORMULA]
    with project.store() as store:
        for name in ("out.csv", "out.xlsx"):
            assert store.export_quarantine(tmp_path / name) == 1
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").active
    assert sheet is not None
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert "'" + FORMULA in [cell.value for cell in cells]
    assert "f" not in {cell.data_type for cell in cells}
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        flat = [cell for row in csv.reader(file) for cell in row]
    assert "'" + FORMULA in flat
    assert FORMULA not in flat


def test_rows_with_too_many_or_too_few_cells_keep_their_text_and_number(desk: Desk) -> None:
    lines = desk.text({}, {"样品编号": "S2"}, {"样品编号": "S3"}, {"样品编号": "S4"}, {"样品编号": "S5"}).splitlines()
    lines[2] += ",塞" + "满" * 5000
    lines[4] = "S4,随机"
    (desk.drop / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    report = desk.pull()
    assert (report.rows, report.new, report.rejected, report.faults) == (5, 3, 2, [])
    assert "a.csv: 2 rows refused, the others were read: row 2: 12 cells, the header has 11" in " ".join(report.notes)
    assert [(file, row, rule) for file, row, _, rule, _ in desk.quarantine()] == [("a.csv", 2, "ragged-row"), ("a.csv", 4, "ragged-row")]
    with Project(desk.folder).leased(label="retry") as ctx:
        assert [json.loads(raw)["_text"] for raw in ctx.store.list_quarantine()["raw"]] == [lines[2], lines[4]]
        assert retry_quarantine(ctx, SOURCE) == {SOURCE: {"tried": 2, "resolved": 0, "remaining": 2}}
        assert len(ctx.store.list_quarantine()) == 2


def test_more_refused_rows_than_can_be_kept_are_a_fault_until_the_file_is_mended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("riskwatch.sources.delimited._KEPT_TEXT", 12)
    path = desk.drop / "a.csv"
    path.write_text(desk.text({}) + "S2,随机\nS3,随机\nS4,随机\n", encoding="utf-8")
    for rows in (3, 0):
        report = desk.pull()
        assert report.rows == rows
        assert ["a.csv: 1 of its refused rows are too many to keep" in fault for fault in report.faults] == [True]
    assert [row for _, row, *_ in desk.quarantine()] == [2, 3]
    desk.put("a.csv", {}, {"样品编号": "S2"}, {"样品编号": "S3"}, {"样品编号": "S4"})
    assert desk.pull().faults == []
    assert desk.keys() == ["S1", "S2", "S3", "S4"]


@pytest.mark.parametrize("killed_at", [1, 2, 3, 4])
def test_refused_rows_survive_a_kill_at_any_write(killed_at: int, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.drop / "a.csv").write_text(desk.text({}) + "S2,随机\n", encoding="utf-8")

    class Killed(BaseException):
        pass

    calls = iter(range(1, 100))
    with monkeypatch.context() as patch:
        for name in ("land", "ingest"):
            real = getattr(Store, name)

            def deadly(self: Store, *args: object, real: object = real, **kwargs: object) -> object:
                if next(calls) == killed_at:
                    raise Killed
                return real(self, *args, **kwargs)  # type: ignore[operator] # the method itself

            patch.setattr(Store, name, deadly)
        with pytest.raises(Killed):
            desk.pull()
    assert desk.pull().faults == []
    assert desk.keys() == ["S1"]
    assert desk.quarantine() == [("a.csv", 2, "", "ragged-row", "S2,随机")]


# --- keys ---------------------------------------------------------------------------------------------------------------


def test_one_key_twice_in_a_file(desk: Desk) -> None:
    desk.put("a.csv", {}, {}, {"样品名称": "另一把椅"}, {"样品编号": "S2"})
    report = desk.pull()
    assert (report.rows, report.new, report.duplicates, report.rejected) == (4, 2, 1, 1)
    assert desk.quarantine() == [("a.csv", 3, "record_key", "duplicate-key", "S1")]


def test_one_key_in_two_files_is_the_same_record_or_its_correction(desk: Desk) -> None:
    desk.put("a.csv", {}, {"样品编号": "S2"})
    desk.put("b.csv", {}, {"样品编号": "S2", "样品名称": "更正", "公告日期": "2025-12-08"}, {"样品编号": "S3"})
    report = desk.pull()
    assert (report.rows, report.new, report.changed, report.same, report.rejected) == (5, 3, 1, 1, 0)
    for day, name in (("2025-12-07", "木椅"), ("2025-12-08", "更正")):
        known = Project(desk.folder).records("spot_check", as_of=day).set_index("record_key")["product_name"]
        assert known["S2"] == name, day


def test_rows_that_add_a_test_item_are_counted_as_items(desk: Desk) -> None:
    failed = {"不合格批次": "1", "检验结论": "不合格"}
    desk.put("a.csv", failed | {"不合格项目": "甲醛"}, failed | {"不合格项目": "铅"})
    report = desk.pull()
    assert (report.rows, report.new, report.items) == (2, 1, 1)


# --- files --------------------------------------------------------------------------------------------------------------


def bad_files(desk: Desk) -> dict[str, tuple[bytes, str]]:
    """Return by name the content of files that cannot be read, and what is said of each."""
    whole = desk.text(*({"样品编号": f"B{number}"} for number in range(200)))
    return {
        "empty.csv": (b"", "empty.csv: the file is empty (0 bytes)"),
        "latin.csv": (
            b"\xff\x80\xff" + whole.encode("gb18030"),
            "latin.csv: is neither UTF-8 (byte 0xff at offset 0 does not fit) nor GB18030",
        ),
        "utf16.csv": (whole.encode("utf-16"), 'utf16.csv: is UTF-16, which is not read\nHint: save it as "CSV UTF-8"'),
        "cut.csv.gz": (gzip.compress(whole.encode())[:-20], "cut.csv.gz: the gzip file is truncated"),
        "cut.xlsx": (b"PK\x03\x04 no workbook", "cut.xlsx: "),
        "quote.csv": (whole.encode() + b'"S9,', "quote.csv: a quotation mark in row 201 is never closed"),
    }


def test_files_that_cannot_be_read_are_named_and_the_run_goes_on_with_1(desk: Desk) -> None:
    files = bad_files(desk)
    for name, (content, _) in files.items():
        (desk.drop / name).write_bytes(content)
    desk.put("good.csv", {}, {"样品编号": "S2", "产品代码": "P9999"}, {"样品编号": "S3"})
    run = Project(desk.folder).run("daily")
    assert run.exit_code == 1
    (report,) = (entry for entry in run.pulls if entry.source == SOURCE)
    assert_nothing_is_lost(report)
    assert len(report.faults) == len(files)
    for _, said in files.values():
        assert sum(said in fault for fault in report.faults) == 1, (said, report.faults)
    assert desk.keys() == ["S1", "S3"]
    assert [row[0] for row in desk.quarantine()] == ["good.csv"]
    assert any(path.name == "jilin-province.zh.html" for path in run.digests)
    again = desk.pull()
    assert (len(again.faults), again.rows) == (len(files), 0), "a file is tried again until it is mended, and the good one is not"
    for name in files:
        desk.put(name.removesuffix(".gz").replace(".xlsx", ".csv").replace("cut.csv", f"whole-{name}.csv"), {"样品编号": f"N-{name}"})
    for name in ("cut.csv.gz", "cut.xlsx"):
        (desk.drop / name).unlink()
    mended = desk.pull()
    assert (mended.faults, mended.new) == ([], len(files))


def test_bad_rows_alone_do_not_fail_a_run(desk: Desk) -> None:
    desk.put("a.csv", {}, {"样品编号": "S2", "产品代码": "P9999"})
    run = Project(desk.folder).run("daily")
    assert (run.exit_code, run.faults, run.records["spot_check"]) == (0, [], 1)
    digest = json.loads((run.digests[0].parent / "jilin-province.json").read_text(encoding="utf-8"))
    assert digest["quality"]["quarantine_open"] == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_bom_and_gb18030_are_read_as_they_are_meant(encoding: str, desk: Desk) -> None:
    desk.put("a.csv", {}, encoding=encoding)
    report = desk.pull()
    assert (report.new, report.faults) == (1, [])
    assert Project(desk.folder).records("spot_check")["product_name"].astype(str).tolist() == ["木椅"]


def test_an_unknown_header_is_a_note_and_a_missing_optional_column_too(desk: Desk) -> None:
    header = [{"样品名称": "样品品名"}.get(name, name) for name in HEADER]
    desk.put("a.csv", {"样品品名": "木椅"}, header=header)
    report = desk.pull()
    assert (report.new, report.faults) == (1, [])
    assert any("样品品名" in note for note in report.notes)
    assert any("no column for 'product_name': tried '产品名称', '样品名称'" in note for note in report.notes)


def test_a_missing_required_column_waits_whole_until_the_alias_is_added(desk: Desk) -> None:
    header = [{"检验结论": "结果判定"}.get(name, name) for name in HEADER]
    desk.put("a.csv", {"结果判定": "合格"}, {"样品编号": "S2", "结果判定": "合格"}, header=header)
    desk.put("b.csv", {"样品编号": "S3"})
    for _ in range(2):
        report = desk.pull()
        assert report.waiting == 2
        assert len(report.faults) == 1
        assert report.faults[0].startswith("a.csv: ")
        assert "'判定', '检验结论'" in report.faults[0], "the headers that were tried"
        assert "结果判定" in report.faults[0], "the headers that are there"
        assert desk.keys() == ["S3"]
    with sqlite3.connect(desk.folder / "var" / "demo" / "riskwatch.db") as connection:
        assert connection.execute("select count(*) from batch where name = 'a.csv' and state = 'landed'").fetchone() == (1,)
    path = desk.folder / "config" / "sources" / "demo.yaml"
    text = path.read_text(encoding="utf-8")
    assert "verdict: [判定, 检验结论]" in text
    path.write_text(text.replace("verdict: [判定, 检验结论]", "verdict: [判定, 检验结论, 结果判定]"), encoding="utf-8")
    (desk.drop / "a.csv").unlink()  # the raw rows were kept: the file is not needed again
    report = desk.pull()
    assert (report.new, report.waiting, report.faults) == (2, 0, [])
    assert desk.keys() == ["S1", "S2", "S3"]


def test_a_workbook_with_formulas_and_merged_cells(desk: Desk) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEADER)
    for number in (1, 2):
        sheet.append([(GOOD | {"样品编号": f"S{number}"})[name] for name in HEADER])
    sheet.merge_cells("D2:D3")
    sheet["H2"] = "=1+0"  # written by a program: no saved value
    book.save(desk.drop / "a.xlsx")
    report = desk.pull()
    assert (report.rows, report.new, report.rejected, report.faults) == (2, 1, 1, [])
    records = Project(desk.folder).records("spot_check")
    assert records["product_name"].astype(str).tolist() == ["木椅"], "a merged cell counts for each of its rows"
    assert [(row, field, rule) for _, row, field, rule, _ in desk.quarantine()] == [(1, "inspected", "missing")]


# --- servers ------------------------------------------------------------------------------------------------------------

SERVED = """sources:
  - name: served
    stream: spot_check
    label: {{zh: 接口, en: served}}
    reader: {reader}
    key: [record_key]
    columns: {{record_key: id, product: product, region: region, event_date: day, inspected: batches, failed: bad, verdict: verdict}}
    constants: {{selection: random}}
"""


def test_an_sql_source_that_is_away_is_a_fault_of_that_source(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "select * from checks where id > :cursor order by id"
    desk.define(SERVED.format(reader=f"{{kind: sql, url_env: SERVED_URL, query: '{query}', cursor: id}}"))
    desk.put("a.csv", {})
    monkeypatch.setenv("SERVED_URL", "postgresql+psycopg://watch:geheim@127.0.0.1:1/checks")
    run = Project(desk.folder).run("daily")
    assert (run.exit_code, run.records["spot_check"]) == (1, 1)
    (fault,) = run.faults
    assert fault.startswith('served: source "served": ')
    assert "SERVED_URL" in fault
    assert "geheim" not in fault
    monkeypatch.delenv("SERVED_URL")
    assert 'environment variable "SERVED_URL" is not set' in desk.pull("served").faults[0]


class Answers:
    """A server on loopback that gives the same answer to all."""

    def __init__(self) -> None:
        self.status, self.body, self.asked = 200, b"[]", 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/checks"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    server = Answers()
    yield server
    server.close()


@pytest.mark.parametrize(
    ("status", "body", "asked", "said"),
    [(429, b"", 3, "429"), (500, b"oops", 3, "500"), (200, b"<html>login</html>", None, "JSON"), (200, b'{"rows": 7}', None, "list")],
    ids=["429", "500", "garbage", "another shape"],
)
def test_an_http_source_that_fails_is_named_and_asked_again_next_time(
    status: int, body: bytes, asked: int | None, said: str, desk: Desk, answers: Answers
) -> None:
    desk.define(SERVED.format(reader=f'{{kind: http, url: "{answers.url}", retries: 2, backoff_seconds: 0.01}}'))
    answers.status, answers.body = status, body
    report = desk.pull("served")
    assert report.failed or report.faults
    assert (report.rows, len(report.faults)) == (0, 1)
    assert said in report.faults[0]
    assert asked is None or answers.asked == asked
    answers.status = 200
    row = {"id": "S1", "product": "P0702", "region": "220104", "day": "2025-11-03", "batches": 1, "bad": 0, "verdict": "pass"}
    answers.body = json.dumps([row, row | {"id": "S2", "batches": -1}]).encode()
    mended = desk.pull("served")
    assert (mended.faults, mended.new, mended.rejected) == ([], 1, 1)
    assert desk.quarantine()[0][2:] == ("inspected", "below-minimum", "-1")


# --- the database -------------------------------------------------------------------------------------------------------


def test_a_full_disk_keeps_what_was_committed_and_goes_on_when_there_is_space(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put("a.csv", {})
    desk.pull()
    desk.put("b.csv", *({"样品编号": f"B{number:05d}", "样品名称": f"椅{number:05d}" * 20} for number in range(5000)))
    with monkeypatch.context() as patch:
        patch.setattr("riskwatch.store.database._SQLITE_PRAGMAS", ("PRAGMA max_page_count=1",))  # the least: the present size
        with pytest.raises(StoreError, match="the disk or the database is full") as caught:
            desk.pull()
    assert caught.value.exit_code == 4
    assert "b.csv" in caught.value.message
    assert "free space and start again" in caught.value.hint
    assert desk.keys() == ["S1"]
    report = desk.pull()
    assert (report.new, report.faults) == (5000, [])


LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_locked_database_is_named_as_such(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put("a.csv", {})
    with Project(desk.folder).store():
        pass
    database = desk.folder / "var" / "demo" / "riskwatch.db"
    holder = subprocess.Popen([sys.executable, "-c", LOCKER, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with monkeypatch.context() as patch:
            patch.setattr(context.Store, "open", functools.partial(Store.open, busy_seconds=0.2))
            with pytest.raises(StoreError, match="the database is locked by another process") as caught:
                desk.pull()
        assert caught.value.exit_code == 4
        assert "nothing that was stored is lost" in caught.value.hint
    finally:
        holder.communicate("")
    assert desk.pull().new == 1


def test_two_runs_at_once_the_second_names_the_first_or_waits_for_it(desk: Desk) -> None:
    desk.put("a.csv", *({"样品编号": f"S{number}"} for number in range(50)))
    with Project(desk.folder).store():
        pass
    database = desk.folder / "var" / "demo" / "riskwatch.db"
    first = subprocess.Popen(
        [sys.executable, "-m", "riskwatch", "-q", "-p", str(desk.folder), "run", "daily", "--json"], stdout=subprocess.PIPE, text=True
    )
    second = Project(desk.folder)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        connection = sqlite3.connect(database)
        held = connection.execute("select holder from lease").fetchall()
        connection.close()
        if held:
            break
        time.sleep(0.01)
    with pytest.raises(LeaseHeldError, match=rf"daily on {os.uname().nodename} \(process {first.pid}\)") as caught:
        second.run("daily")
    assert caught.value.exit_code == 3
    report = second.run("daily", wait_seconds=60)
    out, _ = first.communicate()
    assert first.returncode == 0
    assert json.loads(out)["unchanged"] is False
    assert report.unchanged
    assert len(desk.keys()) == 50
