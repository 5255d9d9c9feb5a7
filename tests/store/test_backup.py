"""A backup holds what the store held at one instant; a restore brings back all of it or changes nothing."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import sqlite3
import stat
import subprocess
import sys
import tarfile
import uuid
from contextlib import closing
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
import sqlalchemy as sa

from riskwatch.errors import LeaseHeldError, StoreError
from riskwatch.store import EventRow, Store
from riskwatch.store.archive import compress, decompress, sha256_of
from riskwatch.store.backup import backup, restore, verify
from riskwatch.store.migrate import head_version
from riskwatch.store.pgtools import _connection, tool
from tests.faults.state import differences, state_of
from tests.store.conftest import NOW, Loader, Raw, content_hash, parsed, rejections, spot_checks

EVENT = EventRow("w1", dt.date(2024, 5, 1), 0, "new", {"zh": "新", "en": "new"}, None, "II", {"why": "多"})


def fill(url: str, keys: list[str], *, event: EventRow | None = EVENT) -> None:
    """Store records, a rejected row, a run and an event; the store is closed afterwards."""
    with Store.open(url, content_hash=content_hash) as store:
        raw = pa.table({"no": [*keys, "bad"]})
        judged = parsed(spot_checks(keys, 1, "2024-02-01"), rejected=rejections((len(keys) + 1, "failed", "below-minimum", "-1", "no")))
        Loader(store)(judged, raw)
        run = f"daily-{uuid.uuid4().hex}"
        store.start_run(run, pipeline="daily", as_of=dt.date(2024, 5, 1), now=NOW, definitions={})
        store.write_run_results(run, now=NOW, events=[event] if event else [])


@pytest.fixture
def filled(url: str) -> str:
    fill(url, ["A1", "A2", "A3"])
    return url


@pytest.fixture
def sqlite_filled(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/var/store.db"
    fill(url, ["A1", "A2", "A3"])
    return url


def state(url: str, tmp_path: Path):
    return state_of(url, tmp_path / "no-files")


def test_a_store_comes_back_as_it_was(filled, tmp_path):
    before = state(filled, tmp_path)
    target = tmp_path / "backups" / "one.riskwatch-backup"
    manifest = backup(filled, target, now=NOW)
    assert (manifest.schema_version, manifest.rows["record_spot_check"], manifest.rows["quarantine"]) == (head_version(), 3, 1)
    assert manifest.rows["warning_event"] == 1
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert verify(target) == manifest

    fill(filled, ["A4"], event=None)
    changed = state(filled, tmp_path)
    assert differences(before, changed)
    with pytest.raises(StoreError, match="a store is there") as caught:
        restore(target, filled, now=NOW)
    assert "--force" in caught.value.hint
    assert state(filled, tmp_path) == changed

    done = restore(target, filled, now=NOW, force=True)
    assert state(filled, tmp_path) == before
    if done.kept is not None:  # SQLite: what was there stays beside the restored file
        assert differences(changed, state(f"sqlite:///{done.kept}", tmp_path)) == []
    with Store.open(filled, content_hash=content_hash) as store:
        assert Loader(store)(spot_checks(["A5"])).new == 1


def test_a_store_is_restored_elsewhere(filled, tmp_path, request):
    target = tmp_path / "one.riskwatch-backup"
    backup(filled, target, now=NOW)
    if filled.startswith("sqlite"):
        other = f"sqlite:///{tmp_path}/elsewhere/store.db"
    else:
        name = f"restored_{uuid.uuid4().hex[:8]}"
        other = f"{filled.rsplit('/', 1)[0]}/{name}"
        with psycopg.connect(filled, autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name}")
    restore(target, other, now=NOW)
    assert state(other, tmp_path) == state(filled, tmp_path)
    with Store.open(other) as store:
        assert store.read_records("spot_check", ["record_key"])["record_key"].tolist() == ["A1", "A2", "A3"]
    if not filled.startswith("sqlite"):
        with psycopg.connect(filled, autocommit=True) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


WRITER = """
import os, sys
sys.path[:0] = sys.argv[2].split(os.pathsep)
from tests.store.test_backup import write_batches
write_batches(sys.argv[1])
"""


def write_batches(url: str) -> None:
    """Store batch after batch of ten records until standard input ends."""
    import select

    with Store.open(url, content_hash=content_hash) as store:
        for number in range(1_000_000):
            keys = [f"W{number}-{i}" for i in range(10)]
            raw = Raw("spot", f"{number}.csv", f"{number:064d}", pa.table({"no": keys}))
            landed = store.land(raw, "spot_check", landed_at=NOW)
            store.ingest(landed, parsed(spot_checks(keys, 1, "2024-02-01")), raw=raw.table, arrived_at=NOW)
            print(number, flush=True)
            if select.select([sys.stdin], [], [], 0)[0]:
                return


def test_a_backup_is_made_while_a_run_writes(filled, tmp_path):
    path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    writer = subprocess.Popen([sys.executable, "-c", WRITER, filled, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "0\n"
        made = []
        for number in range(2):
            target = tmp_path / f"{number}.riskwatch-backup"
            made.append(backup(filled, target, now=NOW))
            verify(target)
    finally:
        out, _ = writer.communicate("stop\n", timeout=60)
    written = int(out.split()[-1]) + 1
    for manifest in made:
        # One instant: a batch that is not judged yet has no records, a judged one has all ten.
        assert (manifest.rows["record_spot_check"] - 3) % 10 == 0
        assert 0 <= manifest.rows["batch"] - 1 - (manifest.rows["record_spot_check"] - 3) // 10 <= 1
        assert 3 <= manifest.rows["record_spot_check"] <= 3 + 10 * written
    assert made[0].rows["batch"] < made[-1].rows["batch"]


# --- backups that are not sound ----------------------------------------------------------------------------------------


def rewrite(path: Path, *, manifest: dict | None = None, sql: str = "", payload: bytes | None = None, name: str = "") -> None:
    """Change a SQLite backup as someone might who knows the format."""
    work = path.with_suffix(".work")
    with tarfile.open(path) as tar:
        head = json.loads(tar.extractfile("manifest.json").read())
        content = tar.extractfile(head["payload"]).read()
    if sql:
        packed, plain = work.with_suffix(".zst"), work.with_suffix(".db")
        packed.write_bytes(content)
        decompress(packed, plain)
        with closing(sqlite3.connect(plain)) as connection:
            connection.execute(sql)
            connection.commit()
        compress(plain, packed)
        content = packed.read_bytes()
        head |= {"sha256": sha256_of(packed), "size": len(content)}
    content = content if payload is None else payload
    head |= manifest or {}
    with tarfile.open(path, "w") as tar:
        for member, data in (("manifest.json", json.dumps(head).encode()), (name or head["payload"], content)):
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sql": "DELETE FROM record_spot_check WHERE record_key = 'A2'"}, "table record_spot_check has 2 rows, the manifest says 3"),
        ({"sql": "UPDATE warning_event SET reason = '{}'"}, "the newest row of warning_event is not the one of the manifest"),
        ({"sql": "CREATE TABLE more (a INTEGER)"}, "table more has 0 rows, the manifest says none"),
        ({"sql": "UPDATE alembic_version SET version_num = '0001'"}, f"schema version is 0001, the manifest says {head_version()}"),
        ({"payload": b"x" * 100}, "has 100 bytes, the manifest says"),
        ({"payload": b"x" * 100, "manifest": {"size": 100}}, "the sha256 of store.db.zst is"),
        ({"name": "../../store.db.zst"}, "it has no store.db.zst"),
        ({"manifest": {"payload": "../../store.db.zst"}, "name": "../../store.db.zst"}, "it has no store.db.zst"),
        ({"manifest": {"format": 2}}, "manifest.json: format: Input should be less than or equal to 1"),
        ({"manifest": {"more": 1}}, "manifest.json: more: Extra inputs are not permitted"),
    ],
)
def test_a_changed_backup_is_refused_and_the_store_stays(sqlite_filled, tmp_path, change, message):
    target = tmp_path / "one.riskwatch-backup"
    backup(sqlite_filled, target, now=NOW)
    before = state(sqlite_filled, tmp_path)
    rewrite(target, **change)
    for use in (lambda: verify(target), lambda: restore(target, sqlite_filled, now=NOW, force=True)):
        with pytest.raises(StoreError, match=message) as caught:
            use()
        assert caught.value.exit_code == 4
    assert state(sqlite_filled, tmp_path) == before
    assert sorted(path.name for path in (tmp_path / "var").iterdir()) == ["store.db"]


def test_a_backup_that_is_cut_off_or_none_at_all(sqlite_filled, tmp_path):
    target = tmp_path / "one.riskwatch-backup"
    manifest = backup(sqlite_filled, target, now=NOW)
    whole = target.read_bytes()
    target.write_bytes(whole[: 512 + len(manifest.model_dump_json()) + 2000])
    with pytest.raises(StoreError, match="Cannot use the backup"):
        verify(target)
    target.write_bytes(b"")
    with pytest.raises(StoreError, match="no tar or is cut off"):
        verify(target)
    with pytest.raises(StoreError, match="there is no such file"):
        verify(tmp_path / "none")
    with pytest.raises(StoreError, match="there is no store"):
        backup(f"sqlite:///{tmp_path}/none.db", target, now=NOW)
    assert not (tmp_path / "none.db").exists()


def test_a_failed_backup_leaves_the_one_before(sqlite_filled, tmp_path, monkeypatch):
    target = tmp_path / "one.riskwatch-backup"
    backup(sqlite_filled, target, now=NOW)
    before = target.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("riskwatch.store.archive.os.fsync", full)
    with pytest.raises(StoreError, match=r"Cannot write the backup in .*: the disk or the database is full"):
        backup(sqlite_filled, target, now=NOW)
    assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.riskwatch-backup", "var"]


def test_a_backup_of_a_newer_schema_or_another_database_is_refused(sqlite_filled, tmp_path):
    target = tmp_path / "one.riskwatch-backup"
    backup(sqlite_filled, target, now=NOW)
    with pytest.raises(StoreError, match="the backup is of sqlite, the store is postgresql"):
        restore(target, "postgresql://riskwatch@127.0.0.1:1/none", now=NOW)
    rewrite(target, manifest={"schema_version": "9999"})
    with pytest.raises(StoreError, match='its schema version is "9999", this riskwatch knows') as caught:
        restore(target, sqlite_filled, now=NOW, force=True)
    assert "install riskwatch" in caught.value.hint


# --- a store that is in use --------------------------------------------------------------------------------------------


def test_a_run_at_work_is_not_restored_over_and_its_lease_is_not_kept(filled, tmp_path):
    target = tmp_path / "one.riskwatch-backup"
    with Store.open(filled) as store:
        store.lease("run", clock=lambda: NOW, holder="daily on elsewhere (process 1)", seconds=900)
    backup(filled, target, now=NOW)
    with pytest.raises(LeaseHeldError, match='the lease "run" is held by daily on elsewhere') as caught:
        restore(target, filled, now=NOW, force=True)
    assert caught.value.exit_code == 3
    restore(target, filled, now=NOW + dt.timedelta(hours=1), force=True)
    with Store.open(filled) as store:
        store.lease("run", clock=lambda: NOW, holder="another", seconds=900)


READER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("SELECT count(*) FROM batch").fetchone()[0], flush=True)
sys.stdin.read()
"""


