"""One run at a time: a row that says who works, until when."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from riskwatch.errors import LeaseHeldError
from riskwatch.store.database import Database, Session, instant
from riskwatch.store.tables import lease

__all__ = ["Clock", "Lease", "acquire", "is_dead", "this_process"]

Clock = Callable[[], dt.datetime]
_POLL_SECONDS = 0.2


def _this_system() -> str:
    """Return eight digits for this boot of this machine and its process numbers (a container has its own); "" where that is not told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        numbers = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    return hashlib.sha256(f"{boot} {numbers}".encode()).hexdigest()[:8]


def this_process(label: str = "riskwatch") -> str:
    """Name this process for people, and so that :func:`is_dead` can look for it."""
    return f"{label} on {socket.gethostname()} (process {os.getpid()}) [{_this_system()}]"


def is_dead(holder: str) -> bool:
    """Say whether a holder named by :func:`this_process` ran on this very system and is gone; False where that cannot be told."""
    named = re.search(r"\(process (\d+)\) \[([0-9a-f]{8})\]", holder)
    if named is None or named[2] != _this_system():
        return False
    try:
        os.kill(int(named[1]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


class Lease:
    """A lease that is held; use as a context manager, so that it is released however the work ends.

    Call :meth:`renew` now and then during long work: a lease that was not renewed for its length is free for others.
    Inside the ``with`` block every writing transaction of the same database is fenced: it begins by making sure that the lease is still
    held, and whoever wants to take the lease over waits for its end. So a process that slept past the end of its lease writes nothing.
    """

    def __init__(self, database: Database, name: str, holder: str, seconds: float, clock: Clock) -> None:
        self.name, self.holder = name, holder
        self._database, self._seconds, self._clock = database, seconds, clock
        self._outer: Callable[[Session], None] | None = None

    def check(self, session: Session) -> None:
        """Make sure, inside a writing transaction, that the lease is held and stays so until its end.

        SQLite has one writer, so nobody can take the lease meanwhile; in PostgreSQL the row is locked against being taken away, not
        against being renewed.

        Raises
        ------
        LeaseHeldError
            If it is lost.
        """
        row = sa.select(lease.c.holder).where(lease.c.name == self.name).with_for_update(read=True, key_share=True)
        self._refuse_unless_mine(session.scalar(row))

    def _refuse_unless_mine(self, found: str | None) -> None:
        if found != self.holder:
            raise LeaseHeldError(
                f'The lease "{self.name}" of {self.holder} expired and is now held by {found or "nobody"}.',
                hint="raise lease_seconds in config/riskwatch.yaml if runs take longer, then run again",
            )

    def renew(self) -> None:
        """Hold on for another full length.

        Raises
        ------
        LeaseHeldError
            If it expired meanwhile and another process took it: stop working, what you write could clash with its work.
        """
        now = self._clock()
        mine = sa.and_(lease.c.name == self.name, lease.c.holder == self.holder)
        values = {"renewed_at": instant(now), "expires_at": instant(now + dt.timedelta(seconds=self._seconds))}
        with self._database.session(f'renew the lease "{self.name}"', write=True, lock=lease, fenced=False) as session:
            self._refuse_unless_mine(session.scalar(sa.select(lease.c.holder).where(lease.c.name == self.name)))
            session.execute(lease.update().where(mine).values(values))

    def release(self) -> None:
        """Let go; nothing happens if it was taken over already."""
        mine = sa.and_(lease.c.name == self.name, lease.c.holder == self.holder)
        with self._database.session(f'release the lease "{self.name}"', write=True, lock=lease, fenced=False) as session:
            session.execute(lease.delete().where(mine))

    def __enter__(self) -> Self:
        self._outer, self._database.fence = self._database.fence, self.check
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._database.fence = self._outer
        self.release()


def acquire(database: Database, name: str, *, seconds: float, wait_seconds: float, clock: Clock, holder: str | None = None) -> Lease:
    """Take a lease, waiting for it if asked to.

    Parameters
    ----------
    database : Database
        Where the lease is kept.
    name : str
        What is leased, such as ``"run"``.
    seconds : float
        Length: a holder that did not renew for so long is taken for dead, and its lease is taken over. One that died on this system is
        taken over at once.
    wait_seconds : float
        How long to wait for another holder; 0 does not wait.
    clock : callable
        Gives the present instant, with a zone.
    holder : str, optional
        Who takes it; by default this process with its start of holding, so that one process never shares with itself.

    Raises
    ------
    LeaseHeldError
        If another holder has it still after the wait; the message names the holder.
    """
    holder = holder or f"{this_process()} (since {instant(clock())})"
    deadline = time.monotonic() + wait_seconds
    while True:
        found = _try(database, name, holder, seconds, clock())
        if found is None:
            return Lease(database, name, holder, seconds, clock)
        if time.monotonic() >= deadline:
            held_by, acquired, expires = found
            raise LeaseHeldError(
                f'The lease "{name}" is held by {held_by}, acquired at {acquired}, valid until {expires}.',
                hint="wait for that run to end, or give --wait SECONDS; if it died on another machine, its lease ends at the time shown",
            )
        time.sleep(_POLL_SECONDS)


def _try(database: Database, name: str, holder: str, seconds: float, now: dt.datetime) -> tuple[str, str, str] | None:
    """Take the lease if it is free or expired and return None; else return who holds it."""
    with database.session(f'acquire the lease "{name}"', write=True, lock=lease, fenced=False) as session:
        row = session.first(sa.select(lease.c.holder, lease.c.acquired_at, lease.c.expires_at).where(lease.c.name == name))
        # A killed run must not keep the next one waiting: a holder that is seen to be dead here holds nothing.
        if row is not None and row["expires_at"] > instant(now) and not is_dead(row["holder"]):
            return row["holder"], row["acquired_at"], row["expires_at"]
        session.execute(lease.delete().where(lease.c.name == name))
        moment, end = instant(now), instant(now + dt.timedelta(seconds=seconds))
        session.execute(lease.insert().values(name=name, holder=holder, acquired_at=moment, renewed_at=moment, expires_at=end))
    return None
