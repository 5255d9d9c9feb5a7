"""PostgreSQL's own programs for backups: found, called without a password in their arguments, their complaints turned into errors."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from riskwatch.errors import StoreError

__all__ = ["dump", "listing", "replace_all", "tool"]

_DEBIAN = Path("/usr/lib/postgresql")


def tool(name: str) -> str:
    """Return the path of ``pg_dump``, ``pg_restore`` or ``psql``: of ``PG_BINDIR``, of ``PATH``, or the newest of Debian's.

    Raises
    ------
    StoreError
        If it is not there.
    """
    given = os.environ.get("PG_BINDIR")
    # Debian's wrappers on PATH pick the version of a local cluster, which may be older than the server.
    versions = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: _number(path.parts[-3]), reverse=True)
    for place in [Path(given) / name] if given else versions:
        if os.access(place, os.X_OK):
            return str(place)
    found = None if given else shutil.which(name)
    if found is None:
        raise StoreError(
            f"Cannot back up or restore a PostgreSQL store: the program {name} is not here" + (f" (PG_BINDIR={given})." if given else "."),
            hint="install PostgreSQL's client programs (Debian: apt-get install postgresql-client), or set PG_BINDIR to their folder",
        )
    return found


def _number(version: str) -> float:
    try:
        return float(version)
    except ValueError:
        return 0.0


def _connection(url: sa.URL) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and the environment that lead to a database; the password goes into the environment, where ``ps`` is blind."""
    plain = sa.URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    environment = dict(os.environ) | ({"PGPASSWORD": str(url.password)} if url.password else {})
    return ["--no-password", f"--dbname={plain.render_as_string(hide_password=False)}"], environment


def _run(doing: str, command: Sequence[str], environment: dict[str, str], *, script: Path | None = None) -> str:
    try:
        with open(script or os.devnull, "rb") as given:  # noqa: PTH123 - one of the two is no path
            done = subprocess.run(command, env=environment, stdin=given, capture_output=True, check=False)  # noqa: S603 - no shell, and the program is found by name
    except OSError as error:
        raise StoreError(f"Cannot {doing}: {command[0]} does not start ({error.strerror}).", hint="check PG_BINDIR") from error
    if done.returncode:
        lines = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        told = next((line for line in lines if "ERROR" in line or "error:" in line), lines[0] if lines else "no message")
        raise StoreError(
            f"Cannot {doing}: {Path(command[0]).name} ended with {done.returncode} ({told[:300]}).",
            hint="nothing was changed; a pg_dump older than the server refuses it: install the server's version",
        )
    return done.stdout.decode("utf-8", "replace")


def dump(url: sa.URL, target: Path, *, snapshot: str, tables: Sequence[str], without_rows: Sequence[str]) -> None:
    """Write tables in pg_dump's custom format as one exported snapshot sees them.

    Raises
    ------
    StoreError
        If pg_dump is missing or fails.
    """
    where, environment = _connection(url)
    chosen = [f"--table={name}" for name in tables] + [f"--exclude-table-data={name}" for name in without_rows]
    command = [tool("pg_dump"), *where, "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", *chosen]
    _run("back up the database", [*command, f"--file={target}"], environment)


def listing(archive: Path) -> list[str]:
    """Return the names of the tables whose rows a dump holds."""
    told = _run("read the dump", [tool("pg_restore"), "--list", str(archive)], dict(os.environ))
    words = [line.split() for line in told.splitlines() if " TABLE DATA " in line and not line.startswith(";")]
    return [line[line.index("DATA") + 2] for line in words]


def replace_all(url: sa.URL, archive: Path, *, folder: Path, before: str, after: str) -> None:
    """Put a dump in place of what is in a database, in one transaction: SQL ``before``, the dump, SQL ``after``.

    Raises
    ------
    StoreError
        If any statement fails; the database is then as it was.
    """
    script = folder / "restore.sql"
    plain = ["--no-owner", "--no-privileges", f"--file={script}", str(archive)]
    _run("read the dump", [tool("pg_restore"), *plain], dict(os.environ))
    whole = folder / "whole.sql"
    with whole.open("wb") as out:
        out.write(before.encode() + b"\n")
        with script.open("rb") as body:
            shutil.copyfileobj(body, out)
        out.write(b"\n" + after.encode() + b"\n")
    where, environment = _connection(url)
    command = [tool("psql"), *where, "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--file={whole}"]
    _run("restore the database", command, environment)
