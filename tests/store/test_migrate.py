"""One schema in two databases, the same as declared."""

from __future__ import annotations

import datetime as dt

import alembic.command
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.pool import NullPool

from riskwatch.errors import StoreError
from riskwatch.records.policy_streams import POLICY_STREAMS
from riskwatch.records.streams import STREAMS
from riskwatch.store import Store
from riskwatch.store.database import Database
from riskwatch.store.migrate import _config, head_version, schema_version
from riskwatch.store.tables import BOOKKEEPING, ITEM_TABLES, RECORD_TABLES, metadata, signal, warning, warning_event


def test_the_migrations_make_exactly_the_declared_tables(url):
    Store.open(url).close()
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_opening_twice_is_harmless_and_the_version_is_told(url):
    for _ in range(2):
        with Store.open(url) as store:
            assert schema_version(store.database) == head_version() == "0008"


def test_a_newer_schema_is_refused(url):
    Store.open(url).close()
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match='its schema version is "9999", this riskwatch knows versions up to "0008"') as caught:
        Store.open(url)
    assert "newer riskwatch" in caught.value.hint


def test_a_new_sqlite_file_is_made_with_large_pages_and_a_log(tmp_path):
    with Store.open(f"sqlite:///{tmp_path}/deep/down/store.db") as store, store.database.session("look") as session:
        for pragma, expected in (("journal_mode", "wal"), ("page_size", 16384), ("foreign_keys", 1), ("synchronous", 1)):
            column = sa.column(pragma, sa.Text if isinstance(expected, str) else sa.BigInteger)
            assert session.scalar(sa.select(column).select_from(sa.text(f"pragma_{pragma}"))) == expected


def test_personal_fields_are_columns_of_record_tables_only():
    personal = {field.name for stream in STREAMS.values() for field in stream.all_fields if field.personal}
    kept = {table.name for table in (*RECORD_TABLES.values(), *ITEM_TABLES.values())}
    elsewhere = {column.name for table in metadata.tables.values() if table.name not in kept for column in table.columns}
    assert personal.isdisjoint(elsewhere)
    for table in (signal, warning, warning_event):
        assert personal.isdisjoint(table.c.keys())


def test_every_stream_has_a_table_with_all_its_fields():
    for name, stream in STREAMS.items():
        expected = {field.name for field in stream.all_fields} | set(BOOKKEEPING)
        assert set(RECORD_TABLES[name].c.keys()) == expected
        assert (name in ITEM_TABLES) == bool(stream.items)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("mysql://host/db", 'a store is "sqlite:///FILE" or "postgresql://...", got "mysql"'),
        ("sqlite://", "SQLite needs a file, not memory"),
        ("sqlite:///:memory:", "SQLite needs a file, not memory"),
        ("nonsense", "it is not a database URL"),
    ],
)
def test_urls_that_are_no_store(bad, message):
    with pytest.raises(StoreError, match=message):
        Database(bad)


def test_a_password_is_never_shown():
    assert "secret" not in Database("postgresql://user:secret@127.0.0.1:1/db").shown


def test_a_store_of_version_2_gains_the_streams_of_the_policies_and_keeps_its_rows(url):
    Store.open(url).close()
    engine = sa.create_engine(url, poolclass=NullPool)
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.downgrade(config, "0002")
        assert not sa.inspect(connection).has_table("record_complaint")
        connection.execute(
            sa.text(
                "INSERT INTO record_enterprise_credit (record_id, key_hash, version, known_at, event_date, enterprise, source, record_key, "
                "credit_class, content_hash, batch_id, row_no) VALUES (1, 1, 1, '2025-01-01', '2025-01-01', 'E1', 's', 'k', 'A', 1, 1, 1)"
            )
        )
    with Store.open(url) as store:
        assert schema_version(store.database) == head_version()
        assert store.count_records("enterprise_credit", dt.date(2025, 1, 2)) == 1
        for stream in POLICY_STREAMS:
            assert store.count_records(stream.name, dt.date(2025, 1, 2)) == 0
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()