def test_a_file_that_another_process_has_open_is_not_swapped(sqlite_filled, tmp_path):
    target = tmp_path / "one.riskwatch-backup"
    backup(sqlite_filled, target, now=NOW)
    database = tmp_path / "var" / "store.db"
    reader = subprocess.Popen([sys.executable, "-c", READER, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "1\n"
        with pytest.raises(StoreError, match="the database is locked by another process"):
            restore(target, sqlite_filled, now=NOW, force=True)
    finally:
        reader.communicate("")
    restore(target, sqlite_filled, now=NOW, force=True)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


# --- PostgreSQL's programs ---------------------------------------------------------------------------------------------


@pytest.fixture
def postgres_filled(postgres_server):
    name = f"backup_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(postgres_server, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        url = f"{postgres_server.rsplit('/', 1)[0]}/{name}"
        fill(url, ["A1", "A2", "A3"])
        yield url
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_programs_that_are_missing_are_named(postgres_filled, tmp_path, monkeypatch):
    monkeypatch.setenv("PG_BINDIR", str(tmp_path))
    with pytest.raises(StoreError, match="the program pg_dump is not here") as caught:
        backup(postgres_filled, tmp_path / "one", now=NOW)
    assert "postgresql-client" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_dump_that_lacks_rows_leaves_the_old_store(postgres_filled, tmp_path):
    target = tmp_path / "one.riskwatch-backup"
    backup(postgres_filled, target, now=NOW)
    before = state(postgres_filled, tmp_path)
    with tarfile.open(target) as tar:
        rows = json.loads(tar.extractfile("manifest.json").read())["rows"]
    rewrite(target, manifest={"rows": rows | {"record_spot_check": 4}})
    with pytest.raises(StoreError, match="table record_spot_check has 3 rows, the manifest says 4"):
        restore(target, postgres_filled, now=NOW, force=True)
    assert state(postgres_filled, tmp_path) == before
    rewrite(target, manifest={"rows": rows | {"no_such_table": 4}})
    with pytest.raises(StoreError, match="the dump lacks the rows of no_such_table"):
        verify(target)


def test_a_table_that_came_later_goes_with_the_old_store(postgres_filled, tmp_path):
    """A store that is restored to an older schema must migrate again: tables of newer versions must not be in the way."""
    target = tmp_path / "one.riskwatch-backup"
    backup(postgres_filled, target, now=NOW)
    with psycopg.connect(postgres_filled, autocommit=True) as connection:
        connection.execute("CREATE TABLE came_later (a integer)")
    restore(target, postgres_filled, now=NOW, force=True)
    engine = sa.create_engine(sa.make_url(postgres_filled).set(drivername="postgresql+psycopg"))
    assert not sa.inspect(engine).has_table("came_later")
    engine.dispose()


def test_a_password_goes_by_the_environment_alone():
    arguments, environment = _connection(sa.make_url("postgresql://user:se%40cret@db.example:5433/store?sslmode=require"))
    assert arguments[-1] == "--dbname=postgresql://user@db.example:5433/store?sslmode=require"
    assert environment["PGPASSWORD"] == "se@cret"


def test_the_newest_programs_are_taken(postgres_server):
    for name in ("pg_dump", "pg_restore", "psql"):
        assert os.access(tool(name), os.X_OK)
