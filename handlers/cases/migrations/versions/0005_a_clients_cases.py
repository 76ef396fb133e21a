"""A client's cases are found without reading everybody else's."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing but the index: rows stay as they are."""
    op.create_index("ix_case_client", "case", ["client"], unique=False)
