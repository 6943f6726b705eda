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
from chatterbus_contracts.states import Role
from chatterbus_persister.epochs import Position
from chatterbus_persister.ledger.rows import (
    DELIVERED,
    READ,
    AttachmentRow,
    CursorStep,
    MemberRow,
    MessageRow,
    RevisionRow,
    ThreadRow,
)
from chatterbus_persister.ledger.working_set import AttachmentKey, Keys, MemberKey, MessageKey, WorkingSet
from chatterbus_persister.ledger_session import DeadLetter, LostPartitionError, Offsets
from chatterbus_persister.reads import access, changes, members, messages
from chatterbus_persister.statements import LOAD_MESSAGES

PARTITIONS = 4


@dataclass
class Tables:
    """Everything that is stored."""

    threads: dict[ThreadId, ThreadRow] = field(default_factory=dict)
    members: dict[MemberKey, MemberRow] = field(default_factory=dict)
    messages: dict[MessageKey, MessageRow] = field(default_factory=dict)
    revisions: dict[tuple[ThreadId, int, int], RevisionRow] = field(default_factory=dict)
    steps: dict[tuple[ThreadId, UserId, int, int], CursorStep] = field(default_factory=dict)
    attachments: dict[AttachmentKey, AttachmentRow] = field(default_factory=dict)
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
            dict(sorted(tables.revisions.items())),
            dict(sorted(tables.steps.items())),
            {key: replace(row) for key, row in sorted(tables.attachments.items())},
            dict(tables.dead_letters),
            dict(tables.positions),
        )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        """A connection for `reads`."""
        yield FakeConnection(self.tables)

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
        for key, member in tables.members.items():
            if key[0] in keys.owners and member.role is Role.OWNER and member.removed_at is None:
                rows.members.setdefault(key, replace(member))
        rows.sends = {key: replace(row) for key in keys.sends if (row := tables.send(key)) is not None}
        rows.messages = {key: replace(tables.messages[key]) for key in keys.messages if key in tables.messages}
        rows.attachments = {
            key: replace(tables.attachments[key]) for key in keys.attachments if key in tables.attachments
        }
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
        self._write(rows, at)
        for letter in dead:
            key = (letter.partition, letter.epoch, letter.stream_seq, letter.position)
            tables.dead_letters.setdefault(key, letter)
        for partition, applied in offsets.applied.items():
            stored = tables.positions[partition]
            announced = max(stored.announced, offsets.announced.get(partition, 0))
            tables.positions[partition] = replace(stored, applied=applied, announced=announced)

    def _write(self, rows: WorkingSet, at: datetime) -> None:
        """Exactly what is marked, and of it exactly what the statements write."""
        tables = self._store.tables
        tables.threads.update({key: _stored(row) for key, row in rows.new_threads.items()})
        for key, row in rows.changed_threads.items():
            moved = {name: getattr(row, name) for name in ("last_seq", "last_rev", "last_message_at")}
            tables.threads[key] = replace(tables.threads[key], **moved)
        for key, row in rows.described_threads.items():
            described = {name: getattr(row, name) for name in ("title", "metadata", "rev", "member_count")}
            tables.threads[key] = _stored(replace(tables.threads[key], **described))
        tables.members.update({key: replace(row) for key, row in rows.new_members.items()})
        tables.members.update({key: replace(row) for key, row in rows.changed_members.items()})
        for message in rows.new_messages:
            tables.messages[(message.thread_id, message.seq)] = _stored(
                replace(message, attachments=None, reactions=None)
            )
        tables.messages.update({key: _stored(row) for key, row in rows.changed_messages.items()})
        for revision in rows.new_revisions:
            tables.revisions[(revision.thread_id, revision.seq, revision.revision)] = revision
        for step in rows.new_steps.values():
            tables.steps.setdefault((step.thread_id, step.user_id, step.kind, step.seq), step)
        tables.attachments.update({key: replace(row) for key, row in rows.new_attachments.items()})
        for place, file in rows.changed_attachments.items():
            tables.attachments[place] = replace(tables.attachments[place], seq=file.seq)
        tables.revisions = {key: row for key, row in tables.revisions.items() if key[:2] not in rows.emptied}
        for file in tables.attachments.values():
            if (file.thread_id, file.seq) in rows.emptied and file.removed_at is None:
                file.removed_at = at

    def _check(self, rows: WorkingSet) -> None:
        tables = self._store.tables
        texts = [row.content for row in (*rows.new_messages, *rows.changed_messages.values())]
        texts += [row.content for row in rows.new_revisions]
        texts += [row.title or "" for row in rows.described_threads.values()]
        texts += [row.name for row in rows.new_attachments.values()]
        if any("\x00" in text for text in texts):
            raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
        taken = (
            any(key in tables.threads for key in rows.new_threads)
            or any(key in tables.members for key in rows.new_members)
            or any(key in tables.attachments for key in rows.new_attachments)
            or any((row.thread_id, row.seq, row.revision) in tables.revisions for row in rows.new_revisions)
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
    columns = [name for name in ("metadata", "reactions", "attachments") if hasattr(row, name)]
    return replace(row, **{name: json.loads(json.dumps(getattr(row, name))) for name in columns})


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
            members.PAGE: self._members_page,
            members.FIRST_OF_EACH: self._first_members,
            members.CHANGED: self._members_changed,
            changes.SINCE: self._since,
            messages.BEFORE: self._before,
            messages.AFTER: self._after,
            messages.ONE: self._one,
            messages.REVISIONS: self._revisions,
            messages.MESSAGE_RECEIPTS: self._receipts,
            LOAD_MESSAGES: self._targets,
        }

    async def execute(self, statement: str, parameters: dict[str, Any]) -> FakeCursor:
        return FakeCursor(self._answers[statement](**parameters))

    def _thread_and_member(self, thread_id: ThreadId, user_id: UserId) -> list[tuple[Any, ...]]:
        thread, member = self._tables.threads.get(thread_id), self._tables.members.get((thread_id, user_id))
        return [] if thread is None or member is None else [_columns(thread) + _columns(member)]

    def _members_of(self, thread_id: str) -> list[MemberRow]:
        found = [row for (thread, _), row in self._tables.members.items() if thread == thread_id]
        return sorted(found, key=lambda row: row.user_id)

    def _members_page(self, thread_id: str, after: str, limit: int) -> list[tuple[Any, ...]]:
        found = [row for row in self._members_of(thread_id) if row.removed_at is None and row.user_id > after]
        return [_columns(row) for row in found[:limit]]

    def _first_members(self, ids: list[str], limit: int) -> list[tuple[Any, ...]]:
        return [row for thread_id in sorted(ids) for row in self._members_page(thread_id, "", limit)]

    def _members_changed(self, thread_id: str, since: int) -> list[tuple[Any, ...]]:
        return [_columns(row) for row in self._members_of(thread_id) if row.rev > since]

    def _of(self, thread_id: ThreadId) -> list[MessageRow]:
        return sorted((row for row in self._tables.messages.values() if row.thread_id == thread_id), key=_by_seq)

    def _since(self, thread_id: ThreadId, rev: int, limit: int) -> list[tuple[Any, ...]]:
        found = sorted((row for row in self._of(thread_id) if row.rev > rev), key=lambda row: row.rev)
        return [_columns(row) for row in found[:limit]]

    def _before(self, thread_id: ThreadId, seq: int, limit: int) -> list[tuple[Any, ...]]:
        return [_columns(row) for row in reversed(self._of(thread_id)) if row.seq < seq][:limit]

    def _after(self, thread_id: ThreadId, seq: int, limit: int) -> list[tuple[Any, ...]]:
        return [_columns(row) for row in self._of(thread_id) if row.seq > seq][:limit]

    def _one(self, thread_id: ThreadId, seq: int) -> list[tuple[Any, ...]]:
        row = self._tables.messages.get((thread_id, seq))
        return [] if row is None else [_columns(row)]

    def _targets(self, threads: str, seqs: str) -> list[tuple[Any, ...]]:
        # Ids hold no commas and no braces, so the array literals come apart easily.
        places = zip(threads[1:-1].replace('"', "").split(","), seqs[1:-1].split(","), strict=True)
        found = [self._tables.messages.get((ThreadId(thread), int(seq))) for thread, seq in places]
        return [_columns(row) for row in found if row is not None]

    def _revisions(self, thread_id: ThreadId, seq: int, limit: int) -> list[tuple[Any, ...]]:
        kept = [row for key, row in sorted(self._tables.revisions.items()) if key[:2] == (thread_id, seq)]
        return [(row.content, row.edited_by, row.replaced_at) for row in reversed(kept)][:limit]

    def _receipts(
        self, thread_id: ThreadId, seq: int, sender_id: UserId, after: str, limit: int
    ) -> list[tuple[Any, ...]]:
        found = []
        for row in self._members_of(thread_id):
            if row.removed_at is None and row.user_id != sender_id and row.user_id > after:
                delivered, read = (self._reached(row, kind, seq) for kind in (DELIVERED, READ))
                found.append((row.user_id, min(filter(None, (delivered, read)), default=None), read))
        return found[:limit]

    def _reached(self, member: MemberRow, kind: int, seq: int) -> datetime | None:
        """When the member's cursor first stood at `seq` or beyond."""
        own = (member.thread_id, member.user_id, kind)
        steps = [step for key, step in self._tables.steps.items() if key[:3] == own and step.seq >= seq]
        return min(steps, key=lambda step: step.seq).at if steps else None


def _columns(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, column.name) for column in fields(row))


def _by_seq(row: MessageRow) -> int:
    return row.seq
