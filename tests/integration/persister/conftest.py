"""The ledger over its two stores."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.kit.ledger_fake import FakeStore
from tests.kit.ledger_postgres import PostgresStore
from tests.kit.ledger_worker import Ledger


@pytest.fixture(params=["fake", "postgres"])
async def ledger(request: pytest.FixtureRequest) -> AsyncIterator[Ledger]:
    """A ledger with an empty store: dictionaries, or a real database."""
    store = FakeStore() if request.param == "fake" else PostgresStore(request.getfixturevalue("postgres").dsn)
    try:
        yield Ledger(store)
    finally:
        await store.close()
