"""Spot checks may name the supplier of the key material or part of a sample."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("record_spot_check", sa.Column("supplier", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("record_spot_check", "supplier")
