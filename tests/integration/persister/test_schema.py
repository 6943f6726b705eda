"""The schema: migrations make what the tables say, once, whoever runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from chatterbus_persister import migrations
from chatterbus_persister.migrate import PartitionsFixedError, migrate
from chatterbus_persister.tables import metadata
from tests.kit.postgres_server import Database, PostgresServer

MIGRATE_TIMEOUT_S = 30.0
IDS = {
    "thread_id",
    "user_id",
    "sender_id",
    "client_message_id",
    "created_by",
    "edited_by",
    "owner_id",
    "attachment_id",
}


@pytest.fixture
def empty(postgres_server: PostgresServer) -> Iterator[Database]:
    """A database without any table."""
    database = postgres_server.fresh_database("template0")
    yield database
    database.drop()


def run_migrate(dsn: str, partitions: int) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PERSISTER_DSN": dsn, "PERSISTER_PARTITIONS": str(partitions)}
    return subprocess.run(
        [sys.executable, "-m", "chatterbus_persister.migrate"],
        env=env,
        capture_output=True,
        text=True,
        timeout=MIGRATE_TIMEOUT_S,
    )


def store_of(dsn: str) -> tuple[str, int, list[int]]:
    """(epoch, partitions, the partitions' numbers)."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT epoch, partitions FROM store").fetchall()
        numbers = connection.execute("SELECT partition FROM partitions ORDER BY 1").fetchall()
    ((epoch, partitions),) = rows
    return epoch, partitions, [number for (number,) in numbers]


def test_migrations_make_what_the_tables_say(postgres: Database) -> None:
    engine = create_engine(postgres.dsn.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "compare_server_default": True, "target_metadata": metadata}
            )
            assert compare_metadata(context, metadata) == []
    finally:
        engine.dispose()


def test_every_id_sorts_by_bytes(postgres: Database) -> None:
    with psycopg.connect(postgres.dsn) as connection:
        found = connection.execute(
            "SELECT table_name, column_name, collation_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND column_name = ANY (%s)",
            (sorted(IDS),),
        ).fetchall()
    assert {column for _, column, _ in found} == IDS
    assert {table for table, column, _ in found if column == "thread_id"} >= {
        "threads",
        "members",
        "messages",
        "message_revisions",
        "cursor_history",
        "attachments",
    }
    assert {collation for _, _, collation in found} == {"C"}


def test_no_number_comes_from_a_sequence(postgres: Database) -> None:
    with psycopg.connect(postgres.dsn) as connection:
        assert connection.execute("SELECT count(*) FROM pg_sequences").fetchone() == (0,)


def test_migrating_twice_changes_nothing(empty: Database) -> None:
    migrate(empty.dsn, 4)
    first = store_of(empty.dsn)
    migrate(empty.dsn, 4)
    assert store_of(empty.dsn) == first
    assert first[1:] == (4, [0, 1, 2, 3])


OF_VERSION_1 = """
INSERT INTO threads (thread_id, created_by, created_at, last_seq, last_rev) VALUES ('t', 'ann', now(), 1, 4);
INSERT INTO members (thread_id, user_id, user_type, role, joined_at, removed_at, delivered_seq, delivered_at, read_seq,
                     read_at)
VALUES ('t', 'ann', 'user', 'owner', now(), NULL, 1, '2026-01-01', 1, '2026-01-01'),
       ('t', 'bob', 'user', 'member', now(), NULL, 1, '2026-01-02', 0, NULL),
       ('t', 'cid', 'user', 'member', now(), now(), 0, NULL, 0, NULL);
INSERT INTO messages (thread_id, seq, rev, sender_id, sender_type, client_message_id, message_type, content, created_at)
VALUES ('t', 1, 4, 'ann', 'user', 'c1', 'text', 'hello', now());
"""


def test_a_store_of_the_first_version_keeps_its_cursors_revs_and_receipts(empty: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = create_engine(empty.dsn.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")
            connection.exec_driver_sql(OF_VERSION_1)
            connection.commit()
    finally:
        engine.dispose()
    migrate(empty.dsn, 4)
    with psycopg.connect(empty.dsn) as connection:
        shown = connection.execute("SELECT user_id, shown_read_seq FROM members ORDER BY 1").fetchall()
        steps = connection.execute("SELECT user_id, kind, seq, at::date::text FROM cursor_history ORDER BY 1, 2")
        assert shown == [("ann", 1), ("bob", 0), ("cid", 0)]
        assert steps.fetchall() == [
            ("ann", 1, 1, "2026-01-01"),
            ("ann", 2, 1, "2026-01-01"),
            ("bob", 1, 1, "2026-01-02"),
        ]
        assert connection.execute("SELECT created_rev, revisions FROM messages").fetchall() == [(4, 0)]
        assert connection.execute("SELECT member_count FROM threads").fetchall() == [(2,)]


def test_two_may_migrate_at_once(empty: Database) -> None:
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(migrate, empty.dsn, 4) for _ in range(2)]:
            done.result(MIGRATE_TIMEOUT_S)
    assert store_of(empty.dsn)[1:] == (4, [0, 1, 2, 3])


def test_another_number_of_partitions_is_refused(postgres: Database) -> None:
    before = store_of(postgres.dsn)
    with pytest.raises(PartitionsFixedError):
        migrate(postgres.dsn, 8)
    assert store_of(postgres.dsn) == before
    refused = run_migrate(postgres.dsn, 2)
    assert refused.returncode == 78
    assert "PERSISTER_PARTITIONS" in refused.stderr


def test_a_database_that_is_not_there_ends_with_its_own_code_and_no_secret() -> None:
    ended = run_migrate("postgresql://u:hunter2@127.0.0.1:1/x", 4)
    assert ended.returncode == 69
    assert "hunter2" not in ended.stderr + ended.stdout
