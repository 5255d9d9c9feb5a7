"""The hash chain over events: what tampering with SQL leaves behind, and what a migration makes of an old store."""

from __future__ import annotations

import dataclasses
import datetime as dt

import alembic.command
import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from riskwatch.errors import CaseworkError
from riskwatch.store import CaseRow, EventRow, SilenceRow, Store
from riskwatch.store.chain import GENESIS, row_hash
from riskwatch.store.migrate import _config, head_version, schema_version
from tests.store.conftest import NOW

DAY = dt.date(2024, 5, 1)


def warning_event(number: int, kind: str = "new") -> EventRow:
    return EventRow(f"w{number}", DAY, number, kind, {"zh": "新", "en": "new"}, "NONE", "III", {"cause": "opened", "n": number})


def act(case: str, seq: int, kind: str = "comment", note: str = "looked at") -> CaseRow:
    return CaseRow(f"{case}-{seq}", case, seq, DAY, kind, "desk", "2024-05-01T04:00:00.000000Z", {"stage": "verify", "note": note})


def automatic(case: str, seq: int, kind: str = "escalated") -> CaseRow:
    return CaseRow(f"auto-{case}-{kind}", case, seq, DAY, kind, "", None, {"stage": "verify", "owner": "prefecture"})


def write_run(store: Store, run: str, events: list[EventRow], cases: list[CaseRow]) -> None:
    store.start_run(run, pipeline="daily", as_of=DAY, now=NOW, definitions={})
    store.write_run_results(run, now=NOW, events=events, case_events=cases)


