"""Figures of the store that tell how it stands: counted in the database, a few rows whatever its size."""

from __future__ import annotations

import sqlalchemy as sa

from riskwatch.store.database import Database, Session
from riskwatch.store.tables import lease, run, warning

__all__ = ["lease_holder", "open_warnings", "outbox_states", "run_states"]


def open_warnings(database: Database, grades: tuple[str, ...]) -> dict[str, int]:
    """Return how many warnings of these grades speak for themselves now (neither recovered nor absorbed), by grade; without any 0."""
    newest = sa.select(warning.c.warning_id, sa.func.max(warning.c.as_of).label("day")).group_by(warning.c.warning_id).subquery()
    query = (
        sa.select(warning.c.grade, sa.func.count().label("n"))
        .join(newest, sa.and_(newest.c.warning_id == warning.c.warning_id, newest.c.day == warning.c.as_of))
        .where(warning.c.state.not_in(("recovered", "absorbed")), warning.c.grade.in_(grades))
        .group_by(warning.c.grade)
    )
    with database.session("count open warnings") as session:
        found = {row["grade"]: int(row["n"]) for row in session.rows(query)}
    return {grade: found.get(grade, 0) for grade in grades}


def run_states(database: Database, pipeline: str) -> list[dict[str, str | None]]:
    """Return the newest runs of a pipeline, newest first: ``run_id, as_of, state, started_at, finished_at``."""
    columns = [run.c.run_id, sa.cast(run.c.as_of, sa.Text).label("as_of"), run.c.state, run.c.started_at, run.c.finished_at]
    query = sa.select(*columns).where(run.c.pipeline == pipeline).order_by(run.c.started_at.desc(), run.c.run_id.desc()).limit(3)
    with database.session(f'list the runs of pipeline "{pipeline}"') as session:
        return session.rows(query)


def lease_holder(database: Database, name: str = "run") -> str | None:
    """Return who holds a lease, or held it last and never gave it back."""
    with database.session(f'look who holds the lease "{name}"') as session:
        found = session.scalar(sa.select(lease.c.holder).where(lease.c.name == name))
    return None if found is None else str(found)


def outbox_states(database: Database) -> dict[str, int] | None:
    """Return how many messages are in each state; None where the store keeps no outbox."""
    with database.session("count the messages of the outbox") as session:
        if not _there(session, "message"):
            return None
        message = sa.table("message", sa.column("state", sa.Text))
        rows = session.rows(sa.select(message.c.state, sa.func.count().label("n")).group_by(message.c.state))
    return {str(row["state"]): int(row["n"]) for row in rows}


def _there(session: Session, table: str) -> bool:
    if session.dialect == "sqlite":
        catalogue = sa.table("sqlite_master", sa.column("name", sa.Text))
        return session.scalar(sa.select(catalogue.c.name).where(catalogue.c.name == table)) is not None
    tables = sa.table("pg_tables", sa.column("tablename", sa.Text), sa.column("schemaname", sa.Text))
    name = sa.cast(tables.c.tablename, sa.Text).label("name")
    mine = sa.literal_column("current_schema()", sa.Text)
    return session.scalar(sa.select(name).where(tables.c.tablename == table, tables.c.schemaname == mine)) is not None
