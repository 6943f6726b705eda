"""The index's own session with PostgreSQL: taking messages in, and rebuilding.

Promises: each call is one short transaction under the row of `search_index`; messages are read in it as they are then,
so an index row never falls back behind a newer one, and a deleted message's words are gone with the first transaction
that looks at it. Any psycopg error means: throw the session away and open another.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, LiteralString

import psycopg

from chatterbus_contracts.ids import ThreadId
from chatterbus_persister.arrays import int_array, text_array
from chatterbus_persister.dsn import session_conninfo
from chatterbus_persister.search import statements
from chatterbus_persister.search.language import OtherLanguageError, require_language
from chatterbus_persister.search.places import Place

STATEMENT_TIMEOUT_S: Final = 15.0
AFTER_ALL_THREADS: Final = (ThreadId("~"), 0)  # no id holds a character as high
BEFORE_ALL_THREADS: Final = (ThreadId(""), 0)
SEQ_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class State:
    """The row of `search_index`."""

    language: str
    followed: str | None
    rebuild_thread: ThreadId | None
    rebuild_seq: int | None

    @property
    def rebuilt_through(self) -> Place | None:
        """The last message that a rebuild has taken in; None when no rebuild is under way."""
        if self.rebuild_thread is None or self.rebuild_seq is None:
            return None
        return self.rebuild_thread, self.rebuild_seq


class SearchIndex:
    """Made with `open`; its methods are called one at a time."""

    def __init__(self, connection: psycopg.AsyncConnection, language: str) -> None:
        self._connection = connection
        self._language = language

    @classmethod
    async def open(cls, dsn: str, language: str) -> "SearchIndex":
        """Connect. Raises psycopg.OperationalError, TimeoutError, or UnknownLanguageError."""
        async with asyncio.timeout(STATEMENT_TIMEOUT_S):
            connection = await psycopg.AsyncConnection.connect(
                session_conninfo(dsn, "chatterbus-search"), autocommit=True, prepare_threshold=0
            )
            try:
                await connection.execute(
                    statements.SESSION_SETTINGS, {"statement_ms": str(int(STATEMENT_TIMEOUT_S * 1000))}
                )
                cursor = await connection.execute(statements.LANGUAGES)
                require_language(language, [name for (name,) in await cursor.fetchall()])
            except BaseException:
                await connection.close()
                raise
        return cls(connection, language)

    async def close(self) -> None:
        await self._connection.close()

    async def follow(self, consumer_created: str, *, hole: bool, claim: bool) -> str | None:
        """Begin a rebuild if what the consumer delivers can not make this index complete; says why, or None.

        `consumer_created` tells one consumer from its successor; `hole`: events were gone before it delivered them;
        `claim`: this process is the latest, and its language counts. Raises OtherLanguageError if it is not.
        """
        async with self._alone(statements.LOCK_STATE) as state:
            reason = None
            if not claim:
                self._require_own_language(state)
            if state is None or state.followed != consumer_created:
                reason = "the consumer of events is new"
            elif hole:
                reason = "events were gone before they were indexed"
            elif state.language != self._language:
                reason = f"the language was {state.language} and is {self._language}"
            if reason is not None:
                await self._begin_rebuild(consumer_created)
            return reason

    async def begin_rebuild(self) -> None:
        """Rebuild everything, in this process's language, from the beginning on."""
        async with self._alone(statements.LOCK_STATE):
            await self._begin_rebuild(None)

    async def _begin_rebuild(self, followed: str | None) -> None:
        await self._connection.execute(statements.BEGIN_REBUILD, {"language": self._language, "followed": followed})

    async def take(self, places: Sequence[Place]) -> None:
        """Index these messages as they are now, and forget those of them that are deleted. Raises
        OtherLanguageError."""
        async with asyncio.timeout(STATEMENT_TIMEOUT_S), self._connection.transaction():
            async with self._connection.pipeline():  # one round trip; in another's language it is rolled back
                cursor = await self._connection.execute(statements.LOCK_STATE)
                await self._gather(places, force=False)
                await self._connection.execute(statements.FORGET, _columns(places))
            row = await cursor.fetchone()
            self._require_own_language(None if row is None else State(*row))

    async def rebuild_step(self, limit: int) -> int | None:
        """Take in the next messages of the rebuild that is under way: how many there were, None when none is under
        way (any more). Does nothing, 0, while somebody else is at it. Raises OtherLanguageError."""
        async with self._alone(statements.LOCK_STATE_IF_FREE) as state:
            if state is None:
                return 0
            self._require_own_language(state)
            after = state.rebuilt_through
            if after is None:
                return None
            reached, count = await self._rebuild_between(after, AFTER_ALL_THREADS, limit)
            thread_id, seq = (None, None) if reached is None else reached
            await self._connection.execute(statements.MOVE_REBUILD, {"thread": thread_id, "seq": seq})
            return count

    async def rebuild_thread(self, thread_id: ThreadId, limit: int) -> AsyncIterator[int]:
        """Take in one thread again, `limit` messages a transaction; yields how many each had."""
        after: Place | None = (thread_id, 0)
        while after is not None:
            async with self._alone(statements.LOCK_STATE) as state:
                self._require_own_language(state)
                after, count = await self._rebuild_between(after, (thread_id, SEQ_MAX), limit)
            yield count

    async def messages_about(self) -> int:
        """Roughly how many messages there are, as PostgreSQL last counted."""
        cursor = await self._connection.execute(statements.MESSAGES_ABOUT)
        row = await cursor.fetchone()
        return 0 if row is None else int(row[0])

    async def analyze(self) -> None:
        """Have PostgreSQL count words again, by which queries are planned. Only the table's owner can; others are told
        so by a warning, and autovacuum does it later."""
        await self._connection.execute(statements.ANALYZE)

    async def _rebuild_between(self, after: Place, last: Place, limit: int) -> tuple[Place | None, int]:
        """(the place that was reached, None at the end; how many messages)."""
        bounds = {"thread": after[0], "seq": after[1], "last_thread": last[0], "last_seq": last[1]}
        # Planned for these bounds each time: a plan for any bounds takes them for wide, and reads whole tables.
        cursor = await self._connection.execute(statements.NEXT_PLACES, {**bounds, "limit": limit}, prepare=False)
        places = [(ThreadId(thread_id), int(seq)) for thread_id, seq in await cursor.fetchall()]
        reached = places[-1] if len(places) == limit else None
        await self._gather(places, force=True)
        if reached is not None:
            bounds |= {"last_thread": reached[0], "last_seq": reached[1]}
        await self._connection.execute(statements.FORGET_BETWEEN, bounds, prepare=False)
        return reached, len(places)

    async def _gather(self, places: Sequence[Place], *, force: bool) -> None:
        columns = {**_columns(places), "language": self._language, "force": force}
        await self._connection.execute(statements.GATHER, columns)

    def _require_own_language(self, state: State | None) -> None:
        if state is None or state.language != self._language:
            raise OtherLanguageError(f"the index is in {None if state is None else state.language}")

    @asynccontextmanager
    async def _alone(self, lock: LiteralString) -> AsyncIterator[State | None]:
        """A transaction in which nobody else writes the index; None: `lock` did not wait, and somebody else does."""
        async with asyncio.timeout(STATEMENT_TIMEOUT_S), self._connection.transaction():
            cursor = await self._connection.execute(lock)
            row = await cursor.fetchone()
            yield None if row is None else State(*row)


def _columns(places: Sequence[Place]) -> dict[str, str]:
    return {
        "threads": text_array(thread_id for thread_id, _ in places),
        "seqs": int_array(seq for _, seq in places),
    }
