"""Signals tell in which periods their evidence lies, where it is more than the judged one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("signal", sa.Column("evidence_start", sa.Date(), nullable=True))


def downgrade() -> None:
    op.drop_column("signal", "evidence_start")
