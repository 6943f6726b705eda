"""Objects in an S3-compatible store, through obstore.

Promises what `object_storage` promises, with at most PARTS_AT_ONCE + 1 parts in memory per put and one piece per get: a
slow reader holds no request open. What is not larger than one part goes in one request; the rest is a multipart upload,
which is aborted when it fails. Where an abort fails too, the store's own lifecycle rule for incomplete uploads is what
cleans up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from chatterbus_storage.errors import ObjectNotFound, StorageUnavailable
from chatterbus_storage.object_storage import ObjectFacts
from chatterbus_storage.pieces import in_pieces

PART_BYTES: Final = 5 * 1024 * 1024  # S3's least, of all parts but the last
PARTS_AT_ONCE: Final = 2
PIECE_BYTES: Final = 1024 * 1024
RETRIES: Final = 2
DEFAULT_TYPE: Final = "application/octet-stream"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class S3Place:
    """Where the bucket is and who may write to it. Without keys, the environment's (an instance's role) are used."""

    bucket: str
    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)

    def config(self) -> dict[str, str]:
        """In the words of the library; what is not set is left out."""
        known = {
            "endpoint": self.endpoint,
            "region": self.region,
            "access_key_id": self.access_key,
            "secret_access_key": self.secret_key,
        }
        return {name: value for name, value in known.items() if value is not None}


class S3ObjectStorage:
    """One bucket, which exists."""

    def __init__(self, place: S3Place, *, chunk_timeout_s: float) -> None:
        self._timeout_s = chunk_timeout_s
        deadline = timedelta(seconds=chunk_timeout_s)
        self._store = S3Store(
            place.bucket,
            config=place.config(),  # type: ignore[arg-type] # a TypedDict that was put together
            client_options={
                "allow_http": (place.endpoint or "").startswith("http://"),
                "connect_timeout": deadline,
                "timeout": deadline,
            },
            retry_config={"max_retries": RETRIES, "retry_timeout": deadline},
        )

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, content_type: str) -> int:
        """See ObjectStorage."""
        source = _Source(in_pieces(chunks, PART_BYTES))
        first = await anext(source.parts, b"")
        if len(first) < PART_BYTES:
            await self._asked(
                obstore.put_async(
                    self._store, key, first, attributes={"Content-Type": content_type}, use_multipart=False
                )
            )
            return len(first)
        uploading = asyncio.get_running_loop().create_task(self._upload(key, first, source, content_type))
        try:
            await asyncio.shield(uploading)
        except asyncio.CancelledError:
            source.stop()  # the library aborts what its source breaks off, and forgets what is cancelled
            await asyncio.gather(asyncio.wait_for(uploading, self._timeout_s), return_exceptions=True)
            raise
        return source.size

    async def _upload(self, key: str, first: bytes, source: _Source, content_type: str) -> None:
        try:
            await obstore.put_async(
                self._store,
                key,
                source.from_(first),
                attributes={"Content-Type": content_type},
                use_multipart=True,
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )
        except Exception as error:
            if source.failure is not None:
                raise source.failure from None
            raise _unavailable(error) from error

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """See ObjectStorage."""
        facts = await self.stat(key)
        if facts is None:
            raise ObjectNotFound(key)
        stop = facts.size_bytes if end is None else min(end, facts.size_bytes)
        return self._range(key, start, stop)

    async def _range(self, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
        while start < stop:
            piece_end = min(start + PIECE_BYTES, stop)
            try:
                piece = await self._asked(obstore.get_range_async(self._store, key, start=start, end=piece_end))
            except FileNotFoundError as error:
                raise StorageUnavailable(f"the object {key} went away") from error
            if len(piece) != piece_end - start:
                raise StorageUnavailable(f"the object {key} is damaged")
            yield bytes(piece)
            start = piece_end

    async def stat(self, key: str) -> ObjectFacts | None:
        """See ObjectStorage."""
        try:
            found = await self._asked(obstore.get_async(self._store, key, options={"head": True}))
        except FileNotFoundError:
            return None
        return ObjectFacts(found.meta["size"], str(found.attributes.get("Content-Type", DEFAULT_TYPE)))

    async def delete(self, key: str) -> None:
        """See ObjectStorage."""
        try:
            await self._asked(obstore.delete_async(self._store, key))
        except FileNotFoundError:
            return

    async def close(self) -> None:
        """The library closes its connections when it is let go."""

    async def _asked(self, request: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await request
        except (BaseError, TimeoutError) as error:
            raise _unavailable(error) from error


class _Source:
    """Parts on their way into a multipart upload; keeps what they raised, which the library would wrap."""

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self.parts = parts
        self.size = 0
        self.failure: Exception | None = None
        self._waiting: asyncio.Future[bytes] | None = None
        self._stopped = False

    def stop(self) -> None:
        """Break off: the upload fails."""
        self._stopped = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def from_(self, first: bytes) -> AsyncIterator[bytes]:
        """The parts, `first` before them."""
        part = first
        try:
            while part:
                self.size += len(part)
                yield part
                part = await self._next()
        except Exception as failure:
            self.failure = failure
            raise

    async def _next(self) -> bytes:
        if self._stopped:
            raise StorageUnavailable("broken off")
        self._waiting = asyncio.ensure_future(anext(self.parts, b""))
        try:
            return await self._waiting
        except asyncio.CancelledError:
            raise StorageUnavailable("broken off") from None


def _unavailable(error: Exception) -> StorageUnavailable:
    # The library's text names the address and perhaps the request: for the log of the storage, not for anyone's answer.
    return StorageUnavailable(type(error).__name__)
