"""SQL sources: incremental, read-only, in order, and silent about passwords."""

from __future__ import annotations

import datetime as dt
import sqlite3
from decimal import Decimal

import pytest

from riskwatch.definitions.types import SqlReader
from riskwatch.errors import SourceError
from riskwatch.sources import SourceState
from riskwatch.sources.sql import decode_cursor, encode_cursor, read_sql

QUERY = "SELECT id, name, weight, day FROM cases WHERE id > :cursor ORDER BY id"


@pytest.fixture
def database(tmp_path):
    connection = sqlite3.connect(tmp_path / "lab.db")
    connection.execute("CREATE TABLE cases (id INTEGER, name TEXT, weight REAL, day TEXT)")
    connection.executemany(
        "INSERT INTO cases VALUES (?, ?, ?, ?)", [(number, f"案{number}", number / 2, "2021-03-01") for number in range(1, 11)]
    )
    connection.commit()
    yield connection
    connection.close()


@pytest.fixture
def pull(tmp_path, database):
    def run(state: SourceState | None = None, **reader):
        definition = SqlReader.model_validate({"kind": "sql", "url_env": "LAB_URL", "query": QUERY, "cursor": "id", "start": "0", **reader})
        environ = {"LAB_URL": f"sqlite:///{tmp_path / 'lab.db'}"}
        return list(read_sql(definition, source="lab", state=state or SourceState(), environ=environ))

    return run


def test_rows_come_as_canonical_text_in_chunks(pull):
    parts = pull(chunk_rows=4)
    assert [part.table.num_rows for part in parts] == [4, 4, 2]
    assert [part.first_row for part in parts] == [1, 5, 9]
    assert parts[0].table.slice(0, 2).to_pydict() == {
        "id": ["1", "2"],
        "name": ["案1", "案2"],
        "weight": ["0.5", "1"],
        "day": ["2021-03-01"] * 2,
    }
    assert all(part.last for part in parts)


def test_the_next_pull_goes_on_from_the_cursor_as_a_number(pull, database):
    cursor = pull()[-1].cursor
    assert cursor == "int:10"
    assert pull(SourceState(cursor=cursor)) == []
    database.execute("INSERT INTO cases VALUES (11, 'new', NULL, NULL)")
    database.commit()
    (part,) = pull(SourceState(cursor=cursor))
    assert part.table.to_pydict() == {"id": ["11"], "name": ["new"], "weight": [None], "day": [None]}


def test_a_pull_that_breaks_off_loses_no_ties(pull, database):
    database.execute("UPDATE cases SET id = 3 WHERE id IN (4, 5)")
    database.commit()
    first, *_ = pull(chunk_rows=4)
    assert first.table.column("id").to_pylist() == ["1", "2", "3", "3"]
    assert first.cursor == "int:2"  # a third 3 is still to come
    again = pull(SourceState(cursor=first.cursor))
    assert again[0].table.column("id").to_pylist()[:3] == ["3", "3", "3"]


def test_rows_out_of_order_are_refused_after_those_before_them(tmp_path, pull):
    with pytest.raises(SourceError, match=r'source "lab": rows must come in the order of cursor "id": row 2 has 9 after 10'):
        pull(query="SELECT id FROM cases WHERE id > :cursor ORDER BY id DESC")
    definition = SqlReader(
        kind="sql",
        url_env="U",
        cursor="id",
        start="0",
        chunk_rows=5,
        query="SELECT id FROM cases WHERE id > :cursor ORDER BY id <= 5 DESC, CASE WHEN id <= 5 THEN id ELSE -id END",
    )
    reading = read_sql(definition, source="lab", state=SourceState(), environ={"U": f"sqlite:///{tmp_path / 'lab.db'}"})
    assert next(reading).table.column("id").to_pylist() == ["1", "2", "3", "4", "5"]
    with pytest.raises(SourceError, match="row 7 has 9 after 10"):
        next(reading)


def test_a_number_compared_with_the_empty_start_is_not_silently_nothing(pull):
    (fault,) = pull(start="")
    assert fault.message == "the query gave no rows from the start value '' of cursor \"id\""
    assert 'start: "0"' in fault.hint


@pytest.mark.parametrize(
    ("reader", "message"),
    [
        (
            {"query": "DELETE FROM cases WHERE id > :cursor"},
            'source "lab": query must be a SELECT, got "DELETE FROM cases WHERE id > :cursor"',
        ),
        ({"query": "/* SELECT */ DROP TABLE cases -- :cursor"}, 'query must be a SELECT, got "DROP TABLE cases"'),
        ({"query": "SELECT id FROM cases"}, "query has no bind parameter :cursor"),
        ({"query": "SELECT name FROM cases WHERE id > :cursor"}, 'the query has no column "id" (the cursor); it has name'),
        ({"query": "SELECT id, name AS id FROM cases WHERE id > :cursor"}, 'header "id" stands twice'),
        ({"query": "SELECT NULL AS id FROM cases WHERE id > :cursor"}, 'cursor "id" is null in row 1'),
        ({"query": "SELECT id FROM nowhere WHERE id > :cursor"}, "no such table: nowhere"),
        ({"url_env": "OTHER"}, 'environment variable "OTHER" is not set'),
    ],
)
def test_wrong_queries_are_refused(pull, reader, message):
    with pytest.raises(SourceError) as caught:
        pull(**reader)
    assert message in str(caught.value)


def test_a_query_cannot_write(pull, database):
    with pytest.raises(SourceError, match=r"readonly|not authorized|syntax"):
        pull(query="WITH gone AS (SELECT 1) DELETE FROM cases WHERE id > :cursor RETURNING id")
    assert database.execute("SELECT COUNT(*) FROM cases").fetchone() == (10,)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://watch:p%40ss-w0rd@127.0.0.1:9/lab",
        "postgresql+psycopg://watch@127.0.0.1:9/lab?password=p%40ss-w0rd",
        "nosuch://watch:p%40ss-w0rd@host/lab",
        "p%40ss-w0rd",
    ],
)
def test_passwords_never_appear(url):
    definition = SqlReader(kind="sql", url_env="LAB_URL", query=QUERY, cursor="id")
    with pytest.raises(SourceError) as caught:
        list(read_sql(definition, source="lab", state=SourceState(), environ={"LAB_URL": url}))
    text = f"{caught.value} {caught.value.__cause__}"
    assert "w0rd" not in text
    assert 'source "lab"' in text


def test_an_unreachable_database_is_named_without_its_password():
    definition = SqlReader(kind="sql", url_env="LAB_URL", query=QUERY, cursor="id")
    with pytest.raises(SourceError, match=r'source "lab": postgresql\+psycopg://watch:\*\*\*@127\.0\.0\.1:9/lab: .*refused'):
        list(read_sql(definition, source="lab", state=SourceState(), environ={"LAB_URL": "postgresql+psycopg://watch:pw@127.0.0.1:9/lab"}))


@pytest.mark.parametrize(
    "value", [7, -1, 2.5, Decimal("1.10"), "007", "int:7", "", dt.date(2021, 3, 1), dt.datetime(2021, 3, 1, 8, tzinfo=dt.UTC)]
)
def test_cursors_keep_their_type(value):
    back = decode_cursor(encode_cursor(value))
    assert (back, type(back)) == (value, type(value))


def test_start_values_are_numbers_only_where_they_look_like_one():
    assert [decode_cursor(text) for text in ("0", "42", "0042", "2021-03-01", "text:42")] == [0, 42, "0042", "2021-03-01", "42"]
