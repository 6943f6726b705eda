"""The ledger over its two stores, and whole persisters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.integration.persister.persister_process import PersisterProcess, Sender, StartPersister
from tests.kit.ledger_fake import FakeStore
from tests.kit.ledger_postgres import PostgresStore
from tests.kit.ledger_worker import Ledger
from tests.kit.nats_server import NatsServer
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


@pytest.fixture
async def sender(nats_server: NatsServer) -> AsyncIterator[Sender]:
    """A gateway's side of the queue."""
    sender = await Sender.connect(nats_server.url)
    yield sender
    await sender.close()


@pytest.fixture
def start_persister(nats_server: NatsServer, tmp_path: Path) -> Iterator[StartPersister]:
    """Starts processes on a database; whatever is left of them at the end is killed."""
    started: list[PersisterProcess] = []

    def start(dsn: str, **settings: str) -> PersisterProcess:
        process = PersisterProcess(tmp_path, f"persister-{len(started)}", nats_server.url, dsn, **settings)
        started.append(process)
        process.start()
        return process

    yield start
    for process in started:
        process.close()


@pytest.fixture
async def persister(start_persister: StartPersister, postgres: Database) -> PersisterProcess:
    """One that holds all partitions."""
    process = start_persister(postgres.dsn)
    await process.until_ready()
    return process
