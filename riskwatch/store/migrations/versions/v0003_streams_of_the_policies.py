"""Nine streams that the policies name: accidents, complaints, border inspections, recalls, registers, media, notices, insurance."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
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
        "record_accident",
        [
            sa.Column("occurred_at", sa.Text(), nullable=True),
            sa.Column("learned_at", sa.Text(), nullable=True),
            sa.Column("reported_at", sa.Text(), nullable=True),
            sa.Column("producer", sa.Text(), nullable=True),
            sa.Column("deaths", sa.BigInteger(), nullable=False),
            sa.Column("serious", sa.BigInteger(), nullable=True),
            sa.Column("light", sa.BigInteger(), nullable=True),
            sa.Column("loss", sa.Double(), nullable=True),
            sa.Column("exposed", sa.BigInteger(), nullable=True),
            sa.Column("sold", sa.Double(), nullable=True),
            sa.Column("report_no", sa.BigInteger(), nullable=True),
            sa.Column("first_report", sa.Text(), nullable=True),
        ],
        [
            sa.Column("reporter", sa.Text(), nullable=True),
            sa.Column("batch_no", sa.Text(), nullable=True),
            sa.Column("cause_preliminary", sa.Text(), nullable=True),
            sa.Column("cause_final", sa.Text(), nullable=True),
            sa.Column("measures", sa.Text(), nullable=True),
        ],
    )
    _create(
        "record_complaint",
        [
            sa.Column("complainant", sa.Text(), nullable=True),
            sa.Column("respondent", sa.Text(), nullable=True),
            sa.Column("injury", sa.Boolean(), nullable=True),
            sa.Column("loss", sa.Double(), nullable=True),
            sa.Column("complaints", sa.BigInteger(), nullable=False),
            sa.Column("accepted_on", sa.Date(), nullable=True),
            sa.Column("closed_on", sa.Date(), nullable=True),
        ],
        [
            sa.Column("kind", sa.Text(), nullable=False),
            sa.Column("channel", sa.Text(), nullable=True),
            sa.Column("platform", sa.Text(), nullable=True),
            sa.Column("problem", sa.Text(), nullable=False),
            sa.Column("result", sa.Text(), nullable=True),
            sa.Column("narrative", sa.Text(), nullable=True),
        ],
    )
    _create(
        "record_trade_inspection",
        [
            sa.Column("hs_code", sa.Text(), nullable=True),
            sa.Column("inspected", sa.BigInteger(), nullable=False),
            sa.Column("refused", sa.BigInteger(), nullable=False),
            sa.Column("kilograms", sa.Double(), nullable=True),
            sa.Column("origin", sa.Text(), nullable=True),
            sa.Column("destination", sa.Text(), nullable=True),
            sa.Column("importer", sa.Text(), nullable=True),
        ],
        [
            sa.Column("flow", sa.Text(), nullable=False),
            sa.Column("port", sa.Text(), nullable=True),
            sa.Column("reason", sa.Text(), nullable=True),
        ],
    )
    _create(
        "record_recall",
        [
            sa.Column("producer", sa.Text(), nullable=True),
            sa.Column("affected", sa.Double(), nullable=True),
            sa.Column("ends_on", sa.Date(), nullable=True),
            sa.Column("completion", sa.Double(), nullable=True),
        ],
        [
            sa.Column("models", sa.Text(), nullable=True),
            sa.Column("defect", sa.Text(), nullable=True),
            sa.Column("hazard", sa.Text(), nullable=True),
            sa.Column("remedy", sa.Text(), nullable=True),
        ],
    )
    _create(
        "record_certification",
        [
            sa.Column("enterprise", sa.Text(), nullable=False),
            sa.Column("valid_until", sa.Date(), nullable=True),
        ],
        [
            sa.Column("scheme", sa.Text(), nullable=False),
            sa.Column("status", sa.Text(), nullable=False),
            sa.Column("reason", sa.Text(), nullable=True),
        ],
    )
    _create(
        "record_laboratory",
        [
            sa.Column("calibration_until", sa.Date(), nullable=True),
        ],
        [
            sa.Column("laboratory", sa.Text(), nullable=False),
            sa.Column("item", sa.Text(), nullable=True),
            sa.Column("calibration", sa.Text(), nullable=False),
            sa.Column("capability", sa.Text(), nullable=True),
        ],
    )
    _create(
        "record_media",
        [
            sa.Column("reports", sa.BigInteger(), nullable=False),
        ],
        [
            sa.Column("outlet", sa.Text(), nullable=False),
            sa.Column("topic", sa.Text(), nullable=True),
        ],
    )
    _create(
        "record_trade_notice",
        [
            sa.Column("member", sa.Text(), nullable=False),
            sa.Column("hs_code", sa.Text(), nullable=True),
            sa.Column("comment_until", sa.Date(), nullable=True),
            sa.Column("notices", sa.BigInteger(), nullable=False),
        ],
        [
            sa.Column("system", sa.Text(), nullable=False),
            sa.Column("title", sa.Text(), nullable=True),
        ],
    )
    _create(
        "record_insurance_claim",
        [
            sa.Column("claims", sa.BigInteger(), nullable=False),
            sa.Column("paid", sa.Double(), nullable=True),
            sa.Column("policy_years", sa.Double(), nullable=False),
        ],
        [
            sa.Column("cause", sa.Text(), nullable=True),
        ],
    )


def downgrade() -> None:
    op.drop_table("record_insurance_claim")
    op.drop_table("record_trade_notice")
    op.drop_table("record_media")
    op.drop_table("record_laboratory")
    op.drop_table("record_certification")
    op.drop_table("record_recall")
    op.drop_table("record_trade_inspection")
    op.drop_table("record_complaint")
    op.drop_table("record_accident")
