"""The ledger's real tables, with the face of `ledger_fake.FakeStore`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg

from chatterbus_persister.columns import member_row, message_row
from chatterbus_persister.epochs import Position
from chatterbus_persister.ledger.rows import AttachmentRow, CursorStep, RevisionRow, ThreadRow
from chatterbus_persister.ledger_session import DeadLetter, LedgerSession
from chatterbus_persister.reads.access import MEMBER_COLUMNS, THREAD_COLUMNS
from chatterbus_persister.statements import MESSAGE_COLUMNS
from chatterbus_persister.store_service import prepare_connection
from tests.kit.ledger_fake import Tables

TIMEOUT_S: Final = 10.0
EMPTY: Final = """
TRUNCATE threads, members, messages, message_revisions, cursor_history, attachments, dead_letters,
         message_search;
UPDATE search_index SET language = 'simple', followed = NULL, rebuild_thread = NULL, rebuild_seq = NULL;
UPDATE partitions SET epoch = 0, stream_created = NULL, applied = 0, announced = 0
"""


class PostgresStore:
    """A migrated database."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._watching: psycopg.AsyncConnection | None = None
        self._reading: psycopg.AsyncConnection | None = None
        self._sessions: list[LedgerSession] = []

    async def session(self) -> LedgerSession:
        session = await LedgerSession.open(self._dsn, idle_timeout_s=TIMEOUT_S, statement_timeout_s=TIMEOUT_S)
        self._sessions.append(session)
        return session

    async def _connection(self) -> psycopg.AsyncConnection:
        if self._watching is None:
            self._watching = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True)
        return self._watching

    async def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        connection = await self._connection()
        return await (await connection.execute(statement.encode())).fetchall()

    async def read_tables(self) -> Tables:
        threads = [ThreadRow(*row) for row in await self._rows(f"SELECT {THREAD_COLUMNS} FROM threads t")]
        members = [member_row(row) for row in await self._rows(f"SELECT {MEMBER_COLUMNS} FROM members m")]
        messages = await self._rows(f"SELECT {MESSAGE_COLUMNS} FROM messages m ORDER BY thread_id, seq")
        revisions = await self._rows(
            "SELECT thread_id, seq, revision, content, edited_by, replaced_at FROM message_revisions ORDER BY 1, 2, 3"
        )
        steps = await self._rows("SELECT thread_id, user_id, kind, seq, at FROM cursor_history ORDER BY 1, 2, 3, 4")
        files = await self._rows(
            "SELECT thread_id, attachment_id, owner_id, name, content_type, size_bytes, width, height, thumbnail, "
            "created_at, seq, removed_at FROM attachments ORDER BY 1, 2"
        )
        letters = await self._rows(
            "SELECT partition, epoch, stream_seq, position, reason, payload FROM dead_letters ORDER BY 1, 2, 3, 4"
        )
        positions = await self._rows("SELECT partition, epoch, stream_created, applied, announced FROM partitions")
        return Tables(
            {row.thread_id: row for row in threads},
            {(row.thread_id, row.user_id): row for row in members},
            {(row.thread_id, row.seq): row for row in map(message_row, messages)},
            {row[:3]: RevisionRow(*row) for row in revisions},
            {row[:4]: CursorStep(*row) for row in steps},
            {row[:2]: AttachmentRow(*row) for row in files},
            {row[:4]: DeadLetter(*row) for row in letters},
            {row[0]: Position(*row[1:]) for row in positions},
        )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """A connection as the store service's pool has them, in one snapshot."""
        if self._reading is None:
            self._reading = await psycopg.AsyncConnection.connect(self._dsn)
            await prepare_connection(self._reading)
        async with self._reading.transaction():
            yield self._reading

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """A connection to put in what would take too many commands."""
        yield await self._connection()

    async def empty(self) -> None:
        await (await self._connection()).execute(EMPTY.encode())

    async def close(self) -> None:
        for session in self._sessions:
            await session.close()
        self._sessions = []
        for connection in (self._watching, self._reading):
            if connection is not None:
                await connection.close()
        self._watching = self._reading = None
