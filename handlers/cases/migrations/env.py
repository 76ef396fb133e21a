"""Alembic's entry: runs the migrations on the connection it is handed."""

from alembic import context

from handlers.cases import desk_entry, homes, newcomer, tables

_TABLES = (tables.SQLModel, desk_entry.DeskEntry, newcomer.Newcomer, homes.HomeRow)
OURS = {table.name for table in _TABLES[0].metadata.tables.values()}

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.SQLModel.metadata,
    # The queue keeps its own tables in the same database; they are not ours to touch.
    include_name=lambda name, kind, _parents: kind != "table" or name in OURS,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
