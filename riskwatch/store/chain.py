"""The hash chain over ``warning_event`` and ``case_event``: a changed, missing or inserted event does not go unseen.

Both tables share one numbering (``link``, from 1). The hash of a row is the sha256 of the canonical JSON of its table, its link, the hash
before it and its content. Columns that only say when a run's row was written (``*_at``) would differ between a run and its repetition and
stay out; the instant of a person's act is content. Someone who may write to the database can compute a whole new chain, and can cut off its
end: so the hash of the head is printed, to be noted where that person has no hand.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from riskwatch.store.columns import arrow_rows
from riskwatch.store.database import Database, Session
from riskwatch.store.payload import dumps
from riskwatch.store.tables import case_event, warning_event

__all__ = ["GENESIS", "Audit", "Finding", "append_chained", "head", "row_hash", "verify"]

GENESIS = "0" * 64
"""What the first event names as the hash before it."""

_CHAINED = (warning_event, case_event)
_CHAIN = ("link", "previous_hash", "hash")
_SHOWN = {"warning_event": ("warning_id", "as_of", "kind"), "case_event": ("case_id", "seq", "kind")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the chain.

    Attributes
    ----------
    kind : str
        ``changed``: the content of an event is not what was hashed. ``missing``: the numbering has a hole. ``inserted``: an event does not
        follow from the one before it, though that one is there. ``head``: the hash noted elsewhere is not in the chain.
    link : int
        Number in the chain; 0 for the head.
    what : str
        Table and key of the event, or what is missing.
    """

    kind: Literal["changed", "missing", "inserted", "head"]
    link: int
    what: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What a verification found.

    Attributes
    ----------
    events : int
        Events in the chain.
    head : str
        Hash of the newest one; :data:`GENESIS` without any.
    since_head : int or None
        Events after the hash that was noted elsewhere; None where none was given, or it was not found.
    findings : tuple of Finding
    """

    events: int
    head: str
    since_head: int | None
    findings: tuple[Finding, ...]


def row_hash(table: str, link: int, previous: str, row: Mapping[str, Any]) -> str:
    """Return the hash of one event.

    Parameters
    ----------
    table : str
        ``warning_event`` or ``case_event``.
    link : int
    previous : str
        Hash of the event before it.
    row : mapping
        Columns of the table; those of the chain are left out, and so are instants that are NULL.
    """
    content = {
        name: value.isoformat() if isinstance(value, dt.date) else value
        for name, value in row.items()
        if name not in _CHAIN and not (name.endswith("_at") and value is None)
    }
    return hashlib.sha256(dumps({"table": table, "link": link, "previous": previous, "row": content}).encode()).hexdigest()


def head(session: Session) -> tuple[int, str]:
    """Return link and hash of the newest event; (0, GENESIS) without any."""
    found = (0, GENESIS)
    for table in _CHAINED:
        row = session.first(sa.select(table.c.link, table.c.hash).order_by(table.c.link.desc()).limit(1))
        if row is not None and int(row["link"]) > found[0]:
            found = int(row["link"]), str(row["hash"])
    return found


def append_chained(session: Session, table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add events to the end of the chain; the caller's transaction holds the lock that keeps others from doing so meanwhile."""
    link, previous = head(session)
    chained = []
    for row in rows:
        link += 1
        stamp = row_hash(table.name, link, previous, row)
        chained.append({**row, "link": link, "previous_hash": previous, "hash": stamp})
        previous = stamp
    session.append(table, arrow_rows(chained, table, session.dialect))


def verify(database: Database, noted: str = "") -> Audit:
    """Check every event against the chain.

    Parameters
    ----------
    database : Database
    noted : str
        Hash of a head, or the first characters of it, as it was noted elsewhere: it must be in the chain.
    """
    with database.session("verify the chain of events") as session:
        rows = [(table.name, row) for table in _CHAINED for row in session.rows(sa.select(table).order_by(table.c.link))]
    rows.sort(key=lambda one: (int(one[1]["link"]), one[0]))
    findings: list[Finding] = []
    previous, last = GENESIS, 0
    for table, row in rows:
        link, what = int(row["link"]), _named(table, row)
        if link > last + 1:
            span = f"event {last + 1}" if link == last + 2 else f"events {last + 1} to {link - 1}"
            findings.append(Finding("missing", last + 1, span))
        own = row_hash(table, link, str(row["previous_hash"]), row)
        if own != row["hash"]:
            findings.append(Finding("changed", link, what))
        if link <= last or (link == last + 1 and row["previous_hash"] != previous):
            findings.append(Finding("inserted", link, what))
        previous, last = str(row["hash"]), max(link, last)
    hashes = [GENESIS, *(str(row["hash"]) for _, row in rows)]
    since = _since(hashes, noted)
    if noted and since is None:
        findings.append(Finding("head", 0, f"{noted}: not in the chain: events were cut off or the chain was made anew"))
    return Audit(len(rows), hashes[-1], since, tuple(findings))


def _since(hashes: Sequence[str], noted: str) -> int | None:
    found = [place for place, one in enumerate(hashes) if noted and one.startswith(noted.lower())]
    return len(hashes) - 1 - found[-1] if found else None


def _named(table: str, row: Mapping[str, Any]) -> str:
    return f"{table} {' '.join(str(row[name]) for name in _SHOWN[table])}"
