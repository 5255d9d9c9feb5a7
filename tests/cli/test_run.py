"""``pull``, ``run`` and ``digest``: what goes to which stream, dry runs, series of runs, two at once."""

from __future__ import annotations

import json
import os
import pty
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from riskwatch.api import Project
from tests.cli.conftest import Cli

COUNTED = ("new", "changed", "same", "stale", "duplicates", "items", "rejected", "waiting")


def rows_of(folder: Path, table: str) -> int:
    database = folder / "var" / "demo" / "riskwatch.db"
    connection = sqlite3.connect(database)
    try:
        return int(connection.execute(f"select count(*) from {table}").fetchone()[0])
    finally:
        connection.close()


def test_pull_counts_every_row_and_a_second_pull_reads_nothing(last_quarter: Path, cli: Cli) -> None:
    answer = cli("pull", "--json", project=last_quarter)
    assert answer.code == 0
    for report in answer.json:
        assert report["rows"] == sum(report[name] for name in COUNTED), report["source"]
    assert sum(report["rows"] > 0 for report in answer.json) == 5
    by_source = {report["source"]: report for report in answer.json}
    assert (
        rows_of(last_quarter, "record_injury") == by_source["hospital-injury-cards"]["new"] + by_source["hospital-injury-cards"]["changed"]
    )
    again = cli("pull", "--json", project=last_quarter)
    assert again.code == 0
    assert [report["rows"] for report in again.json] == [0] * len(answer.json)


def test_pull_dry_run_writes_nothing_and_counts_alike(last_quarter: Path, cli: Cli) -> None:
    dry = cli("pull", "--dry-run", "--json", project=last_quarter)
    assert dry.code == 0
    assert [rows_of(last_quarter, table) for table in ("batch", "raw_chunk", "record_injury", "quarantine", "lease")] == [0] * 5
    wet = cli("pull", "--json", project=last_quarter)
    for before, after in zip(dry.json, wet.json, strict=True):
        assert before["rows"] == after["rows"] == sum(before[name] for name in COUNTED)
        assert (before["rejected"], before["duplicates"], before["items"]) == (after["rejected"], after["duplicates"], after["items"])


def test_pull_of_one_source_leaves_the_others(last_quarter: Path, cli: Cli) -> None:
    answer = cli("pull", "external-notices", project=last_quarter)
    assert [row["source"] for row in answer.rows] == ["external-notices"]
    assert rows_of(last_quarter, "record_injury") == 0
    assert "pull external-notices: 1 files" in answer.err, "progress goes to standard error"
    assert "pull external-notices" not in answer.out


def test_a_fault_ends_a_pull_with_1_and_the_others_are_read(last_quarter: Path, cli: Cli) -> None:
    (last_quarter / "data" / "demo" / "injuries" / "2025-11.csv").write_bytes(b"")
    answer = cli("pull", project=last_quarter)
    assert answer.code == 1
    faults = {row["source"]: row["faults"] for row in answer.rows}
    assert len(faults) == 14
    assert {source: count for source, count in faults.items() if count != "0"} == {"hospital-injury-cards": "1"}
    assert "2025-11.csv: the file is empty (0 bytes)" in answer.err
    assert rows_of(last_quarter, "record_injury") > 0


