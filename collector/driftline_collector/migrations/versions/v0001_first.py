"""Version 1: deviations in the order of their changes, agents, properties. Exists so that every way has a beginning."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables as version 1 had them."""
    op.create_table(
        "deviations",
        sa.Column(
            "revision", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False
        ),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("severity", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("last_wall_ns", sa.BigInteger, nullable=False),
        sa.Column("last_kernel_ns", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("deviations_id", "deviations", ["id", "node"], unique=True)
    op.create_index("deviations_last", "deviations", ["last_wall_ns", "revision"])
    op.create_table(
        "agents", sa.Column("node", sa.Text, primary_key=True), sa.Column("body", sa.LargeBinary, nullable=False)
    )
    op.create_table("properties", sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text))
