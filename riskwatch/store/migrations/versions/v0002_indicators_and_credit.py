"""Two streams: quality indicators, and credit classes of enterprises."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _create(name: str, columns: list[sa.Column[Any]], texts: list[sa.Column[Any]]) -> None:
    op.create_table(
        name,
        sa.Column("record_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("key_hash", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("known_at", sa.Date(), nullable=False),
        sa.Column("superseded_at", sa.Date(), nullable=True),
        sa.Column("declared_on", sa.Date(), nullable=True),
        sa.Column("event_date", sa.Date(), nullable=False),
        sa.Column("product", sa.Text(), nullable=True),
        sa.Column("industry", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=True),
        *columns,
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("record_key", sa.Text(), nullable=False),
        *texts,
        sa.Column("content_hash", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("row_no", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", name=op.f(f"pk_{name}")),
        sa.UniqueConstraint("key_hash", "version", name=op.f(f"uq_{name}_key_hash_version")),
    )
    op.create_index(op.f(f"ix_{name}_event_date"), name, ["event_date"], unique=False)


def upgrade() -> None:
    _create(
        "record_indicator",
        [
            sa.Column("indicator", sa.Text(), nullable=False),
            sa.Column("value", sa.Double(), nullable=False),
            sa.Column("numerator", sa.Double(), nullable=True),
            sa.Column("n", sa.Double(), nullable=True),
            sa.Column("standard_error", sa.Double(), nullable=True),
        ],
        [
            sa.Column("period_type", sa.Text(), nullable=False),
            sa.Column("status", sa.Text(), nullable=True),
            sa.Column("note", sa.Text(), nullable=True),
        ],
    )
    _create(
        "record_enterprise_credit",
        [
            sa.Column("enterprise", sa.Text(), nullable=False),
            sa.Column("listed", sa.Boolean(), nullable=True),
            sa.Column("valid_until", sa.Date(), nullable=True),
        ],
        [
            sa.Column("credit_class", sa.Text(), nullable=False),
            sa.Column("authority", sa.Text(), nullable=True),
        ],
    )


def downgrade() -> None:
    op.drop_table("record_enterprise_credit")
    op.drop_table("record_indicator")
