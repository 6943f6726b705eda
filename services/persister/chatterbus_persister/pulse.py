"""Whether PostgreSQL answers at all: a trifle is asked every few seconds, over a session of its own.

Promises: the check is red when a trifle has waited `PATIENCE_S` for its answer, or no session can be opened, and green
from the next answer on, so a database that is frozen with its connections open is seen within `EVERY_S` and
`PATIENCE_S`. A question is never given up for being late: no cancelling, which psycopg would draw out by 10 s. Says
nothing about the ledger's own session, which a heavy batch may keep busy for long without anything being wrong.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, NoReturn, TypeVar

import psycopg
from psycopg import AsyncConnection

from chatterbus_persister.dsn import session_conninfo
from chatterbus_runtime.health import Health

CHECK: Final = "postgres_pulse"
EVERY_S: Final = 2.0
PATIENCE_S: Final = 6.0  # a machine under full load answers a constant within a second; a frozen one never
LOOKS: Final = 3  # the patience is spent in so many parts: one stall of this process eats one of them only

Answer = TypeVar("Answer")


class Pulse:
    """One per persister. Call `run` as a background task."""

    def __init__(self, dsn: str, health: Health, *, every_s: float = EVERY_S, patience_s: float = PATIENCE_S) -> None:
        self._conninfo = session_conninfo(dsn, "chatterbus-pulse")
        self._health = health
        self._every_s = every_s
        self._patience_s = patience_s

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                await self._ask_on_one_session()
            except (psycopg.Error, OSError) as error:
                self._health.set(CHECK, False, type(error).__name__)
            await asyncio.sleep(self._every_s)

    async def _ask_on_one_session(self) -> NoReturn:
        async with await self._watched(AsyncConnection.connect(self._conninfo, autocommit=True)) as connection:
            while True:
                await self._watched(connection.execute("SELECT 1"))
                self._health.set(CHECK, True)
                await asyncio.sleep(self._every_s)

    async def _watched(self, asking: Coroutine[Any, Any, Answer]) -> Answer:
        """Its answer, however late; red from `patience_s` on."""
        task = asyncio.create_task(asking)
        try:
            for _ in range(LOOKS):
                answered, _ = await asyncio.wait({task}, timeout=self._patience_s / LOOKS)
                if answered:
                    return task.result()
            self._health.set(CHECK, False, "no answer")
            return await task
        finally:
            task.cancel()
