"""Alembic's entry: runs the revisions over the connection that resources.history.database hands in."""

from alembic import context

from resources.history.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
