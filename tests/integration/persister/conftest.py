"""The ledger over its two stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.kit.ledger_fake import FakeStore
from tests.kit.ledger_postgres import PostgresStore
from tests.kit.ledger_worker import Ledger
from tests.kit.postgres_server import Database, PostgresServer


@pytest.fixture(scope="session")
def ledger_database(postgres_server: PostgresServer) -> Iterator[Database]:
    """A database that is emptied, not made, for each test: that is ten times as fast."""
    database = postgres_server.fresh_database()
    yield database
    database.drop()


@pytest.fixture
async def postgres_store(ledger_database: Database) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(ledger_database.dsn)
    await store.empty()
    yield store
    await store.close()


@pytest.fixture(params=["fake", "postgres"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """A ledger with an empty store: dictionaries, or a real database."""
    return Ledger(FakeStore() if request.param == "fake" else request.getfixturevalue("postgres_store"))
