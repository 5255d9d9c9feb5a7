"""The outbox in both databases: written once, claimed by one, marked, given back, put back."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from riskwatch.errors import StoreError
from riskwatch.store import MessageRow, Store, outbox
from riskwatch.store.lease import this_process

DAY = dt.date(2025, 12, 31)
NOW = dt.datetime(2025, 12, 31, 1, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(seconds=61)


def row(key: str, **fields: object) -> MessageRow:
    kind = key.partition("/")[0]
    given = {"message_key": key, "centre": "changchun", "as_of": DAY, "kind": kind, "channel": "mail", "recipients": "centre"}
    given |= {"language": "zh", "warning_id": "", "change": "", "grade": "II", "first_day": None, "edition": 1, "told": "one", "due": NOW}
    return MessageRow(**{**given, **fields})  # type: ignore[arg-type]


def write(store: Store, *rows: MessageRow, run: str = "r1") -> None:
    store.start_run(run, pipeline="daily", as_of=DAY, now=NOW, definitions={})
    store.write_run_results(run, now=NOW, messages=rows)


def claim(store: Store, holder: str = "me", now: dt.datetime = NOW, seconds: float = 60) -> str | None:
    found = outbox.claim(store.database, "mail", holder=holder, now=now, seconds=seconds)
    return None if found is None else found.message_key


def mark(store: Store, key: str, outcome: str, holder: str = "me", **more: object) -> None:
    outbox.mark(
        store.database,
        key,
        holder=holder,
        outcome=outcome,
        code="x",
        detail="",
        started=NOW,
        finished=NOW,
        **more,  # type: ignore[arg-type]
    )


def test_messages_are_written_with_the_results_or_not_at_all(store: Store) -> None:
    store.start_run("r1", pipeline="daily", as_of=DAY, now=NOW, definitions={})
    with pytest.raises(StoreError):
        store.write_run_results("no such run", now=NOW, messages=[row("digest/1")])
    assert outbox.read_messages(store.database) == []
    store.write_run_results("r1", now=NOW, messages=[row("digest/1", first_day=DAY), row("digest/2")])
    found = outbox.read_messages(store.database)
    assert [(one.message_key, one.first_day, one.as_of, one.due_at) for one in found] == [
        ("digest/1", DAY, DAY, "2025-12-31T01:00:00.000000Z"),
        ("digest/2", None, DAY, "2025-12-31T01:00:00.000000Z"),
    ]
    write(store, row("digest/1", told="two"), run="r2")
    assert outbox.read_message(store.database, "digest/1").told == "one", "a message that is there stays as it is"


def test_one_claims_and_what_is_due_longest_and_most_urgent_comes_first(store: Store) -> None:
    write(
        store,
        row("digest/1"),
        row("digest/2", due=LATER),
        row("digest/0", due=NOW - dt.timedelta(hours=1)),
        row("alert/9"),
        row("digest/x", channel="other"),
    )
    assert outbox.due_channels(store.database, NOW) == {"mail": 3, "other": 1}
    assert [claim(store, f"holder {n}") for n in range(5)] == ["alert/9", "digest/0", "digest/1", None, None]
    assert outbox.next_due(store.database) == "2025-12-31T01:00:00.000000Z"


def test_a_lapsed_claim_is_free_and_its_holder_changes_nothing_any_more(store: Store) -> None:
    write(store, row("digest/1"))
    assert claim(store, "first") == "digest/1"
    assert claim(store, "second") is None
    assert claim(store, "second", now=LATER) == "digest/1"
    mark(store, "digest/1", "dead", holder="first")
    assert outbox.read_message(store.database, "digest/1").state == "sending"
    mark(store, "digest/1", "sent", holder="first")
    sent = outbox.read_message(store.database, "digest/1")
    assert (sent.state, sent.claimed_by, sent.lease_until_at) == ("sent", "", None)
    mark(store, "digest/1", "retry", holder="second")
    assert outbox.read_message(store.database, "digest/1").state == "sent"
    assert [entry["outcome"] for entry in outbox.attempts_of(store.database, "digest/1")] == ["dead", "sent", "retry"]


def test_a_claim_of_the_living_holds_and_that_of_the_dead_does_not(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    write(store, row("digest/1"))
    assert claim(store, this_process("deliver") + " #0") == "digest/1"
    assert outbox.due_channels(store.database, NOW) == {}
    monkeypatch.setattr(outbox, "is_dead", lambda holder: holder.endswith("#0"))
    assert outbox.due_channels(store.database, NOW) == {"mail": 1}


def test_failures_are_counted_and_begin_anew_when_put_back(store: Store) -> None:
    write(store, row("digest/1"))
    for number in (1, 2):
        assert claim(store) == "digest/1"
        mark(store, "digest/1", "retry", due=NOW)
        assert outbox.read_message(store.database, "digest/1").attempts == number
    claim(store)
    mark(store, "digest/1", "dead")
    assert outbox.count_messages(store.database) == {"pending": 0, "sending": 0, "sent": 0, "dead": 1, "dropped": 0}
    outbox.requeue(store.database, ["digest/1"], now=NOW)
    again = outbox.read_message(store.database, "digest/1")
    assert (again.state, again.attempts, again.finished_at) == ("pending", 0, None)
    assert len(outbox.attempts_of(store.database, "digest/1")) == 3


@pytest.mark.parametrize(
    ("tried", "keys"), [("no", ["digest/1"]), ("claimed", ["correction/1", "digest/1"]), ("failed", ["correction/1", "digest/1"])]
)
def test_a_correction_of_what_nobody_tried_to_send_changes_it_in_place(store: Store, tried: str, keys: list[str]) -> None:
    write(store, row("digest/1"))
    if tried != "no":
        claim(store)
    if tried == "failed":
        mark(store, "digest/1", "retry", due=NOW)
    correction = row("correction/1", told="two", grade="I", edition=2, replaces="digest/1")
    write(store, correction, run="r2")
    write(store, replace(correction), run="r3")
    assert [one.message_key for one in outbox.read_messages(store.database)] == keys
    first = outbox.read_message(store.database, "digest/1")
    assert (first.told, first.grade) == (("two", "I") if tried == "no" else ("one", "II"))


def test_a_change_of_several_is_whole_or_not_at_all(store: Store) -> None:
    write(store, row("digest/1"), row("digest/2"))
    claim(store)
    mark(store, "digest/1", "sent")
    with pytest.raises(StoreError, match='Message "digest/1" must be pending or dead for this, it is sent'):
        outbox.drop(store.database, ["digest/2", "digest/1"], reason="no", now=NOW)
    assert outbox.read_message(store.database, "digest/2").state == "pending"