def test_progress_bars_on_a_terminal_only(last_quarter: Path) -> None:
    """Standard error on a terminal shows bars; standard output stays clean JSON."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "riskwatch", "-p", str(last_quarter), "pull", "--dry-run", "--json"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=follower, env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # Linux: the other side was closed
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    assert process.stdout is not None
    with process.stdout as stream:
        out = stream.read()
    assert process.wait() == 0
    assert b"\x1b[" in shown
    assert "pull hospital-injury-cards" in shown.decode()
    assert len(json.loads(out)) == 14


def test_run_prints_what_it_found_and_where_the_digest_lies(last_quarter: Path, cli: Cli) -> None:
    answer = cli("run", "daily", project=last_quarter)
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0] == "daily as of 2025-12-31"
    path = next(line for line in lines if line.startswith("  read ")).split(maxsplit=1)[1]
    assert Path(path).is_file()
    assert "\x1b" not in answer.out + answer.err
    quiet = cli("-q", "run", "daily", "--json", project=last_quarter)
    assert quiet.err == ""
    assert quiet.json["unchanged"] is True
    assert quiet.json["records"]["injury"] == Project(last_quarter).run("daily").records["injury"]


def test_run_dry_writes_digests_apart_and_nothing_else(last_quarter: Path, cli: Cli) -> None:
    assert cli("pull", project=last_quarter).code == 0
    answer = cli("run", "daily", "--dry-run", "--json", "--as-of", "2025-12-30", project=last_quarter)
    assert answer.code == 0
    assert (answer.json["dry_run"], answer.json["as_of"], answer.json["exit_code"]) == (True, "2025-12-30", 0)
    assert {Path(path).parent for path in answer.json["digests"]} == {last_quarter / "var" / "demo" / "dry-run" / "2025-12-30"}
    assert [rows_of(last_quarter, table) for table in ("run", "detection", "warning", "digest")] == [0] * 4
    assert not (last_quarter / "var" / "demo" / "digests").exists()


def test_a_series_of_runs_falls_on_month_ends_and_on_its_last_day(last_quarter: Path, cli: Cli) -> None:
    answer = cli(
        "run", "daily", "--from", "2025-11-05", "--as-of", "2025-12-10", "--every", "month-end", "--json", project=last_quarter
    )  # fmt: skip
    assert answer.code == 0
    assert [report["as_of"] for report in answer.json] == ["2025-11-30", "2025-12-10"]
    back = cli("run", "daily", "--as-of", "2025-11-30", project=last_quarter)
    assert (back.code, back.out) == (2, "")
    assert "as-of day 2025-11-30 lies before 2025-12-10" in back.err
    assert "--dry-run" in back.err
    late = cli("run", "daily", "--from", "2026-01-01", project=last_quarter)
    assert late.code == 2
    assert "--from 2026-01-01 lies after --as-of 2025-12-31" in late.err


def test_while_another_process_holds_the_lease_nothing_is_written_and_it_is_named(last_quarter: Path, cli: Cli) -> None:
    holder = f"is held by daily on {os.uname().nodename} (process {os.getpid()})"
    with Project(last_quarter).leased(label="daily"):
        command = [sys.executable, "-m", "riskwatch", "-p", str(last_quarter), "run", "daily"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (answer.returncode, answer.stdout) == (3, "")
        assert holder in answer.stderr
        for arguments in (["pull"], ["quarantine", "retry"], ["run", "daily", "--wait", "0.3"]):
            second = cli(*arguments, project=last_quarter)
            assert (second.code, second.out) == (3, "")
            assert holder in second.err
            assert "--wait SECONDS" in second.err
        assert rows_of(last_quarter, "batch") == 0
        assert cli("pull", "--dry-run", project=last_quarter).code == 0
    assert cli("pull", project=last_quarter).code == 0


@pytest.mark.parametrize(
    ("form", "starts"), [("en.md", "#"), ("zh.html", "<!"), ("json", "{")]
)  # fmt: skip
def test_digest_prints_one_form(form: str, starts: str, demo_project: Path, cli: Cli) -> None:
    answer = cli("digest", "changchun", "--print", form, project=demo_project)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.lstrip().startswith(starts)
    stored = demo_project / "var" / "demo" / "digests" / "2025-12-31" / f"changchun.{form}"
    assert answer.out.rstrip("\n") == stored.read_text(encoding="utf-8").rstrip("\n")


def test_digest_writes_all_forms_of_a_centre(demo_project: Path, tmp_path: Path, cli: Cli) -> None:
    answer = cli("digest", "changchun", "--out", tmp_path / "out", project=demo_project)
    assert answer.code == 0
    assert {Path(line) for line in answer.out.splitlines()} == set((tmp_path / "out").iterdir())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "changchun.en.html", "changchun.en.md", "changchun.json", "changchun.zh.html", "changchun.zh.md"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], 'no centre "nowhere" in force\nHint: centres in force: jilin-province, changchun'),
        (["changchun", "--as-of", "2024-01-01"], "no digest of centre changchun for 2024-01-01\nHint: riskwatch run daily"),
        (["changchun", "--print", "pdf"], "--print takes one of en.html, en.md, json, zh.html, zh.md, got 'pdf'"),
    ],
)
def test_a_digest_that_cannot_be_had_is_explained(arguments: list[str], message: str, demo_project: Path, cli: Cli) -> None:
    answer = cli("digest", *arguments, project=demo_project)
    assert answer.code != 0
    assert answer.out == ""
    assert message in answer.err
