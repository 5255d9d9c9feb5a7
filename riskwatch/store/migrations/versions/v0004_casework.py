"""Casework: events of cases, silences, and one hash chain over all events, those stored before included."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (sa.Column("link", sa.BigInteger()), sa.Column("previous_hash", sa.Text()), sa.Column("hash", sa.Text())):
        op.add_column("warning_event", column)
    _chain_what_is_there()
    with op.batch_alter_table("warning_event") as table:
        table.alter_column("link", existing_type=sa.BigInteger(), nullable=False)
        table.alter_column("previous_hash", existing_type=sa.Text(), nullable=False)
        table.alter_column("hash", existing_type=sa.Text(), nullable=False)
        table.create_unique_constraint(op.f("uq_warning_event_link"), ["link"])
    op.create_table(
        "case_event",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("happened_at", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("link", sa.BigInteger(), nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_case_event")),
        sa.UniqueConstraint("case_id", "seq", name=op.f("uq_case_event_case_id_seq")),
        sa.UniqueConstraint("link", name=op.f("uq_case_event_link")),
    )
    op.create_index(op.f("ix_case_event_as_of"), "case_event", ["as_of"], unique=False)
    op.create_table(
        "silence",
        sa.Column("silence_id", sa.Text(), nullable=False),
        sa.Column("matcher", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("silence_id", name=op.f("pk_silence")),
    )


def _chain_what_is_there() -> None:
    """Chain the stored events in the order in which they came.

    The form of the hash is written out here once more: a migration must do tomorrow what it does today, and
    tests/store/test_chain.py compares it with riskwatch.store.chain.
    """
    connection = op.get_bind()
    names = ("event_id", "warning_id", "as_of", "seq", "kind", "reason", "grade_before", "grade_after", "payload")
    table = sa.table("warning_event", *(sa.column(name) for name in (*names, "link", "previous_hash", "hash")))
    rows = connection.execute(sa.select(*(table.c[name] for name in names)).order_by(table.c.event_id)).mappings().all()
    previous, stamped = "0" * 64, []
    for link, row in enumerate(rows, start=1):
        content: dict[str, Any] = {**row, "as_of": str(row["as_of"])}
        whole = {"table": "warning_event", "link": link, "previous": previous, "row": content}
        text = json.dumps(whole, ensure_ascii=False, sort_keys=True, allow_nan=False, separators=(",", ":"))
        own = hashlib.sha256(text.encode()).hexdigest()
        stamped.append({"event": row["event_id"], "number": link, "before": previous, "own": own})
        previous = own
    if stamped:
        update = table.update().where(table.c.event_id == sa.bindparam("event"))
        connection.execute(
            update.values(link=sa.bindparam("number"), previous_hash=sa.bindparam("before"), hash=sa.bindparam("own")), stamped
        )


def downgrade() -> None:
    op.drop_table("silence")
    op.drop_table("case_event")
    with op.batch_alter_table("warning_event") as table:
        table.drop_constraint(op.f("uq_warning_event_link"), type_="unique")
        table.drop_column("hash")
        table.drop_column("previous_hash")
        table.drop_column("link")
