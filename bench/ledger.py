"""What one command costs the ledger: rules, statements and PostgreSQL, without queue and sockets.

Batches of one kind of command each, on a database of its own, over threads of a few members. The cost is the wall time
of a batch divided by its commands, so PostgreSQL's share is in it.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import psycopg
from psycopg import sql

from chatterbus_contracts.commands import (
    Command,
    CreateThread,
    MoveCursor,
    NewMember,
    RemoveMessage,
    ReviseMessage,
    SetReaction,
    StoreMessage,
)
from chatterbus_contracts.ids import CommandId, ThreadId, UserId, message_id
from chatterbus_persister.batch import Batch, Item, Place, apply_batch
from chatterbus_persister.ledger.row_cache import RowCache
from chatterbus_persister.ledger_session import LedgerSession, Offsets
from chatterbus_persister.migrate import migrate

THREADS: Final = 50
BATCH: Final = 500
ROUNDS: Final = 10
PARTITION: Final = 0

Make = Callable[[ThreadId, int], dict[str, Any]]

KINDS: Final[dict[str, tuple[type[Command], Make]]] = {
    "message": (StoreMessage, lambda thread, n: {"client_message_id": f"m-{n}", "content": "x" * 100}),
    "edit": (ReviseMessage, lambda thread, n: {"message_id": message_id(thread, n + 1), "content": f"y{n}" * 25}),
    "reaction": (SetReaction, lambda thread, n: {"message_id": message_id(thread, n + 1), "emoji": "👍", "on": True}),
    "receipt": (MoveCursor, lambda _thread, n: {"read_seq": n + 1}),
    "delete": (RemoveMessage, lambda thread, n: {"message_id": message_id(thread, n + 1)}),
}


class _Bench:
    """A ledger session that applies batches one after the other."""

    def __init__(self, session: LedgerSession, epoch: int) -> None:
        self._session = session
        self._epoch = epoch
        self._applied = 0
        self._cache = RowCache(50_000)

    async def apply(self, commands: list[Command]) -> None:
        place = Place(PARTITION, self._applied + 1, 0)
        batch = Batch([Item(place, command, b"", echo=False) for command in commands], {PARTITION: self._applied + 1})
        keys = batch.keys()
        rows = self._cache.working_set(keys, await self._session.load(self._cache.missing(keys)))
        at = datetime.now(UTC).replace(microsecond=0)
        result = apply_batch(rows, batch, (), at)
        refused = [outcome.refusal for outcome in result.outcomes if outcome.refusal is not None]
        if refused:
            raise RuntimeError(f"the ledger refused what is measured: {refused[0]}")
        expected = {PARTITION: (self._epoch, self._applied)}
        await self._session.commit(rows, Offsets(expected, batch.reached, {}), [], at)
        self._cache.keep(rows)
        self._applied += 1


async def ledger(dsn: str) -> dict[str, Any]:
    """Microseconds per command by kind, and as a multiple of a message's."""
    database = f"bench_{uuid4().hex[:8]}"
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    try:
        return await _measure(psycopg.conninfo.make_conninfo(dsn, dbname=database))
    finally:
        with psycopg.connect(dsn, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))


async def _measure(dsn: str) -> dict[str, Any]:
    migrate(dsn, 4)
    session = await LedgerSession.open(dsn, idle_timeout_s=60, statement_timeout_s=30)
    try:
        bench = _Bench(session, (await session.position(PARTITION)).epoch)
        threads = [ThreadId(f"t-{number}") for number in range(THREADS)]
        reader = [NewMember(user_id=UserId("bob"))]
        await bench.apply([_command(CreateThread, thread, "alice", {"members": reader}) for thread in threads])
        costs_us = {}
        for name, (kind, make) in KINDS.items():
            user = "bob" if kind in (SetReaction, MoveCursor) else "alice"
            costs_us[name] = await _cost_us(bench, kind, make, threads, user)
    finally:
        await session.close()
    return {
        **{f"{name}_us": round(cost, 1) for name, cost in costs_us.items()},
        **{f"{name}_ratio": round(cost / costs_us["message"], 2) for name, cost in costs_us.items()},
    }


async def _cost_us(bench: _Bench, kind: type[Command], make: Make, threads: list[ThreadId], user: str) -> float:
    per_thread = BATCH // len(threads)
    started = time.perf_counter()
    for turn in range(ROUNDS):
        numbers = range(turn * per_thread, (turn + 1) * per_thread)
        await bench.apply([_command(kind, thread, user, make(thread, n)) for n in numbers for thread in threads])
    return (time.perf_counter() - started) / (ROUNDS * BATCH) * 1e6


def _command(kind: type[Command], thread: ThreadId, user: str, fields: dict[str, Any]) -> Command:
    return kind(id=CommandId(uuid4().hex), thread_id=thread, user_id=UserId(user), user_type="user", **fields)
