"""Removes files that nobody can reach any more: of deleted messages, and those that never got into a message.

Promises: objects go first and the row that names them last, so a turn that is broken off anywhere is done again by the
next one; a storage that is away costs nothing but time; at most COLLECT_MAX files are held at once, and a full turn is
followed by another at once. Only the owner of partition 0 collects, so that one does it; two at the same time would do
no harm. A file is not collected while it can still be attached: the ledger attaches none that is older than 23 hours,
so the time to live must be longer than that.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import psycopg
import structlog
from psycopg import AsyncConnection

from chatterbus_contracts.ids import AttachmentId
from chatterbus_contracts.objects import file_key, thumbnail_key
from chatterbus_persister.dsn import session_conninfo
from chatterbus_persister.metrics import ATTACHMENTS_COLLECTED, COLLECT_FAILURES
from chatterbus_storage.errors import StorageError
from chatterbus_storage.object_storage import ObjectStorage

log = structlog.get_logger(__name__)

PARTITION: Final = 0
COLLECT_MAX: Final = 100
STATEMENT_TIMEOUT_S: Final = 15.0

# Marking comes first, in a transaction of its own: from then on no download of it begins.
FORGET_UNATTACHED: Final = """
UPDATE attachments a SET removed_at = now()
FROM (SELECT thread_id, attachment_id FROM attachments
      WHERE seq IS NULL AND removed_at IS NULL AND created_at < now() - make_interval(secs => %(ttl_s)s)
      ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS k
WHERE a.thread_id = k.thread_id AND a.attachment_id = k.attachment_id
"""
REMOVED: Final = """
SELECT thread_id, attachment_id, thumbnail FROM attachments
WHERE removed_at IS NOT NULL AND NOT attachment_id = ANY (%(failed)s)
ORDER BY created_at LIMIT %(limit)s
"""
FORGET: Final = """
DELETE FROM attachments WHERE thread_id = %(thread_id)s AND attachment_id = %(attachment_id)s
"""


class AttachmentCollector:
    """One per persister."""

    def __init__(
        self,
        dsn: str,
        storage: ObjectStorage,
        *,
        unattached_ttl_s: float,
        holds: Callable[[int], bool],
    ) -> None:
        self._conninfo = session_conninfo(dsn, "chatterbus-collector")
        self._storage = storage
        self._unattached_ttl_s = unattached_ttl_s
        self._holds = holds

    async def run(self, interval_s: float) -> None:
        """Runs until cancelled."""
        while True:
            await asyncio.sleep(interval_s)
            if not self._holds(PARTITION):
                continue
            try:
                await self.collect()
            except (psycopg.Error, TimeoutError, OSError) as error:
                COLLECT_FAILURES.inc()
                log.warning("files not collected", error=type(error).__name__)

    async def collect(self) -> int:
        """One turn: everything that is due and can be removed now; how many files that was. Raises psycopg.Error and
        TimeoutError."""
        collected, failed = 0, list[AttachmentId]()
        async with await AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
            while len(failed) < COLLECT_MAX:
                due = await self._due(connection, failed)
                for thread_id, attachment_id, thumbnail in due:
                    if await self._removed(attachment_id, thumbnail=thumbnail):
                        await _execute(connection, FORGET, {"thread_id": thread_id, "attachment_id": attachment_id})
                        ATTACHMENTS_COLLECTED.inc()
                        collected += 1
                    else:
                        failed.append(attachment_id)
                if len(due) < COLLECT_MAX:
                    break
        if collected:
            log.info("files collected", files=collected)
        return collected

    async def _due(self, connection: AsyncConnection, failed: list[AttachmentId]) -> list[tuple[Any, ...]]:
        await _execute(connection, FORGET_UNATTACHED, {"ttl_s": self._unattached_ttl_s, "limit": COLLECT_MAX})
        cursor = await _execute(connection, REMOVED, {"failed": failed, "limit": COLLECT_MAX})
        return await cursor.fetchall()

    async def _removed(self, attachment_id: AttachmentId, *, thumbnail: bool) -> bool:
        try:
            await self._storage.delete(file_key(attachment_id))
            if thumbnail:
                await self._storage.delete(thumbnail_key(attachment_id))
        except StorageError as error:
            COLLECT_FAILURES.inc()
            log.warning("file not removed", attachment_id=attachment_id, reason=str(error))
            return False
        return True


async def _execute(connection: AsyncConnection, statement: str, parameters: dict[str, Any]) -> psycopg.AsyncCursor[Any]:
    async with asyncio.timeout(STATEMENT_TIMEOUT_S):
        return await connection.execute(statement, parameters)
