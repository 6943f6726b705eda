"""Looks for the database while NATS is not there yet, so that an operator hears of both at once and not in turns.

Promises: the check of PostgreSQL says what is wrong with it (away, no schema, another version's schema) until it is
right, and then the look is over. Holds no session: the lane opens its own.
"""

from __future__ import annotations

import asyncio
import random
from typing import Final

import psycopg

from chatterbus_persister.dsn import session_conninfo
from chatterbus_persister.schema_version import SchemaUnfitError, Steps, require_schema
from chatterbus_runtime.backoff import Backoff
from chatterbus_runtime.health import Health

LOOK_TIMEOUT_S: Final = 10.0


async def look_for_postgres(dsn: str, health: Health, check: str) -> None:
    """Return when there is a database to work with."""
    backoff = Backoff(0.2, 2.0, 5.0, 0.5, random.random)
    while True:
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                await _look(dsn)
        except (psycopg.Error, SchemaUnfitError, TimeoutError, OSError) as error:
            health.set(check, False, first_line(error))
            await asyncio.sleep(backoff.next_s())
        else:
            health.set(check, True)
            return


async def _look(dsn: str) -> None:
    connection = await psycopg.AsyncConnection.connect(session_conninfo(dsn, "chatterbus-look"), autocommit=True)
    try:
        await require_schema(connection, Steps.shipped())
    finally:
        await connection.close()


def first_line(error: BaseException) -> str:
    """Of an error's text: PostgreSQL's further lines may quote values."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
