"""The ledger's tables as dictionaries, with the face of LedgerSession and of a connection for `reads`.

Promises what PostgreSQL promises the ledger: a transaction becomes visible at once or not at all, positions are
compared before anything else, keys are unique, and no text holds U+0000. Knows no locks: one thing happens at a time.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

import psycopg

from chatterbus_contracts.ids import ClientMessageId, ThreadId, UserId
from chatterbus_persister.epochs import Position
from chatterbus_persister.ledger.rows import MemberRow, MessageRow, ThreadRow
from chatterbus_persister.ledger.working_set import Keys, MemberKey, WorkingSet
from chatterbus_persister.ledger_session import DeadLetter, LostPartitionError, Offsets
from chatterbus_persister.reads import access, changes, messages

PARTITIONS = 4


@dataclass
class Tables:
    """Everything that is stored."""

    threads: dict[ThreadId, ThreadRow] = field(default_factory=dict)
    members: dict[MemberKey, MemberRow] = field(default_factory=dict)
    messages: dict[tuple[ThreadId, int], MessageRow] = field(default_factory=dict)
    dead_letters: dict[tuple[int, int, int, int], DeadLetter] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=dict)

    def send(self, key: tuple[ThreadId, UserId, ClientMessageId]) -> MessageRow | None:
        found = (row for row in self.messages.values() if (row.thread_id, row.sender_id, row.client_message_id) == key)
        return next(found, None)


class FakeStore:
    """The database."""

    def __init__(self) -> None:
        self.tables = _empty_tables()

    async def empty(self) -> None:
        self.tables = _empty_tables()

    async def session(self) -> FakeSession:
        return FakeSession(self)

    async def read_tables(self) -> Tables:
        tables = self.tables
        return Tables(
            {key: replace(row) for key, row in tables.threads.items()},
            {key: replace(row) for key, row in tables.members.items()},
            {key: replace(row) for key, row in sorted(tables.messages.items())},
            dict(tables.dead_letters),
            dict(tables.positions),
        )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        """A connection for `reads`."""
        yield FakeConnection(self.tables)

    async def remove_member(self, thread_id: str, user_id: str, at: datetime) -> None:
        self.tables.members[(ThreadId(thread_id), UserId(user_id))].removed_at = at

    async def close(self) -> None:
        return


def _empty_tables() -> Tables:
    return Tables(positions={number: Position(0, None, 0, 0) for number in range(PARTITIONS)})


class FakeSession:
    """One worker's session: what it stores is visible to others after the commit."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def close(self) -> None:
        return

    async def position(self, partition: int) -> Position:
        return self._store.tables.positions[partition]

    async def begin_epoch(self, partition: int, position: Position) -> None:
        if self._store.tables.positions[partition].epoch != position.epoch - 1:
            raise LostPartitionError(f"partition {partition} entered another epoch")
        self._store.tables.positions[partition] = position

    async def save_announced(self, announced: Mapping[int, tuple[int, int]]) -> None:
        for partition, (epoch, seq) in announced.items():
            stored = self._store.tables.positions[partition]
            if stored.epoch == epoch and stored.announced < seq:
                self._store.tables.positions[partition] = replace(stored, announced=seq)

    async def load(self, keys: Keys) -> WorkingSet:
        tables = self._store.tables
        rows = WorkingSet()
        rows.threads = {key: replace(tables.threads[key]) for key in keys.threads if key in tables.threads}
        rows.members = {key: replace(tables.members[key]) for key in keys.members if key in tables.members}
        rows.sends = {key: replace(row) for key in keys.sends if (row := tables.send(key)) is not None}
        return rows

    async def commit(
        self, rows: WorkingSet, offsets: Offsets, dead: Sequence[DeadLetter], at: datetime, *, keep: bool = True
    ) -> None:
        tables = self._store.tables
        standing = {p: (tables.positions[p].epoch, tables.positions[p].applied) for p in offsets.applied}
        if standing != offsets.expected:
            raise LostPartitionError(f"positions are {standing}, expected {dict(offsets.expected)}")
        self._check(rows)
        if not keep:
            return
        for thread in (*rows.new_threads.values(), *rows.changed_threads.values()):
            tables.threads[thread.thread_id] = _stored(thread)
        for member in (*rows.new_members.values(), *rows.changed_members.values()):
            tables.members[(member.thread_id, member.user_id)] = replace(member)
        for message in rows.new_messages:
            tables.messages[(message.thread_id, message.seq)] = _stored(message)
        for letter in dead:
            key = (letter.partition, letter.epoch, letter.stream_seq, letter.position)
            tables.dead_letters.setdefault(key, letter)
        for partition, applied in offsets.applied.items():
            stored = tables.positions[partition]
            announced = max(stored.announced, offsets.announced.get(partition, 0))
            tables.positions[partition] = replace(stored, applied=applied, announced=announced)

    def _check(self, rows: WorkingSet) -> None:
        tables = self._store.tables
        if any("\x00" in row.content for row in rows.new_messages):
            raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
        taken = any(key in tables.threads for key in rows.new_threads) or any(
            key in tables.members for key in rows.new_members
        )
        doubled = any(
            (row.thread_id, row.seq) in tables.messages
            or tables.send((row.thread_id, row.sender_id, row.client_message_id))
            for row in rows.new_messages
        )
        if taken or doubled:
            raise psycopg.errors.UniqueViolation("duplicate key value violates unique constraint")


