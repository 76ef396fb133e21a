"""A step can have a row per subject, and an answer can be a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# SQLite never named the constraint; PostgreSQL named it by its own rule.
SQLITE_NAMES = {"uq": "uq_%(table_name)s_%(column_0_name)s"}


def upgrade() -> None:
    """Add the two columns, and let a step stand in a plan once per subject."""
    with op.batch_alter_table("answer") as answer:
        answer.add_column(sa.Column("account", sa.JSON(), nullable=False, server_default="{}"))
    with op.batch_alter_table("case") as case:
        case.add_column(sa.Column("choosing", sa.JSON(), nullable=False, server_default="{}"))
    with op.batch_alter_table("plan") as plan:
        plan.add_column(sa.Column("locked_out_at", sa.DateTime(timezone=True), nullable=True))
        plan.add_column(sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True))
    sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("step", naming_convention=SQLITE_NAMES) as step:
        step.add_column(sa.Column("subject", sa.String(), nullable=False, server_default=""))
        step.drop_constraint("uq_step_plan_id" if sqlite else "step_plan_id_step_key", type_="unique")
        step.create_unique_constraint("uq_step_plan_id_step_subject", ["plan_id", "step", "subject"])
