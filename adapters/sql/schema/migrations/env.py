"""Alembic's entry: writes the revisions as SQL, for whoever asked to run it."""

from alembic import context

from adapters.sql.schema.tables import metadata

_asked = context.config.attributes
context.configure(
    dialect_name=_asked["engine"],
    output_buffer=_asked["steps"],
    transactional_ddl=False,  # the transaction is the caller's
    target_metadata=metadata,
)
context.run_migrations()
