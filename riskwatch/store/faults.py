"""What drivers say when something is wrong, turned into :class:`~riskwatch.errors.StoreError` with a hint."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
import sqlalchemy.exc
from adbc_driver_manager import Error as AdbcError

from riskwatch.errors import StoreError

__all__ = ["translated"]

# Part of the driver's message (lower case) -> what it means, what to do. The first that fits wins.
_KNOWN: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        (
            "database is locked",
            "database table is locked",
            "database schema is locked",
            "lock timeout",
            "deadlock detected",
            "lock_timeout",
        ),
        "the database is locked by another process",
        "wait for the other run to end, or look for a process that keeps the file open; nothing that was stored is lost",
    ),
    (
        ("database or disk is full", "no space left", "disk full", "could not extend file"),
        "the disk or the database is full",
        "free space and start again; what was committed is kept, the batch in hand was rolled back",
    ),
    (
        ("disk i/o error", "file too large", "disk quota exceeded", "input/output error", "could not write", "could not fsync"),
        "the disk refused to write",
        "look at quota, free space and the disk's health, then start again; what was committed is kept, the batch in hand was rolled back",
    ),
    (
        ("readonly database", "read-only", "attempt to write a readonly"),
        "the database is read-only",
        "check the rights on the file and its folder (SQLite writes beside the file too)",
    ),
    (
        ("unable to open database file", "no such file or directory"),
        "the database file cannot be opened",
        "check that the folder exists and may be written",
    ),
    (
        ("file is not a database", "database disk image is malformed"),
        "the file is not a sound SQLite database",
        "restore it from a backup; do not write to it",
    ),
    (
        (
            "connection refused",
            "could not connect",
            "could not translate host name",
            "connection failed",
            "timeout expired",
            "server closed the connection",
            "could not receive data",
            "could not send data",
            "terminating connection",
            "connection to server was lost",
            "no connection to the server",
            "connection is closed",
            "connection has been closed",
            "database system is",
            "server terminated abnormally",
            "is the server running",
        ),
        "the database server cannot be reached",
        "check that the server runs and that host, port and network in the URL are right, then start again; what was committed is kept",
    ),
    (
        ("password authentication failed", "no password supplied", "role ", "permission denied"),
        "the database server refused the login or the statement",
        "check user and password in the environment variable that holds the URL, and the rights of the role",
    ),
)


def _explain(error: BaseException) -> tuple[str, str]:
    text = str(getattr(error, "orig", None) or error).strip()
    lowered = text.lower()
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        lowered = "no space left"
    for parts, meaning, hint in _KNOWN:
        if any(part in lowered for part in parts):
            return f"{meaning} ({_first_line(text)})", hint
    return f"the database refused a statement ({_first_line(text)})", "see the message of the database; nothing of this step was stored"


def _first_line(text: str) -> str:
    line = text.splitlines()[0] if text else "no message"
    return line if len(line) <= 300 else line[:297] + "..."


@contextmanager
def translated(where: str, doing: str) -> Iterator[None]:
    """Raise :class:`StoreError` in place of any driver's error.

    Parameters
    ----------
    where : str
        The database as shown to people: its URL without a password.
    doing : str
        What was asked, such as ``"store batch 12 of source spot-checks"``.

    Raises
    ------
    StoreError
        If the body raises an error of SQLAlchemy, ADBC or the operating system.
    """
    try:
        yield
    except (sa.exc.SQLAlchemyError, AdbcError, sqlite3.Error, OSError) as error:
        meaning, hint = _explain(error)
        raise StoreError(f"Cannot {doing} in {where}: {meaning}.", hint=hint) from error
