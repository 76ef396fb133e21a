"""A plan can be a dry run, a case can stand on a ticket, and who asks anew can be bound by an admin."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Plans made before were meant; nothing stood on a ticket."""
    with op.batch_alter_table("plan") as plan:
        plan.add_column(sa.Column("dry_run", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "desk",
        sa.Column("case_id", sa.String(), sa.ForeignKey("case.id"), primary_key=True),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference", sa.String(), nullable=False, server_default=""),
        sa.Column("handled", sa.String(), nullable=False, server_default=""),
    )
    op.create_table(
        "newcomer",
        sa.Column("identity", sa.String(), primary_key=True),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False, index=True),
        sa.Column("ask_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("contacts", sa.JSON(), nullable=False),
        sa.Column("person", sa.JSON(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
    )
