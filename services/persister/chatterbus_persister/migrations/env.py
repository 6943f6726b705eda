"""Runs the migrations on the connection that `chatterbus_persister.migrate` hands over."""

from alembic import context

from chatterbus_persister.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
