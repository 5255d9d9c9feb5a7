"""A database that is locked, full, read-only or away says so, and keeps what was committed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from riskwatch.errors import StoreError
from riskwatch.store import Store
from riskwatch.store.faults import translated
from tests.store.conftest import NOW, Loader, Raw, content_hash, parsed, spot_checks

LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


def sqlite_store(tmp_path, busy_seconds: float = 30.0) -> Store:
    return Store.open(f"sqlite:///{tmp_path}/store.db", content_hash=content_hash, busy_seconds=busy_seconds)


def test_disk_full_rolls_back_the_batch_in_hand_and_keeps_the_rest(tmp_path, monkeypatch):
    with sqlite_store(tmp_path) as store:
        Loader(store)(spot_checks(["A1"], 1, "2024-02-01"))
    monkeypatch.setattr("riskwatch.store.database._SQLITE_PRAGMAS", ("PRAGMA max_page_count=1",))  # the least: the present size
    with sqlite_store(tmp_path) as store:
        many = spot_checks([f"B{i:05d}" for i in range(5000)], 1, "2024-02-01")
        with pytest.raises(StoreError, match="the disk or the database is full") as caught:
            Loader(store)(many)
        assert caught.value.hint.startswith("free space and start again")
    monkeypatch.undo()
    with sqlite_store(tmp_path) as store:
        assert store.read_records("spot_check", ["record_key"])["record_key"].tolist() == ["A1"]
        assert Loader(store)(many).new == 5000


def test_no_space_left_of_the_operating_system():
    with (
        pytest.raises(StoreError, match="Cannot write a file in here: the disk or the database is full"),
        translated("here", "write a file"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_locked_by_another_process(tmp_path):
    with sqlite_store(tmp_path, busy_seconds=0.2) as store:
        load = Loader(store)
        load(spot_checks(["A1"]))
        # Another process, for two copies of SQLite in one process do not see each other's locks.
        holder = subprocess.Popen(
            [
                sys.executable,
                "-c",
                LOCKER,
                str(tmp_path / "store.db"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert holder.stdout.readline() == "locked\n"
            with pytest.raises(StoreError, match=r"Cannot land file-2.csv .* locked by another process") as caught:
                load(spot_checks(["A2"]))
            assert "wait for the other run" in caught.value.hint
            assert len(store.read_records("spot_check", ["record_key"])) == 1  # reading goes on meanwhile
        finally:
            holder.communicate("")
        assert load(spot_checks(["A2"])).new == 1


def test_a_server_that_is_away():
    with pytest.raises(StoreError, match="the database server cannot be reached") as caught:
        Store.open("postgresql://riskwatch:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value)
    assert "host, port and network" in caught.value.hint


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "store.db").write_text("this is a text of some length, and not a database at all\n" * 100)
    with pytest.raises(StoreError, match="the file is not a sound SQLite database"):
        sqlite_store(tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "var").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="Cannot migrate the schema in sqlite"):
        Store.open(f"sqlite:///{tmp_path}/var/store.db")


@pytest.mark.parametrize("message", ["attempt to write a readonly database", "cannot execute INSERT in a read-only transaction"])
def test_read_only(message):
    with pytest.raises(StoreError, match="the database is read-only"), translated("here", "write"):
        raise OSError(message)


# What another process runs: the same four batches, of which each corrects the record SHARED; killed after landing batch KILL_AT.
CHILD = """
import os, sys
sys.path[:0] = sys.argv[2].split(os.pathsep)
from tests.store.test_faults import load_four
load_four(sys.argv[1], kill_at=int(sys.argv[3]))
"""


def load_four(url: str, kill_at: int = -1) -> None:
    with Store.open(url, content_hash=content_hash) as store:
        for i in range(4):
            keys = [f"K{i}{j}" for j in range(50)] + ["SHARED"]
            raw = Raw("spot", "f.csv", "a" * 64, pa.table({"no": keys}), first_row=1 + 51 * i, last=i == 3)
            landed = store.land(raw, "spot_check", landed_at=NOW)
            if i == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            store.ingest(landed, parsed(spot_checks(keys, i, f"2024-02-0{i + 1}")), raw=raw.table, arrived_at=NOW)


def start_child(url: str, kill_at: int = -1) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    return subprocess.Popen([sys.executable, "-c", CHILD, url, path, str(kill_at)])


def everything(url: str) -> list[dict]:
    with Store.open(url) as store:
        frame = store.read_records("spot_check", ["record_id", "record_key", "failed", "version", "known_at", "batch_id"])
        assert list(store.pending()) == []
        return frame.astype({"known_at": "str"}).to_dict("records")


def test_a_killed_load_that_is_run_again_ends_where_an_unbroken_one_ends(url, tmp_path):
    other = f"sqlite:///{tmp_path}/unbroken.db"
    load_four(other)
    assert start_child(url, kill_at=2).wait(timeout=120) == -signal.SIGKILL
    with Store.open(url) as store:
        assert [landed.first_row for landed, _ in store.pending()] == [103]
    load_four(url)
    assert everything(url) == everything(other)


def test_two_processes_that_load_the_same_at_once_store_it_once(url):
    running = [start_child(url) for _ in range(2)]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    with Store.open(url) as store:
        frame = store.read_records("spot_check", ["record_key", "failed"])
    assert len(frame) == 201
    assert frame.set_index("record_key")["failed"]["SHARED"] == 3
