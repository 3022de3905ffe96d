"""Version 2: when each deviation was stored, what goes first when space is short, what was removed."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add them. What is there counts as stored now, so nothing is removed before its time.

    As a default of the column, which changes no row: rewriting all of them would need the database's size again.
    """
    now = sa.Column("stored_s", sa.BigInteger, nullable=False, server_default=str(int(time.time())))
    op.add_column("deviations", now)
    op.create_index("deviations_severity", "deviations", ["severity", "revision"])
    counters = op.create_table(
        "counters", sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.BigInteger, nullable=False)
    )
    op.execute(f"INSERT INTO {counters.name} SELECT 'bytes', coalesce(sum(length(body) + 400), 0) FROM deviations")