def _stored(row: Any) -> Any:
    """A copy, its JSON gone through text as in a column."""
    return replace(row, metadata=None if row.metadata is None else json.loads(json.dumps(row.metadata)))


class FakeCursor:
    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows = rows

    async def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows

    async def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows[0] if self._rows else None


class FakeConnection:
    """Answers the statements of `reads`, found by their text."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._answers: dict[str, Callable[..., list[tuple[Any, ...]]]] = {
            access.THREAD_AND_MEMBER: self._thread_and_member,
            access.MEMBERS: self._members,
            changes.SINCE: self._since,
            messages.BEFORE: self._before,
            messages.AFTER: self._after,
        }

    async def execute(self, statement: str, parameters: dict[str, Any]) -> FakeCursor:
        return FakeCursor(self._answers[statement](**parameters))

    def _thread_and_member(self, thread_id: ThreadId, user_id: UserId) -> list[tuple[Any, ...]]:
        thread, member = self._tables.threads.get(thread_id), self._tables.members.get((thread_id, user_id))
        return [] if thread is None or member is None else [_columns(thread) + _columns(member)]

    def _members(self, thread_id: ThreadId) -> list[tuple[Any, ...]]:
        found = [row for (thread, _), row in self._tables.members.items() if thread == thread_id]
        return [_columns(row) for row in sorted(found, key=lambda row: row.user_id)]

    def _of(self, thread_id: ThreadId) -> list[MessageRow]:
        return sorted((row for row in self._tables.messages.values() if row.thread_id == thread_id), key=_by_seq)

    def _since(self, thread_id: ThreadId, rev: int, limit: int) -> list[tuple[Any, ...]]:
        found = sorted((row for row in self._of(thread_id) if row.rev > rev), key=lambda row: row.rev)
        return [_columns(row) for row in found[:limit]]

    def _before(self, thread_id: ThreadId, seq: int, limit: int) -> list[tuple[Any, ...]]:
        return [_columns(row) for row in reversed(self._of(thread_id)) if row.seq < seq][:limit]

    def _after(self, thread_id: ThreadId, seq: int, limit: int) -> list[tuple[Any, ...]]:
        return [_columns(row) for row in self._of(thread_id) if row.seq > seq][:limit]


def _columns(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, column.name) for column in fields(row))


def _by_seq(row: MessageRow) -> int:
    return row.seq