def sql(url: str, *statements: str) -> None:
    """Do to the database what a hand with a client would do."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture
def filled(store: Store) -> Store:
    """Return a store with seven events: four of a run, one of which is automatic, then three of people."""
    write_run(store, "r1", [warning_event(1), warning_event(2), warning_event(3)], [automatic("w1", 1)])
    store.write_acts([act("w1", 2), act("w2", 1), act("w2", 2)])
    return store


def test_an_untouched_chain_is_whole_and_runs_through_both_tables(filled: Store) -> None:
    audit = filled.audit()
    assert (audit.events, audit.findings) == (7, ())
    assert audit.head != GENESIS
    assert filled.audit(audit.head).since_head == 0
    assert Store.audit(filled, "").since_head is None


def test_an_empty_store_has_the_first_hash(store: Store) -> None:
    assert store.audit() == dataclasses.replace(store.audit(GENESIS), since_head=None)
    assert store.audit().head == GENESIS


@pytest.mark.parametrize(
    ("statement", "link"),
    [
        ("UPDATE warning_event SET grade_after = 'IV' WHERE warning_id = 'w2'", 2),
        ("UPDATE warning_event SET reason = '{}' WHERE warning_id = 'w1'", 1),
        ("UPDATE case_event SET actor = 'other' WHERE event_id = 'w2-1'", 6),
        ("UPDATE case_event SET payload = '{\"stage\":\"close\"}' WHERE event_id = 'w2-2'", 7),
        ("UPDATE case_event SET happened_at = '2024-04-01T00:00:00.000000Z' WHERE event_id = 'w1-2'", 5),
        ("UPDATE case_event SET as_of = '2024-04-01' WHERE event_id = 'auto-w1-escalated'", 4),
    ],
)
def test_a_changed_event_is_found(filled: Store, url: str, statement: str, link: int) -> None:
    filled.close()
    sql(url, statement)
    assert [(one.kind, one.link) for one in filled.audit().findings] == [("changed", link)]


@pytest.mark.parametrize(
    ("statement", "link", "what"),
    [
        ("DELETE FROM warning_event WHERE warning_id = 'w1'", 1, "event 1"),
        ("DELETE FROM case_event WHERE case_id = 'w1'", 4, "events 4 to 5"),
        ("DELETE FROM case_event WHERE event_id = 'w2-1'", 6, "event 6"),
    ],
)
def test_a_missing_event_is_found(filled: Store, url: str, statement: str, link: int, what: str) -> None:
    filled.close()
    sql(url, statement)
    assert [(one.kind, one.link, one.what) for one in filled.audit().findings] == [("missing", link, what)]


def test_a_tail_that_was_cut_off_is_found_only_with_the_noted_head(filled: Store, url: str) -> None:
    head = filled.audit().head
    filled.close()
    sql(url, "DELETE FROM case_event WHERE event_id = 'w2-2'")
    assert filled.audit().findings == ()
    assert [one.kind for one in filled.audit(head[:16]).findings] == ["head"]


def _forged(link: int, previous: str) -> str:
    row = {**{name: getattr(act("w3", 1), name) for name in ("event_id", "case_id", "seq", "as_of", "kind", "actor", "happened_at")}}
    text = row_hash("case_event", link, previous, {**row, "payload": "{}"})
    values = f"('w3-1', 'w3', 1, '2024-05-01', 'comment', 'desk', '2024-05-01T04:00:00.000000Z', '{{}}', {link}, '{previous}', '{text}')"
    names = "event_id, case_id, seq, as_of, kind, actor, happened_at, payload, link, previous_hash, hash"
    return f"INSERT INTO case_event ({names}) VALUES {values}"


def test_an_event_inserted_between_others_is_found_although_its_own_hash_is_right(filled: Store, url: str) -> None:
    with filled.database.session("look") as session:
        stored = sa.table("warning_event", sa.column("link", sa.BigInteger), sa.column("hash", sa.Text))
        before = session.scalar(sa.select(stored.c.hash).where(stored.c.link == 2))
    filled.close()
    sql(url, _forged(3, str(before)))
    found = [(one.kind, one.link) for one in filled.audit().findings]
    assert ("inserted", 3) in found
    assert all(kind == "inserted" for kind, _ in found)


def test_an_event_hung_on_the_end_without_a_right_hash_is_found(filled: Store, url: str) -> None:
    head = filled.audit().head
    filled.close()
    sql(url, _forged(8, head).replace("'{}', 8", "'{\"more\":1}', 8"))
    assert [(one.kind, one.link) for one in filled.audit().findings] == [("changed", 8)]


def test_an_event_put_behind_a_hole_is_found_as_missing(filled: Store, url: str) -> None:
    head = filled.audit().head
    filled.close()
    sql(url, _forged(10, head))
    assert [(one.kind, one.what) for one in filled.audit().findings] == [("missing", "events 8 to 9")]


def test_a_run_that_is_repeated_adds_nothing_and_its_clock_is_not_hashed(store: Store) -> None:
    heads = []
    for number, now in enumerate((NOW, NOW + dt.timedelta(hours=3))):
        store.start_run(f"r{number}", pipeline="daily", as_of=DAY, now=now, definitions={})
        store.write_run_results(f"r{number}", now=now, events=[warning_event(1)], case_events=[automatic("w1", 1)])
        heads.append(store.audit().head)
    assert heads[0] == heads[1]
    assert store.audit().events == 2


def test_an_automatic_event_gives_way_to_a_person_who_was_quicker(store: Store) -> None:
    store.write_acts([act("w1", 1)])
    write_run(store, "r1", [], [automatic("w1", 1), automatic("w1", 2, "overdue")])
    assert [(row.seq, row.kind) for row in store.read_case_events()] == [(1, "comment"), (2, "escalated"), (3, "overdue")]
    assert store.last_act() == "w1-1"
    assert store.audit().findings == ()


def test_two_people_cannot_decide_on_the_same_state_and_nothing_of_the_slower_is_stored(filled: Store) -> None:
    with pytest.raises(CaseworkError, match="has changed meanwhile"):
        filled.write_acts([act("w9", 1), act("w2", 2)])
    assert filled.audit().events == 7
    assert filled.read_case_events(case_id="w9") == []


def test_a_silence_comes_back_as_it_stood_on_a_day(store: Store) -> None:
    row = SilenceRow("s1", {"product": "P01"}, "known", "desk", DAY, DAY + dt.timedelta(days=9), None)
    store.write_acts([dataclasses.replace(act("s1", 1), kind="silence-add")], silences=[row])
    ended = dataclasses.replace(row, ended_on=DAY + dt.timedelta(days=3))
    store.write_acts([dataclasses.replace(act("s1", 2), kind="silence-end")], silences=[ended])
    assert store.read_silences() == [ended]
    assert store.read_silences(DAY + dt.timedelta(days=2)) == [row]
    assert store.read_silences(DAY - dt.timedelta(days=1)) == []


def test_a_store_of_version_3_is_chained_with_what_it_holds(url: str) -> None:
    with Store.open(url) as store:
        write_run(store, "r1", [warning_event(number) for number in range(1, 6)], [])
        hashed = store.audit()
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.downgrade(config, "0003")
        assert not sa.inspect(connection).has_table("case_event")
        assert "hash" not in {column["name"] for column in sa.inspect(connection).get_columns("warning_event")}
    engine.dispose()
    with Store.open(url) as store:
        assert schema_version(store.database) == head_version()
        assert store.audit() == hashed
        write_run(store, "r2", [warning_event(6)], [automatic("w1", 1)])
        assert (store.audit().events, store.audit().findings) == (7, ())


def test_every_content_column_is_hashed() -> None:
    row = {"event_id": "e", "case_id": "c", "seq": 1, "as_of": DAY, "kind": "ack", "actor": "a", "happened_at": "t", "payload": "{}"}
    hashes = {row_hash("case_event", 1, GENESIS, {**row, name: "other"}) for name in row}
    hashes |= {row_hash("case_event", 1, GENESIS, row), row_hash("warning_event", 1, GENESIS, row), row_hash("case_event", 2, GENESIS, row)}
    assert len(hashes) == len(row) + 3
