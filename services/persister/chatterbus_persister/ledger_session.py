"""The ledger's one session with PostgreSQL: the locks that own partitions, and the transactions that move them.

Promises: the locks and the commits share a session, so whoever lost a partition can not commit to it; positions are
locked and compared inside each transaction, so even two who believe to own a partition can not both move it. A batch
costs two round trips. The session frees its partitions when it ends, and PostgreSQL ends it when it falls silent.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import psycopg
from psycopg.pq import TransactionStatus

from chatterbus_contracts.codec import encode_json
from chatterbus_contracts.states import MessageType, Role
from chatterbus_persister import statements
from chatterbus_persister.arrays import int_array, text_array
from chatterbus_persister.dsn import session_conninfo
from chatterbus_persister.epochs import Position
from chatterbus_persister.ledger.rows import MemberRow, MessageRow, ThreadRow
from chatterbus_persister.ledger.working_set import Keys, WorkingSet

LOCKS: Final = {"instances": 0x6362_0001, "partitions": 0x6362_0002}


class LostPartitionError(Exception):
    """Another instance moved the partition: this session's view of it is worthless."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A command that can not be applied: where it stood in the queue, why, and its bytes."""

    partition: int
    epoch: int
    stream_seq: int
    position: int
    reason: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Offsets:
    """Per partition: where it is believed to stand (epoch, applied), where it will stand, how far it was announced."""

    expected: Mapping[int, tuple[int, int]]
    applied: Mapping[int, int]
    announced: Mapping[int, int]


