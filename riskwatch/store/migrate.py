"""Bring a database to the schema of this code, and refuse one that is newer."""

from __future__ import annotations

import warnings

import alembic.command
import sqlalchemy as sa
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from riskwatch.errors import StoreError
from riskwatch.store.database import Database

__all__ = ["head_version", "migrate", "schema_version"]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "riskwatch.store:migrations")
    config.set_main_option("path_separator", "os")
    return config


def head_version() -> str:
    """Return the schema version that this code writes."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:  # pragma: no cover - the package always carries its first migration
        raise StoreError("This installation of riskwatch has no migrations.", hint="install it again")
    return head


def schema_version(database: Database) -> str | None:
    """Return the schema version of a database; None if it has no schema yet."""
    with database.read("read the schema version") as connection:
        return MigrationContext.configure(connection).get_current_revision()


def migrate(database: Database) -> str:
    """Create or upgrade all tables; return the version reached.

    Raises
    ------
    StoreError
        If the database was written by a newer riskwatch, or refuses.
    """
    head, found = head_version(), schema_version(database)
    if found == head:
        return head
    if found is not None and found not in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}:
        raise StoreError(
            f'Cannot open {database.shown}: its schema version is "{found}", this riskwatch knows versions up to "{head}".',
            hint="install the newer riskwatch that wrote it; an older one must not touch it",
        )
    config = _config()
    with database.write("migrate the schema") as connection:
        if database.dialect == "postgresql":
            # Two processes that start at once: the second waits and then finds nothing to do.
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7234059)"))
        config.attributes["connection"] = connection
        try:
            with warnings.catch_warnings():
                # Reflection of a batch migration warns of what SQLite cannot say; it is not the user's concern.
                warnings.simplefilter("ignore", sa.exc.SAWarning)
                alembic.command.upgrade(config, "head")
        except CommandError as error:
            raise StoreError(f"Cannot migrate {database.shown}: {error}", hint="restore a backup and report the message") from error
    return head
