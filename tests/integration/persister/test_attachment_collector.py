"""Files that nobody can reach any more, against a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import AttachmentId, ThreadId, UserId, attachment_id
from chatterbus_contracts.objects import file_key, thumbnail_key
from chatterbus_contracts.queries import AskAttachment
from chatterbus_persister import attachment_collector
from chatterbus_persister.attachment_collector import AttachmentCollector
from chatterbus_persister.reads.attachments import attachment
from tests.kit.memory_storage import MemoryStorage
from tests.kit.postgres_server import Database
from tests.kit.waiting import until

THREAD = ThreadId("t1")
INSERT = """
INSERT INTO attachments (thread_id, attachment_id, owner_id, name, content_type, size_bytes, thumbnail, created_at, seq,
                         removed_at)
VALUES (%s, %s, 'alice', 'a', 'image/png', 1, true, %s, %s, %s)
"""


class Files:
    """The table and the storage together."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], dsn: str) -> None:
        self.connection = connection
        self.storage = MemoryStorage()
        self.held = True
        self.collector = AttachmentCollector(
            dsn, self.storage, unattached_ttl_s=3600, holds=lambda partition: self.held and partition == 0
        )

    async def add(
        self, number: int, *, age_s: float = 0, seq: int | None = None, removed: bool = False
    ) -> AttachmentId:
        new_id = attachment_id(THREAD, f"{number:032x}")
        at = datetime.now(UTC) - timedelta(seconds=age_s)
        await self.connection.execute(INSERT, (THREAD, new_id, at, seq, at if removed else None))
        for key in (file_key(new_id), thumbnail_key(new_id)):
            self.storage.objects[key] = (b"x", "image/png")
        return new_id

    async def rows(self) -> list[str]:
        cursor = await self.connection.execute("SELECT attachment_id FROM attachments ORDER BY attachment_id")
        return [row[0] for row in await cursor.fetchall()]


@pytest.fixture
async def files(postgres: Database) -> AsyncIterator[Files]:
    async with await psycopg.AsyncConnection.connect(postgres.dsn, autocommit=True) as connection:
        yield Files(connection, postgres.dsn)


async def test_removed_and_forgotten_files_go_and_all_others_stay(files: Files) -> None:
    kept = [await files.add(1), await files.add(2, age_s=7200, seq=5)]
    await files.add(3, age_s=7200)
    await files.add(4, seq=6, removed=True)
    assert await files.collector.collect() == 2
    assert await files.rows() == kept
    assert files.storage.objects.keys() == {key(one) for one in kept for key in (file_key, thumbnail_key)}
    assert await files.collector.collect() == 0


@pytest.mark.parametrize("failing", ["", ".thumbnail"])
async def test_what_can_not_be_removed_stays_in_the_table_for_the_next_turn(files: Files, failing: str) -> None:
    removed = await files.add(1, seq=1, removed=True)
    files.storage.fails = failing
    assert await files.collector.collect() == 0
    assert await files.rows() == [removed]
    files.storage.fails = None
    assert await files.collector.collect() == 1
    assert (await files.rows(), files.storage.objects) == ([], {})


async def test_one_file_that_fails_keeps_no_other_from_going(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachment_collector, "COLLECT_MAX", 3)
    ids = [await files.add(number, age_s=10 - number, seq=number + 1, removed=True) for number in range(8)]
    files.storage.fails = file_key(ids[0])
    assert await files.collector.collect() == 7
    assert await files.rows() == [ids[0]]


async def test_only_the_owner_of_partition_0_collects_and_a_lost_database_is_outlived(files: Files) -> None:
    await files.add(1, seq=1, removed=True)
    files.held = False
    asked = 0

    def holds(_partition: int) -> bool:
        nonlocal asked
        asked += 1
        return files.held

    files.collector._holds = holds
    conninfo, files.collector._conninfo = files.collector._conninfo, "host=127.0.0.1 port=1 connect_timeout=1"
    running = asyncio.create_task(files.collector.run(0.01))
    await until(lambda: asked > 3, 5, "turns without the partition")
    assert len(await files.rows()) == 1
    files.held = True
    seen = asked
    await until(lambda: asked > seen + 2, 5, "turns without a database")
    files.collector._conninfo = conninfo

    async def collected() -> bool:
        return await files.rows() == []

    await until(collected, 5, "the file is collected")
    running.cancel()


async def test_a_file_is_told_to_its_uploader_and_once_sent_to_members(files: Files) -> None:
    for user in ("alice", "bob"):
        await files.connection.execute(
            "INSERT INTO members (thread_id, user_id, user_type, role, joined_at) "
            "VALUES ('t1', %s, 'u', 'member', now())",
            (user,),
        )
    await files.connection.execute(
        "INSERT INTO threads (thread_id, created_by, created_at) VALUES ('t1', 'alice', now())"
    )
    waiting, sent, gone = await files.add(1), await files.add(2, seq=1), await files.add(3, seq=1, removed=True)

    async def code(user: str, file: AttachmentId) -> ErrorCode | None:
        try:
            state = await attachment(files.connection, AskAttachment(attachment_id=file, user_id=UserId(user)))
        except Refusal as refusal:
            return refusal.code
        assert state["id"] == file
        return None

    none = attachment_id(THREAD, "f" * 32)
    answers = {
        user: [await code(user, file) for file in (waiting, sent, gone, none)] for user in ("alice", "bob", "eve")
    }
    no_file, no_thread = ErrorCode.ATTACHMENT_NOT_FOUND, ErrorCode.THREAD_NOT_FOUND
    assert answers == {
        "alice": [None, None, no_file, no_file],
        "bob": [no_file, None, no_file, no_file],
        "eve": [no_thread] * 4,
    }
