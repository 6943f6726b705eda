"""The ledger's one session with PostgreSQL: the locks that own partitions, and the transactions that move them.

Promises: the locks and the commits share a session, so whoever lost a partition can not commit to it; positions are
compared and moved by the very statement that stores the batch, so even two who believe to own a partition can not
both move it. An ordinary batch costs one round trip. The session frees its partitions when it ends, and PostgreSQL
ends it when it falls silent.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, LiteralString

import psycopg
from psycopg.pq import TransactionStatus

from chatterbus_persister import statements
from chatterbus_persister.arrays import int_array, text_array
from chatterbus_persister.columns import (
    Parameters,
    attachment_columns,
    attachment_keys,
    changed_message_columns,
    member_columns,
    member_keys,
    message_columns,
    message_keys,
    owner_keys,
    place_columns,
    revision_columns,
    send_keys,
    step_columns,
    take_attachments,
    take_members,
    take_messages,
    take_sends,
    take_threads,
    thread_columns,
    thread_keys,
)
from chatterbus_persister.dsn import session_conninfo
from chatterbus_persister.epochs import Position
from chatterbus_persister.ledger.working_set import Keys, WorkingSet
from chatterbus_persister.prepared import PreparedStatement
from chatterbus_persister.rollout import INSTANCES_LOCK, VERSIONS_LOCK
from chatterbus_persister.schema_version import Steps, require_schema

LOCKS: Final = {"instances": INSTANCES_LOCK, "partitions": 0x6362_0002}


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

    def __init__(self, connection: psycopg.AsyncConnection, instance: int, apply_batch: PreparedStatement) -> None:
        self._connection = connection
        self._apply_batch = apply_batch
        self.instance = instance

    @classmethod
    async def open(cls, dsn: str, *, idle_timeout_s: float, statement_timeout_s: float) -> "LedgerSession":
        """Connect and announce this instance. Raises psycopg.OperationalError, SchemaUnfitError, or TimeoutError."""
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
                # Before it counts as an instance: with a schema it cannot use it must not be given partitions.
                shipped = Steps.shipped()
                await require_schema(connection, shipped)
                made_for = {"versions": VERSIONS_LOCK, "step": shipped.number}
                cursor = await connection.execute(statements.JOIN_INSTANCES, LOCKS | made_for)
                joined = await cursor.fetchone()
                apply_batch = await PreparedStatement.prepare(connection, "apply_batch", statements.APPLY_BATCH)
            except BaseException:
                await connection.close()
                raise
        assert joined is not None  # noqa: S101 - a SELECT of a constant has one row
        return cls(connection, joined[-1], apply_batch)

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

    async def load(self, keys: Keys) -> WorkingSet:
        """The rows of these keys that exist: one round trip, or none. Whether they may still be used is decided by
        the positions at commit."""
        rows = WorkingSet()
        wanted = [
            (query, arguments, take)
            for found, query, arguments, take in (
                (keys.threads, statements.LOAD_THREADS, thread_keys, take_threads),
                (keys.members, statements.LOAD_MEMBERS, member_keys, take_members),
                (keys.owners, statements.LOAD_OWNERS, owner_keys, take_members),
                (keys.sends, statements.LOAD_SENDS, send_keys, take_sends),
                (keys.messages, statements.LOAD_MESSAGES, message_keys, take_messages),
                (keys.attachments, statements.LOAD_ATTACHMENTS, attachment_keys, take_attachments),
            )
            if found
        ]
        if not wanted:
            return rows
        async with self._connection.pipeline():
            cursors = [await self._connection.execute(query, arguments(keys)) for query, arguments, _ in wanted]
        for cursor, (_, _, take) in zip(cursors, wanted, strict=True):
            take(rows, await cursor.fetchall())
        return rows

    async def commit(
        self, rows: WorkingSet, offsets: Offsets, dead: Sequence[DeadLetter], at: datetime, *, keep: bool = True
    ) -> None:
        """Everything of a batch becomes visible at once, or nothing does. `keep` false: try it, and roll back.

        Raises LostPartitionError when a partition does not stand where `offsets.expected` says. An ordinary batch is
        one statement; what is rare (new threads, edits, files, dead letters) are further ones in the same transaction.
        """
        parameters = _batch_columns(rows, offsets, at)
        before, after = list(_before(rows, dead, at)), list(_after(rows, at))
        try:
            if keep and not before and not after:
                await self._apply_batch.run(parameters)
                return
            async with self._connection.pipeline():
                await self._connection.execute("BEGIN")
                for query, arguments in (*before, (statements.APPLY_BATCH, parameters), *after):
                    await self._connection.execute(query, arguments)
                await self._connection.execute("COMMIT" if keep else "ROLLBACK")
        except psycopg.Error as error:
            if self._connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                await self._connection.execute("ROLLBACK")
            if isinstance(error, psycopg.errors.DivisionByZero):
                raise LostPartitionError(f"not at {dict(offsets.expected)} any more") from None
            raise


Statement = tuple[LiteralString, Parameters]


def _before(rows: WorkingSet, dead: Sequence[DeadLetter], at: datetime) -> Iterator[Statement]:
    """What the ordinary statement builds on."""
    if rows.new_threads:
        yield statements.INSERT_THREADS, thread_columns(rows.new_threads.values(), at)
    if rows.new_members:
        yield statements.INSERT_MEMBERS, member_columns(rows.new_members.values())
    if rows.new_attachments:
        yield statements.INSERT_ATTACHMENTS, attachment_columns(rows.new_attachments.values(), at)
    for letter in dead:
        yield statements.INSERT_DEAD_LETTERS, {**asdict(letter), "at": at}


def _after(rows: WorkingSet, at: datetime) -> Iterator[Statement]:
    """What changes rows that the ordinary statement may just have made."""
    if rows.described_threads:
        yield statements.DESCRIBE_THREADS, thread_columns(rows.described_threads.values(), at)
    if rows.changed_messages:
        yield statements.UPDATE_MESSAGES, changed_message_columns(rows.changed_messages.values())
    if rows.new_revisions:
        yield statements.INSERT_REVISIONS, revision_columns(rows.new_revisions, at)
    if rows.changed_attachments:
        yield statements.ATTACH, attachment_columns(rows.changed_attachments.values(), at)
    if rows.emptied:
        yield statements.FORGET_REVISIONS, place_columns(rows.emptied, at)
        yield statements.RELEASE_ATTACHMENTS, place_columns(rows.emptied, at)


def _batch_columns(rows: WorkingSet, offsets: Offsets, at: datetime) -> Parameters:
    return {
        "at": at.isoformat(),
        "partition_count": str(len(offsets.applied)),
        "partitions": int_array(offsets.applied),
        "epochs": int_array(offsets.expected[partition][0] for partition in offsets.applied),
        "expected": int_array(offsets.expected[partition][1] for partition in offsets.applied),
        "applied": int_array(offsets.applied.values()),
        "announced": int_array(offsets.announced.get(partition, 0) for partition in offsets.applied),
        "t_ids": text_array(rows.changed_threads),
        "t_seqs": int_array(row.last_seq for row in rows.changed_threads.values()),
        "t_revs": int_array(row.last_rev for row in rows.changed_threads.values()),
        **step_columns(rows.new_steps.values()),
        **message_columns(rows.new_messages),
        **member_columns(rows.changed_members.values()),
    }