class LedgerSession:
    """Owned by one lane; its methods are called one at a time. Any OperationalError means: throw it away."""

    def __init__(self, connection: psycopg.AsyncConnection, instance: int) -> None:
        self._connection = connection
        self.instance = instance

    @classmethod
    async def open(cls, dsn: str, *, idle_timeout_s: float, statement_timeout_s: float) -> "LedgerSession":
        """Connect and announce this instance. Raises psycopg.OperationalError, or TimeoutError."""
        async with asyncio.timeout(statement_timeout_s):
            connection = await psycopg.AsyncConnection.connect(
                session_conninfo(dsn, "chatterbus-ledger"), autocommit=True, prepare_threshold=0
            )
            try:
                settings = {
                    "idle_ms": str(int(idle_timeout_s * 1000)),
                    "statement_ms": str(int(statement_timeout_s * 1000)),
                }
                await connection.execute(statements.SESSION_SETTINGS, settings)
                cursor = await connection.execute(statements.JOIN_INSTANCES, LOCKS)
                joined = await cursor.fetchone()
            except BaseException:
                await connection.close()
                raise
        assert joined is not None  # noqa: S101 - a SELECT of a constant has one row
        return cls(connection, joined[1])

    async def close(self) -> None:
        """Leave, which frees the partitions."""
        await self._connection.close()

    async def holders(self) -> dict[int, frozenset[int]]:
        """Every live instance by its backend's pid, with the partitions it holds."""
        cursor = await self._connection.execute(statements.HOLDERS, LOCKS)
        return {pid: frozenset(held or ()) for pid, held in await cursor.fetchall()}

    async def try_take(self, partition: int) -> bool:
        """Own the partition, unless somebody else does."""
        cursor = await self._connection.execute(statements.TRY_PARTITION, {**LOCKS, "partition": partition})
        row = await cursor.fetchone()
        return row is not None and bool(row[0])

    async def release(self, partition: int) -> None:
        """Own it no more."""
        await self._connection.execute(statements.RELEASE_PARTITION, {**LOCKS, "partition": partition})

    async def position(self, partition: int) -> Position:
        """The partition's row."""
        cursor = await self._connection.execute(statements.READ_POSITION, {"partition": partition})
        row = await cursor.fetchone()
        if row is None:
            raise LostPartitionError(f"partition {partition} is not in the store: run the migrations")
        return Position(*row)

    async def begin_epoch(self, partition: int, position: Position) -> None:
        """Start counting anew, from what `position` says."""
        cursor = await self._connection.execute(
            statements.BEGIN_EPOCH,
            {
                "partition": partition,
                "epoch": position.epoch,
                "stream_created": position.stream_created,
                "applied": position.applied,
            },
        )
        if cursor.rowcount != 1:
            raise LostPartitionError(f"partition {partition} entered another epoch")

    async def save_announced(self, announced: Mapping[int, tuple[int, int]]) -> None:
        """Remember (epoch, stream seq) up to which everything was announced, by partition."""
        await self._connection.execute(
            statements.SAVE_ANNOUNCED,
            {
                "partitions": int_array(announced),
                "epochs": int_array(epoch for epoch, _ in announced.values()),
                "announced": int_array(seq for _, seq in announced.values()),
            },
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """BEGIN travels with the first statements, COMMIT with the last; an exception rolls back. A cancelled one does
        not: its session is in doubt and must be closed."""
        try:
            yield
        except Exception:
            if self._connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                await self.rollback()
            raise

    async def rollback(self) -> None:
        """Undo the open transaction."""
        await self._connection.execute("ROLLBACK")

    async def load(self, keys: Keys, expected: Mapping[int, tuple[int, int]]) -> WorkingSet:
        """Begin, lock and compare the positions, and load the rows: one round trip.

        `expected` maps partition to (epoch, applied). Raises LostPartitionError when one stands elsewhere.
        """
        execute = self._connection.execute
        async with self._connection.pipeline():
            await execute("BEGIN")
            positions = await execute(statements.LOCK_POSITIONS, {"partitions": int_array(sorted(expected))})
            threads = await execute(statements.LOAD_THREADS, {"threads": text_array(keys.threads)})
            members = await execute(
                statements.LOAD_MEMBERS,
                {
                    "threads": text_array(thread for thread, _ in keys.members),
                    "users": text_array(user for _, user in keys.members),
                },
            )
            sends = await execute(
                statements.LOAD_SENDS,
                {
                    "threads": text_array(thread for thread, _, _ in keys.sends),
                    "users": text_array(user for _, user, _ in keys.sends),
                    "ids": text_array(client_message_id for _, _, client_message_id in keys.sends),
                },
            )
        standing = {partition: (epoch, applied) for partition, epoch, applied in await positions.fetchall()}
        if standing != expected:
            raise LostPartitionError(f"positions are {standing}, expected {dict(expected)}")
        rows = WorkingSet()
        rows.threads = {row[0]: ThreadRow(*row) for row in await threads.fetchall()}
        rows.members = {(row[0], row[1]): member_row(row) for row in await members.fetchall()}
        rows.sends = {(row[0], row[3], row[5]): message_row(row) for row in await sends.fetchall()}
        return rows

    async def store(self, rows: WorkingSet, offsets: Offsets, dead: Iterable[DeadLetter], at: datetime) -> None:
        """Write what changed and the offsets: still open, see `commit`. One round trip together with it."""
        execute = self._connection.execute
        if rows.new_threads:
            await execute(statements.INSERT_THREADS, _thread_columns(list(rows.new_threads.values()), at))
        if rows.changed_threads:
            await execute(statements.UPDATE_THREADS, _position_columns(list(rows.changed_threads.values()), at))
        if rows.new_members:
            await execute(statements.INSERT_MEMBERS, _member_columns(list(rows.new_members.values())))
        if rows.changed_members:
            await execute(statements.UPDATE_MEMBERS, _member_columns(list(rows.changed_members.values())))
        if rows.new_messages:
            await execute(statements.INSERT_MESSAGES, _message_columns(rows.new_messages, at))
        for letter in dead:
            await execute(
                statements.INSERT_DEAD_LETTERS,
                {
                    "partition": letter.partition,
                    "epoch": letter.epoch,
                    "stream_seq": letter.stream_seq,
                    "position": letter.position,
                    "reason": letter.reason,
                    "payload": letter.payload,
                    "at": at,
                },
            )
        await execute(
            statements.SAVE_APPLIED,
            {
                "partitions": int_array(offsets.applied),
                "applied": int_array(offsets.applied.values()),
                "announced": int_array(offsets.announced.get(partition, 0) for partition in offsets.applied),
            },
        )

    async def store_and_commit(
        self, rows: WorkingSet, offsets: Offsets, dead: Iterable[DeadLetter], at: datetime
    ) -> None:
        """Everything of a batch becomes visible at once, or nothing does."""
        async with self._connection.pipeline():
            await self.store(rows, offsets, dead, at)
            await self._connection.execute("COMMIT")


def member_row(row: tuple[object, ...]) -> MemberRow:
    """A row of LOAD_MEMBERS."""
    member = MemberRow(*row)  # type: ignore[arg-type]
    member.role = Role(member.role)
    return member


def message_row(row: tuple[object, ...]) -> MessageRow:
    """A row of MESSAGE_COLUMNS."""
    message = MessageRow(*row)  # type: ignore[arg-type]
    message.message_type = MessageType(message.message_type)
    message.mentions = message.mentions or []
    return message


def _json(value: object) -> str | None:
    return None if value is None else encode_json(value).decode()


def _times(values: Iterable[datetime | None]) -> str:
    return text_array(None if value is None else value.isoformat() for value in values)


def _thread_columns(rows: list[ThreadRow], at: datetime) -> dict[str, object]:
    return {
        "at": at,
        "ids": text_array(row.thread_id for row in rows),
        "titles": text_array(row.title for row in rows),
        "metadata": text_array(_json(row.metadata) for row in rows),
        "open": text_array(str(row.open).lower() for row in rows),
        "creators": text_array(row.created_by for row in rows),
        "seqs": int_array(row.last_seq for row in rows),
        "last_revs": int_array(row.last_rev for row in rows),
        "revs": int_array(row.rev for row in rows),
    }


def _position_columns(rows: list[ThreadRow], at: datetime) -> dict[str, object]:
    return {
        "at": at,
        "ids": text_array(row.thread_id for row in rows),
        "seqs": int_array(row.last_seq for row in rows),
        "last_revs": int_array(row.last_rev for row in rows),
    }


def _member_columns(rows: list[MemberRow]) -> dict[str, object]:
    return {
        "threads": text_array(row.thread_id for row in rows),
        "users": text_array(row.user_id for row in rows),
        "types": text_array(row.user_type for row in rows),
        "roles": text_array(row.role for row in rows),
        "joined": _times(row.joined_at for row in rows),
        "removed": _times(row.removed_at for row in rows),
        "delivered_seqs": int_array(row.delivered_seq for row in rows),
        "delivered_revs": int_array(row.delivered_rev for row in rows),
        "delivered_ats": _times(row.delivered_at for row in rows),
        "read_seqs": int_array(row.read_seq for row in rows),
        "read_revs": int_array(row.read_rev for row in rows),
        "read_ats": _times(row.read_at for row in rows),
        "membership_revs": int_array(row.membership_rev for row in rows),
        "revs": int_array(row.rev for row in rows),
    }


def _message_columns(rows: list[MessageRow], at: datetime) -> dict[str, object]:
    return {
        "at": at,
        "threads": text_array(row.thread_id for row in rows),
        "seqs": int_array(row.seq for row in rows),
        "revs": int_array(row.rev for row in rows),
        "senders": text_array(row.sender_id for row in rows),
        "types": text_array(row.sender_type for row in rows),
        "ids": text_array(row.client_message_id for row in rows),
        "kinds": text_array(row.message_type for row in rows),
        "contents": text_array(row.content for row in rows),
        "replies": int_array(row.reply_to_seq for row in rows),
        "mentions": text_array(text_array(row.mentions) if row.mentions else None for row in rows),
        "metadata": text_array(_json(row.metadata) for row in rows),
    }
