"""Bring the schema up to date, and lay down what is fixed for the life of the store.

Promises: safe to run twice and by two at once (an advisory lock); forward only; the number of partitions and the
store's epoch are written once and never changed: another number is refused, since it would scatter threads.
Does not create roles or databases.
"""

import sys
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError

from chatterbus_persister.dsn import session_conninfo
from chatterbus_persister.search.language import UnknownLanguageError, require_language
from chatterbus_persister.search.statements import LANGUAGES
from chatterbus_persister.settings import PersisterSettings
from chatterbus_runtime.logs import configure_logging
from chatterbus_runtime.settings import load

MIGRATION_LOCK: Final = 0x63686174  # "chat"


class PartitionsFixedError(Exception):
    """The store was created with another number of partitions."""

    def __init__(self, stored: int, asked: int) -> None:
        super().__init__(
            f"this store has {stored} partitions and PERSISTER_PARTITIONS is {asked}: set it to {stored} "
            "(the number is fixed when a store is created, since it decides where each thread's commands go)"
        )


def migrate(dsn: str, partitions: int) -> None:
    """Bring the database at `dsn` to this version. Raises PartitionsFixedError, or SQLAlchemy's OperationalError."""
    conninfo = session_conninfo(dsn, "chatterbus-migrate")
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo))
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            connection.commit()
            _upgrade(connection)
            _lay_down(connection, partitions)
            connection.commit()
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


def _lay_down(connection: Connection, partitions: int) -> None:
    connection.execute(
        text("INSERT INTO store (epoch, partitions, created_at) VALUES (:epoch, :count, now()) ON CONFLICT DO NOTHING"),
        {"epoch": uuid4().hex, "count": partitions},
    )
    stored = connection.execute(text("SELECT partitions FROM store")).scalar_one()
    if stored != partitions:
        raise PartitionsFixedError(stored, partitions)
    connection.execute(
        text("INSERT INTO partitions (partition) SELECT generate_series(0, :last) ON CONFLICT DO NOTHING"),
        {"last": partitions - 1},
    )


def check_language(dsn: str, language: str) -> None:
    """Raise UnknownLanguageError here already, where somebody is looking."""
    with psycopg.connect(session_conninfo(dsn, "chatterbus-migrate")) as connection:
        require_language(language, [name for (name,) in connection.execute(LANGUAGES)])


def main() -> int:
    """Entry point of `python -m chatterbus_persister.migrate`: 0 when the schema is current."""
    settings = load(PersisterSettings)
    configure_logging("migrate", settings.log_level, settings.log_format)
    try:
        migrate(settings.persister_dsn.get_secret_value(), settings.persister_partitions)
        check_language(settings.persister_dsn.get_secret_value(), settings.persister_search_language)
    except (PartitionsFixedError, UnknownLanguageError) as error:
        sys.stderr.write(f"{error}\n")
        return 78
    except (OperationalError, psycopg.OperationalError) as error:
        sys.stderr.write(f"PostgreSQL can not be reached: {str(error).splitlines()[0]}\ncheck PERSISTER_DSN\n")
        return 69
    return 0


if __name__ == "__main__":
    sys.exit(main())
