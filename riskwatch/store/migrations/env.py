"""How Alembic runs here: always on a connection handed over by riskwatch.store.migrate, never from an ini file."""

from __future__ import annotations

from alembic import context

from riskwatch.store.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("migrations run through riskwatch.store.migrate(database), which hands over a connection")
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
