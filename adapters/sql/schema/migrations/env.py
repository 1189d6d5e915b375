"""Alembic's entry point: writes the revisions as SQL statements for `upgrade.steps`."""

from alembic import context

from adapters.sql.schema.tables import metadata

_attributes = context.config.attributes
context.configure(
    dialect_name=_attributes["engine"],
    output_buffer=_attributes["steps"],
    transactional_ddl=False,  # the transaction is the caller's
    target_metadata=metadata,
)
context.run_migrations()
