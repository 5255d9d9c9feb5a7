"""Every test of the store runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import datetime as dt
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa
import pytest

from riskwatch.records.streams import STREAMS
from riskwatch.store import Store
from riskwatch.store.migrate import head_version
from riskwatch.store.tables import metadata

NOW = dt.datetime(2024, 5, 1, 4, tzinfo=dt.UTC)  # noon in Shanghai


@dataclass(frozen=True)
class Parsed:
    records: pd.DataFrame
    items: pd.DataFrame
    rejected: pd.DataFrame
    merged: pd.DataFrame


@dataclass(frozen=True)
class Raw:
    source: str
    name: str
    content_key: str
    table: pa.Table
    first_row: int = 1
    cursor: str | None = None
    last: bool = True


def content_hash(records: pd.DataFrame, items: pd.DataFrame) -> np.ndarray:
    """Stand in for riskwatch.records.hashing: the count of failures is all the content that these tests change."""
    del items
    return records["failed"].to_numpy().astype(np.int64) if "failed" in records else records["persons"].to_numpy().astype(np.int64)


def spot_checks(
    keys: list[str], failed: list[int] | int = 0, known: str | list[str | None] | None = None, first_row: int = 1, **columns: object
) -> pd.DataFrame:
    """Make parsed spot-check records, as records.parse returns them."""
    rows = len(keys)
    defaults: dict[str, object] = {
        "selection": "random",
        "verdict": "pass",
        "inspected": 1,
        "event_date": "2024-01-10",
        "product": "0101",
        "region": "220100",
    }
    frame = pd.DataFrame(index=range(rows))
    for each in STREAMS["spot_check"].all_fields:
        value = columns.get(each.name, defaults.get(each.name))
        values = value if isinstance(value, list) else [value] * rows
        if each.kind == "date":
            frame[each.name] = pd.to_datetime(pd.Series(values)).astype("datetime64[s]")
        elif each.kind == "bool":
            frame[each.name] = pd.array(values, dtype="boolean")
        elif each.kind == "int":
            frame[each.name] = pd.Series(values, dtype="float64").fillna(0).astype("int64")
        elif each.choices:
            frame[each.name] = pd.Categorical(values, categories=list(each.choices))
        else:
            frame[each.name] = pd.Series(values, dtype="str")
    frame["record_key"] = pd.Series(keys, dtype="str")
    frame["failed"] = failed
    frame["row_no"] = np.arange(first_row, first_row + rows)
    frame["known_on"] = pd.to_datetime(pd.Series(known if isinstance(known, list) else [known] * rows, dtype="object")).astype(
        "datetime64[s]"
    )
    return frame


def no_items() -> pd.DataFrame:
    return pd.DataFrame({name: [] for name in ("record_key", "item_no", "row_no", *(each.name for each in STREAMS["spot_check"].items))})


def rejections(*rows: tuple[int, str, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["row_no", "field", "rule", "value", "message"])


def parsed(
    records: pd.DataFrame,
    items: pd.DataFrame | None = None,
    rejected: pd.DataFrame | None = None,
    merged: list[tuple[int, int]] | None = None,
) -> Parsed:
    return Parsed(
        records,
        no_items() if items is None else items,
        rejections() if rejected is None else rejected,
        pd.DataFrame([(*entry, "duplicate")[:3] for entry in merged or []], columns=["row_no", "into", "reason"]),
    )


@dataclass
class Loader:
    """Lands and ingests frames as if each were a file."""

    store: Store
    source: str = "spot"
    now: dt.datetime = NOW
    files: int = field(default=0)

    def __call__(self, judged: Parsed | pd.DataFrame, raw: pa.Table | None = None, content_key: str = "", now: dt.datetime | None = None):
        judged = judged if isinstance(judged, Parsed) else parsed(judged)
        self.files += 1
        table = raw if raw is not None else pa.table({"no": pa.array([str(key) for key in judged.records["record_key"]], pa.string())})
        batch = Raw(self.source, f"file-{self.files}.csv", content_key or uuid.uuid4().hex, table)
        landed = self.store.land(batch, "spot_check", landed_at=now or self.now)
        return self.store.ingest(landed, judged, raw=table, arrived_at=now or self.now)


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> Iterator[tuple[str, psycopg.Connection]]:
    """A database of this test session with the schema, and a connection to sweep it."""
    name = f"riskwatch_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        url = postgres_server.rsplit("/", 1)[0] + f"/{name}"
        Store.open(url).close()
        with psycopg.connect(url, autocommit=True) as connection:
            yield url, connection
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "store.db"
    Store.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty store of the test's own."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "store.db")
        yield f"sqlite:///{tmp_path}/store.db"
        return
    found, connection = request.getfixturevalue("postgres_database")
    yield found
    tables = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
    connection.execute(f"TRUNCATE {tables}")
    connection.execute("UPDATE alembic_version SET version_num = %s", [head_version()])


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url, content_hash=content_hash) as opened:
        yield opened


@pytest.fixture
def load(store: Store) -> Loader:
    return Loader(store)
