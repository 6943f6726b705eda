"""Taking a file in: to the storage as it comes, then to the ledger.

Promises: what is answered with an AttachmentState is stored and registered; in every other case (refused, broken off,
cancelled, fate unknown) its objects are removed, and no message can name it, since its id was told to nobody. Whether
the caller may write in the thread is known before a byte of the body is read. A picture that can not be decoded is kept
as a plain file.
Does not promise that the removal succeeds when the storage is away: what was registered is collected after a day, what
was not is garbage without a name.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import structlog

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import AttachmentId, ThreadId, attachment_id
from chatterbus_contracts.objects import file_key, thumbnail_key
from chatterbus_contracts.states import AttachmentState
from chatterbus_gateway.attachments.content_types import HEAD_BYTES, SHOWN, UNKNOWN, content_type_of
from chatterbus_gateway.attachments.picture_workers import PictureWorkers
from chatterbus_gateway.attachments.pictures import THUMBNAIL_TYPE, Broken, Picture
from chatterbus_gateway.attachments.spool import Spool
from chatterbus_storage.errors import StorageError
from chatterbus_storage.object_storage import ObjectStorage

log: Final = structlog.stdlib.get_logger(__name__)

URL: Final = "/api/chat/attachments"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What is in the storage, and not yet in the ledger."""

    id: AttachmentId
    name: str
    content_type: str
    size_bytes: int
    picture: Picture | None

    @property
    def has_thumbnail(self) -> bool:
        """There is a second object."""
        return self.picture is not None and self.picture.thumbnail is not None

    def state(self) -> AttachmentState:
        """As clients see it."""
        url = f"{URL}/{self.id}"
        return AttachmentState(
            id=self.id,
            name=self.name,
            content_type=self.content_type,
            size_bytes=self.size_bytes,
            width=self.picture.width if self.picture is not None else None,
            height=self.picture.height if self.picture is not None else None,
            url=url,
            thumbnail_url=f"{url}?thumbnail=true" if self.has_thumbnail else None,
        )


class Uploads:
    """One per gateway."""

    def __init__(self, storage: ObjectStorage, workers: PictureWorkers, *, spool_max_bytes: int) -> None:
        self._storage = storage
        self._workers = workers
        self._spool_max_bytes = spool_max_bytes
        self._forgetting: set[asyncio.Task[None]] = set()

    async def store(self, thread_id: ThreadId, name: str, chunks: AsyncIterator[bytes]) -> StoredFile:
        """Keep the file and, for a picture, its thumbnail. Raises Refusal: what `chunks` raises, or
        STORAGE_UNAVAILABLE."""
        new_id = attachment_id(thread_id, uuid4().hex)
        try:
            return await self._stored(new_id, name, chunks)
        except StorageError as error:
            log.warning("file not stored", reason=str(error))
            await self.forget(new_id)
            raise unavailable() from error
        except BaseException:
            await self.forget(new_id)
            raise

    async def _stored(self, new_id: AttachmentId, name: str, chunks: AsyncIterator[bytes]) -> StoredFile:
        head, whole = await _with_head(chunks)
        content_type = content_type_of(head)
        if content_type not in SHOWN:
            size = await self._storage.put(file_key(new_id), whole, content_type=content_type)
            return StoredFile(new_id, name, content_type, size, None)
        spool = Spool(self._spool_max_bytes)
        try:
            size = await self._storage.put(file_key(new_id), spool.passing(whole), content_type=content_type)
            seen = None if spool.file is None else await self._workers.examine(spool.file)
        finally:
            await spool.close()
        if isinstance(seen, Broken):
            log.info("a broken picture is kept as a plain file", attachment_id=new_id, reason=seen.reason)
            return StoredFile(new_id, name, UNKNOWN, size, None)
        if seen is not None and seen.thumbnail is not None:
            await self._storage.put(thumbnail_key(new_id), _once(seen.thumbnail), content_type=THUMBNAIL_TYPE)
        return StoredFile(new_id, name, content_type, size, seen)

    async def forget(self, attachment_id: AttachmentId) -> None:
        """Remove what was stored, also when the caller is being cancelled."""
        task = asyncio.get_running_loop().create_task(self._forgotten(attachment_id))
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)
        await asyncio.shield(task)

    async def _forgotten(self, attachment_id: AttachmentId) -> None:
        try:
            await self._storage.delete(file_key(attachment_id))
            await self._storage.delete(thumbnail_key(attachment_id))
        except StorageError as error:
            log.warning("objects of a refused file stay behind", attachment_id=attachment_id, reason=str(error))

    async def close(self) -> None:
        """Waits for what is being removed."""
        self._workers.close()
        if self._forgetting:
            await asyncio.wait(self._forgetting)


def unavailable() -> Refusal:
    """The storage's failure, as clients hear it."""
    return Refusal(ErrorCode.STORAGE_UNAVAILABLE, "the file storage can not be reached", retry_after_ms=1_000)


async def _with_head(chunks: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """(the first HEAD_BYTES, all of it)"""
    head = bytearray()
    while len(head) < HEAD_BYTES:
        chunk = await anext(chunks, None)
        if chunk is None:
            break
        head += chunk
    first = bytes(head)

    async def whole() -> AsyncIterator[bytes]:
        if first:
            yield first
        async for chunk in chunks:
            yield chunk

    return first, whole()


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
