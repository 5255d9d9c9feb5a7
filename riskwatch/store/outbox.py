"""The outbox: messages written with the decisions they tell of, claimed one at a time by senders, and marked with what became of them.

A message is ``pending`` until a sender claims it (``sending``, for the length of a lease), then ``sent``, ``pending`` again with a later
due time, or ``dead``; a person may put a dead one back, or drop it. Claiming and marking are short transactions of their own, so a sender
that is killed in between leaves a claim that ends by itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from riskwatch.errors import StoreError
from riskwatch.store.columns import arrow_rows
from riskwatch.store.database import Database, Session, instant
from riskwatch.store.lease import is_dead
from riskwatch.store.tables import delivery_attempt, message

__all__ = [
    "OPEN",
    "STATES",
    "MessageRow",
    "StoredMessage",
    "attempts_of",
    "claim",
    "count_messages",
    "dead_at",
    "drop",
    "due_channels",
    "mark",
    "next_due",
    "put_messages",
    "read_message",
    "read_messages",
    "requeue",
    "tellings",
]

STATES = ("pending", "sending", "sent", "dead", "dropped")
OPEN = ("pending", "sending")
_LONGEST_DETAIL = 500  # characters
_BY_URGENCY = sa.case({"alert": 0}, value=message.c.kind, else_=1)


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message to be written; ``replaces`` is the key of an earlier telling of the same day."""

    message_key: str
    centre: str
    as_of: dt.date
    kind: str
    channel: str
    recipients: str
    language: str
    warning_id: str
    change: str
    grade: str
    first_day: dt.date | None
    edition: int
    told: str
    due: dt.datetime
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as the outbox holds it; instants are text in UTC."""

    message_key: str
    centre: str
    as_of: dt.date
    kind: str
    channel: str
    recipients: str
    language: str
    warning_id: str
    change: str
    grade: str
    first_day: dt.date | None
    edition: int
    told: str
    state: str
    attempts: int
    reason: str
    claimed_by: str
    created_at: str
    due_at: str
    lease_until_at: str | None
    finished_at: str | None


def put_messages(session: Session, rows: Iterable[MessageRow], now: dt.datetime) -> None:
    """Write messages within the transaction of the decisions they tell of.

    One whose key is there already is left as it is. A correction of a message that nobody has tried to send yet is none: that message
    takes over its hash, grade and due time.
    """
    listed = list(rows)
    if not listed:
        return
    days = sorted({row.as_of for row in listed})
    query = sa.select(message.c.message_key, message.c.state, message.c.attempts).where(message.c.as_of.in_(days))
    known = {row["message_key"]: row for row in session.rows(query)}
    fresh = []
    for row in listed:
        before = known.get(row.replaces)
        if row.message_key in known:
            continue
        if before is not None and before["state"] == "pending" and before["attempts"] == 0:
            values = {"told": row.told, "grade": row.grade, "due_at": instant(row.due)}
            # Again within the statement: on PostgreSQL a sender may have claimed it since it was read.
            untried = sa.and_(message.c.message_key == row.replaces, message.c.state == "pending", message.c.attempts == 0)
            session.execute(message.update().where(untried).values(values))
            if session.scalar(sa.select(message.c.told).where(message.c.message_key == row.replaces)) == row.told:
                continue
        fresh.append(
            {
                **{name: getattr(row, name) for name in (column.name for column in message.columns) if hasattr(row, name)},
                "state": "pending",
                "attempts": 0,
                "reason": "",
                "claimed_by": "",
                "created_at": instant(now),
                "due_at": instant(row.due),
            }
        )
    session.append(message, arrow_rows(fresh, message, session.dialect))


def tellings(database: Database, as_of: dt.date) -> list[StoredMessage]:
    """Return the messages of a day that tell of the whole day (all but alerts), oldest edition first."""
    query = sa.select(message).where(message.c.as_of == as_of, message.c.kind != "alert").order_by(message.c.edition, message.c.message_key)
    with database.session("read the messages of a day") as session:
        return [StoredMessage(**row) for row in session.rows(query)]


def _claimable(now: str) -> sa.ColumnElement[bool]:
    lapsed = sa.and_(message.c.state == "sending", message.c.lease_until_at <= now)
    return sa.or_(sa.and_(message.c.state == "pending", message.c.due_at <= now), lapsed)


def _free_the_dead(session: Session) -> None:
    """Take back what senders hold that died on this system: a killed one must not keep its message waiting."""
    holders = [row["claimed_by"] for row in session.rows(sa.select(message.c.claimed_by).where(message.c.state == "sending").distinct())]
    for holder in holders:
        if is_dead(holder):
            theirs = sa.and_(message.c.state == "sending", message.c.claimed_by == holder)
            session.execute(message.update().where(theirs).values(state="pending", claimed_by=""))


def due_channels(database: Database, now: dt.datetime) -> dict[str, int]:
    """Return how many messages are due, by channel; claims of senders that died here are given back first."""
    with database.session("look for due messages", write=True, lock=message) as session:
        _free_the_dead(session)
        query = sa.select(message.c.channel, sa.func.count(message.c.message_key, type_=sa.BigInteger).label("n"))
        rows = session.rows(query.where(_claimable(instant(now))).group_by(message.c.channel).order_by(message.c.channel))
    return {row["channel"]: int(row["n"]) for row in rows}


def next_due(database: Database) -> str | None:
    """Return the instant at which the next waiting message is due; None if none waits."""
    query = sa.select(message.c.due_at).where(message.c.state == "pending").order_by(message.c.due_at).limit(1)
    with database.session("look for the next due message") as session:
        row = session.first(query)
    return None if row is None else str(row["due_at"])


def claim(database: Database, channel: str, *, holder: str, now: dt.datetime, seconds: float) -> StoredMessage | None:
    """Claim the most urgent message of a channel that is due; None if none is. Alerts come first, then what is due longest."""
    query = (
        sa.select(message)
        .where(message.c.channel == channel, _claimable(instant(now)))
        .order_by(_BY_URGENCY, message.c.due_at, message.c.message_key)
        .limit(1)
    )
    with database.session("claim a message", write=True, lock=message) as session:
        row = session.first(query)
        if row is None:
            return None
        until = instant(now + dt.timedelta(seconds=seconds))
        this = message.c.message_key == row["message_key"]
        session.execute(message.update().where(this).values(state="sending", claimed_by=holder, lease_until_at=until))
    return StoredMessage(**{**row, "state": "sending", "claimed_by": holder, "lease_until_at": until})


def mark(
    database: Database,
    key: str,
    *,
    holder: str,
    outcome: Literal["sent", "retry", "dead", "dropped"],
    code: str,
    detail: str,
    started: dt.datetime,
    finished: dt.datetime,
    due: dt.datetime | None = None,
) -> None:
    """Note what became of an attempt, and the state that follows.

    Parameters
    ----------
    holder : str
        Who claimed it. One whose claim lapsed meanwhile still notes its attempt, but changes the state only if it succeeded.
    outcome : {"sent", "retry", "dead", "dropped"}
        ``"dropped"``: what it told of was withdrawn.
    due : datetime, optional
        When to try again, for ``"retry"``.
    """
    with database.session("mark a message", write=True, lock=message) as session:
        row = session.first(sa.select(message.c.state, message.c.attempts, message.c.claimed_by).where(message.c.message_key == key))
        if row is None:
            raise StoreError(f'Cannot mark message "{key}": there is none.', hint="it was removed while it was being sent")
        count = sa.select(sa.func.count(delivery_attempt.c.attempt, type_=sa.BigInteger)).where(delivery_attempt.c.message_key == key)
        attempt = {
            "message_key": key,
            "attempt": int(session.scalar(count)) + 1,
            "outcome": outcome,
            "code": code,
            "detail": detail[:_LONGEST_DETAIL],
            "started_at": instant(started),
            "finished_at": instant(finished),
        }
        session.append(delivery_attempt, arrow_rows([attempt], delivery_attempt, session.dialect))
        mine = row["state"] == "sending" and row["claimed_by"] == holder
        if not mine and (outcome != "sent" or row["state"] not in OPEN):
            return
        values: dict[str, Any] = {"reason": code, "claimed_by": "", "lease_until_at": sa.null()}
        if outcome == "retry":
            values |= {"state": "pending", "attempts": row["attempts"] + 1, "due_at": instant(due or finished)}
        elif outcome == "dropped":
            values |= {"state": "dropped", "finished_at": instant(finished)}
        elif outcome == "dead":
            values |= {"state": "dead", "attempts": row["attempts"] + 1, "finished_at": instant(finished)}
        else:
            values |= {"state": "sent", "finished_at": instant(finished)}
        session.execute(message.update().where(message.c.message_key == key).values(values))


def read_messages(
    database: Database, states: Iterable[str] | None = None, *, centre: str | None = None, limit: int | None = None
) -> list[StoredMessage]:
    """Return messages, newest day first."""
    query = sa.select(message).order_by(message.c.as_of.desc(), message.c.message_key)
    if states is not None:
        query = query.where(message.c.state.in_(list(states)))
    if centre is not None:
        query = query.where(message.c.centre == centre)
    if limit is not None:
        query = query.limit(limit)
    with database.session("list messages") as session:
        return [StoredMessage(**row) for row in session.rows(query)]


def dead_at(database: Database, moment: str) -> list[StoredMessage]:
    """Return the messages that were dead at an instant (text in UTC), newest day first, by their attempts.

    Putting a message back leaves no mark of its own: it counts as done when the next attempt began or, without one, when it fell due anew.
    """
    died = sa.select(delivery_attempt.c.message_key).where(delivery_attempt.c.outcome == "dead", delivery_attempt.c.finished_at <= moment)
    query = sa.select(delivery_attempt).where(delivery_attempt.c.message_key.in_(died)).order_by(delivery_attempt.c.attempt)
    attempts: dict[str, list[dict[str, Any]]] = {}
    with database.session("see which messages were dead") as session:
        for row in session.rows(query):
            attempts.setdefault(row["message_key"], []).append(row)
    return [one for one in read_messages(database) if one.message_key in attempts and _was_dead(one, attempts[one.message_key], moment)]


def _was_dead(one: StoredMessage, attempts: Sequence[dict[str, Any]], moment: str) -> bool:
    begun = [row for row in attempts if row["started_at"] <= moment]
    if begun[-1]["outcome"] != "dead" or begun[-1]["finished_at"] > moment:
        return False
    if len(begun) < len(attempts) or one.state == "dead":
        return True
    # No attempt since: it was given up, or put back and waits.
    return (one.finished_at or moment if one.state == "dropped" else one.due_at) > moment


def count_messages(database: Database) -> dict[str, int]:
    """Return how many messages there are, by state."""
    query = sa.select(message.c.state, sa.func.count(message.c.message_key, type_=sa.BigInteger).label("n")).group_by(message.c.state)
    with database.session("count messages") as session:
        found = {row["state"]: int(row["n"]) for row in session.rows(query)}
    return {state: found.get(state, 0) for state in STATES}


def read_message(database: Database, key: str) -> StoredMessage:
    """Return one message; StoreError if there is none of that key."""
    with database.session("read a message") as session:
        row = session.first(sa.select(message).where(message.c.message_key == key))
    if row is None:
        raise StoreError(f'No message "{key}".', hint="riskwatch outbox list shows the keys")
    return StoredMessage(**row)


def attempts_of(database: Database, key: str) -> list[dict[str, Any]]:
    """Return the attempts to deliver a message, oldest first."""
    query = sa.select(delivery_attempt).where(delivery_attempt.c.message_key == key).order_by(delivery_attempt.c.attempt)
    with database.session("read the attempts of a message") as session:
        return session.rows(query)


def requeue(database: Database, keys: Sequence[str], *, now: dt.datetime) -> None:
    """Put dead, dropped or waiting messages at the head of the queue, with all their attempts before them.

    Raises
    ------
    StoreError
        If one is not there, was sent, or is being sent; then none is changed.
    """
    _change(
        database,
        keys,
        {"state": "pending", "attempts": 0, "due_at": instant(now), "finished_at": sa.null()},
        ("pending", "dead", "dropped"),
    )


def drop(database: Database, keys: Sequence[str], *, reason: str, now: dt.datetime) -> None:
    """Give messages up: they are not sent, and no digest mentions them any more.

    Raises
    ------
    StoreError
        If one is not there, was sent, or is being sent; then none is changed.
    """
    _change(database, keys, {"state": "dropped", "reason": reason, "finished_at": instant(now)}, ("pending", "dead"))


def _change(database: Database, keys: Sequence[str], values: dict[str, Any], states: tuple[str, ...]) -> None:
    with database.session("change messages", write=True, lock=message) as session:
        for key in keys:
            row = session.first(sa.select(message.c.state).where(message.c.message_key == key))
            if row is None:
                raise StoreError(f'No message "{key}".', hint="riskwatch outbox list shows the keys")
            if row["state"] not in states:
                raise StoreError(
                    f'Message "{key}" must be {" or ".join(states)} for this, it is {row["state"]}.', hint="riskwatch outbox show KEY"
                )
            session.execute(message.update().where(message.c.message_key == key).values(values))
