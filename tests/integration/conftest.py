"""Real servers for the tests below."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatterbus_persister.migrate import migrate
from tests.kit.nats_server import NatsServer
from tests.kit.postgres_server import PARTITIONS, Database, PostgresServer


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A running nats-server with JetStream: `.url`, `.kill()`, `.stop()`, `.start()` (same port, same store)."""
    store = tmp_path / "nats"
    store.mkdir()
    server = NatsServer(store)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL that all tests share: leave it running."""
    server = PostgresServer()
    try:
        server.start()
        server.make_template()
        yield server
    finally:
        server.close()


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[Database]:
    """A migrated database of the test's own: `.dsn`."""
    database = postgres_server.fresh_database()
    try:
        yield database
    finally:
        database.drop()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of the test's own, to be stopped and started: `.dsn` is of a migrated database."""
    server = PostgresServer()
    try:
        server.start()
        migrate(server.dsn, PARTITIONS)
        yield server
    finally:
        server.close()
