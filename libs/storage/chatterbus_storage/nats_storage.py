"""Objects in a NATS object store, chunk by chunk over JetStream.

Promises what `object_storage` promises, with one chunk in memory per put and per get. The library's own object store
holds an object whole when it reads and can not begin in the middle, so the chunks are read and written here, in the
layout that all NATS clients share (`nats_layout`). A complete read ends with a check of the digest.
Does not promise that a put which was cut off by a lost connection gave its space back: its chunks can not be read by
anyone, and stay until `nats stream purge`.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import structlog

from chatterbus_runtime.nats_link import NatsLink
from chatterbus_storage import nats_layout as layout
from chatterbus_storage.errors import ObjectNotFound, StorageError, StorageUnavailable
from chatterbus_storage.nats_layout import CHUNK_BYTES, StoredInfo
from chatterbus_storage.nats_requests import StreamRequests
from chatterbus_storage.object_storage import ObjectFacts
from chatterbus_storage.pieces import in_pieces

log: Final = structlog.stdlib.get_logger(__name__)


class NatsObjectStorage:
    """One bucket, made when it is first written to. `closes_link`: the link is the storage's own."""

    def __init__(
        self, link: NatsLink, bucket: str, *, chunk_timeout_s: float, replicas: int = 1, closes_link: bool = False
    ) -> None:
        self._link = link
        self._closes_link = closes_link
        self._bucket = bucket
        self._replicas = replicas
        self._stream = StreamRequests(link, layout.stream_name(bucket), chunk_timeout_s)
        self._ready = False
        self._undoing: set[asyncio.Task[None]] = set()

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, content_type: str) -> int:
        """See ObjectStorage."""
        if not self._ready:
            await self._stream.create(layout.stream_config(self._bucket, self._replicas))
            self._ready = True
        before = await self._info(key)
        nuid = secrets.token_hex(11)
        try:
            info = await self._write(key, nuid, chunks, content_type)
        except BaseException:
            self._ready = False  # perhaps the bucket is gone
            await self._undo(key, nuid)
            raise
        if before is not None:
            await self._stream.purge(layout.chunk_subject(self._bucket, before.nuid))
        return info.size

    async def _write(self, key: str, nuid: str, chunks: AsyncIterator[bytes], content_type: str) -> StoredInfo:
        digest, size, seqs = hashlib.sha256(), 0, []
        subject = layout.chunk_subject(self._bucket, nuid)
        async for piece in in_pieces(chunks, CHUNK_BYTES):
            seqs.append(await self._stream.publish(subject, piece))
            digest.update(piece)
            size += len(piece)
        info = StoredInfo(
            bucket=self._bucket,
            key=key,
            nuid=nuid,
            size=size,
            chunks=len(seqs),
            chunk_bytes=CHUNK_BYTES,
            digest=digest.digest(),
            content_type=content_type,
            chunk_seqs=tuple(seqs),
        )
        await self._describe(info)
        return info

    async def _describe(self, info: StoredInfo) -> None:
        payload = info.encoded(datetime.now(UTC).isoformat())
        await self._stream.publish(layout.meta_subject(self._bucket, info.key), payload, layout.ROLLUP_HEADERS)

    async def _undo(self, key: str, nuid: str) -> None:
        """In a task of its own: who was cancelled still cleans up."""
        task = asyncio.get_running_loop().create_task(self._undone(key, nuid))
        self._undoing.add(task)
        task.add_done_callback(self._undoing.discard)
        await asyncio.shield(task)

    async def _undone(self, key: str, nuid: str) -> None:
        try:
            info = await self._info(key)
            if info is not None and info.nuid == nuid:  # the description's answer was lost, not the description
                await self._stream.purge(layout.meta_subject(self._bucket, key))
            await self._stream.purge(layout.chunk_subject(self._bucket, nuid))
        except StorageError as error:
            log.warning("chunks of a failed put stay behind", bucket=self._bucket, nuid=nuid, reason=str(error))

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See ObjectStorage."""
        info = await self._info(key)
        if info is None or info.deleted:
            raise ObjectNotFound(key)
        stop = info.size if end is None else min(end, info.size)
        return self._range(info, start, stop)

    async def _range(self, info: StoredInfo, start: int, stop: int) -> AsyncIterator[bytes]:
        if start >= stop:
            return
        first = start // info.chunk_bytes if info.chunk_seqs is not None else 0
        place = first * info.chunk_bytes
        digest = hashlib.sha256() if start == 0 and stop == info.size and info.digest is not None else None
        async for chunk in self._chunks(info, first):
            if digest is not None:
                digest.update(chunk)
            wanted = chunk[max(start - place, 0) : stop - place]
            place += len(chunk)
            if wanted:
                yield wanted
            if place >= stop:
                break
        if place < stop or (digest is not None and digest.digest() != info.digest):
            raise StorageUnavailable(f"the object {info.key} is damaged")

    async def _chunks(self, info: StoredInfo, first: int) -> AsyncIterator[bytes]:
        """The chunks from number `first` on; ends early where one is missing."""
        subject = layout.chunk_subject(info.bucket, info.nuid)
        if info.chunk_seqs is not None:
            for seq in info.chunk_seqs[first:]:
                chunk = await self._stream.read(subject, seq)
                if chunk is None:
                    return
                yield chunk
            return
        seq = 1
        while (found := await self._stream.read_from(subject, seq)) is not None:
            yield found[1]
            seq = found[0] + 1

    async def stat(self, key: str) -> ObjectFacts | None:
        """See ObjectStorage."""
        info = await self._info(key)
        return None if info is None or info.deleted else ObjectFacts(info.size, info.content_type)

    async def delete(self, key: str) -> None:
        """Marks, removes the chunks, removes the mark: broken off anywhere, it can be done again."""
        info = await self._info(key)
        if info is None:
            return
        if not info.deleted:
            await self._describe(replace(info, size=0, chunks=0, digest=None, chunk_seqs=None, deleted=True))
        await self._stream.purge(layout.chunk_subject(info.bucket, info.nuid))
        await self._stream.purge(layout.meta_subject(info.bucket, key))

    async def close(self) -> None:
        """Waits for what is being undone; each of its requests has a deadline."""
        if self._undoing:
            await asyncio.wait(self._undoing)
        if self._closes_link:
            await self._link.close()

    async def _info(self, key: str) -> StoredInfo | None:
        data = await self._stream.last(layout.meta_subject(self._bucket, key))
        if data is None:
            return None
        try:
            return layout.parse_info(data)
        except ValueError as error:
            raise StorageUnavailable(f"the description of {key} can not be read") from error
