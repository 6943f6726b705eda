"""A key-value bucket of JetStream whose calls have deadlines and one way to fail.

Promises: every call answers, or raises BucketUnavailable, within `timeout_s`; a bucket that is not there (first use, or
NATS lost it with its memory) is created and the call is made once more; limits that an operator gave an existing bucket
are kept. `create`, `replace` and `delete_at` are compare-and-set: of several at the same time one succeeds.
Does not watch; who needs that reads again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import structlog
from nats.errors import Error as NatsError
from nats.js.api import StorageType
from nats.js.errors import (
    APIError,
    KeyNotFoundError,
    KeyWrongLastSequenceError,
    NoStreamResponseError,
    NotFoundError,
)
from nats.js.kv import KeyValue

log: Final = structlog.stdlib.get_logger(__name__)

STREAM_NAME_IN_USE: Final = 10058  # the bucket exists, with other limits: an operator's
WRONG_LAST_SEQUENCE: Final = frozenset({10071, 10164})  # somebody else was first

T = TypeVar("T")


class BucketUnavailable(Exception):
    """NATS did not do it in time; whether it was done is not known."""


class BucketLink(Protocol):
    """The part of NatsLink that is needed here."""

    @property
    def is_connected(self) -> bool: ...

    @property
    def jetstream(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class BucketSpec:
    """One bucket. `ttl_s` None: entries stay. When full, a write fails."""

    name: str
    description: str
    max_bytes: int
    ttl_s: float | None = None
    in_memory: bool = False
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A value and the revision it was written at; revisions of a bucket only grow."""

    key: str
    value: bytes
    revision: int


class Bucket:
    """Each call has `timeout_s` in all. Keys are tokens: A-Z a-z 0-9 _ - = and dots between."""

    def __init__(self, link: BucketLink, spec: BucketSpec, timeout_s: float) -> None:
        self._link = link
        self._spec = spec
        self._timeout_s = timeout_s
        self._bucket: KeyValue | None = None
        self._is_away = False

    async def get(self, key: str) -> Entry | None:
        """The entry, None where there is none."""

        async def work(bucket: KeyValue) -> Entry | None:
            try:
                found = await bucket.get(key)
            except KeyNotFoundError:
                return None
            return Entry(key, found.value or b"", found.revision or 0)

        return await self._within_time(work)

    async def put(self, key: str, value: bytes) -> int:
        """Write, whatever is there; the revision it has then."""
        return await self._within_time(lambda bucket: bucket.put(key, value))

    async def create(self, key: str, value: bytes) -> int | None:
        """Write if nothing is there: the revision, or None when something is."""
        return await self._compared(lambda bucket: bucket.create(key, value))

    async def replace(self, key: str, value: bytes, revision: int) -> int | None:
        """Write if the entry is still at `revision`: the new revision, or None when it is not."""
        return await self._compared(lambda bucket: bucket.update(key, value, last=revision))

    async def delete_at(self, key: str, revision: int) -> bool:
        """Delete if the entry is still at `revision`: whether it was."""
        return await self._compared(lambda bucket: bucket.delete(key, last=revision)) is not None

    async def delete(self, key: str) -> None:
        """Delete, whatever is there."""
        await self._within_time(lambda bucket: bucket.delete(key))

    async def keys(self) -> list[str]:
        """All keys that have a value now."""

        async def work(bucket: KeyValue) -> list[str]:
            # Not the library's keys(): it says "none" when the answer about its consumer overtakes what that delivers.
            prefix = f"$KV.{self._spec.name}."
            info = await self._link.jetstream.stream_info(f"KV_{self._spec.name}", subjects_filter=f"{prefix}>")
            names = [subject[len(prefix) :] for subject in info.state.subjects or ()]
            there = await asyncio.gather(*(has_value(bucket, name) for name in names))
            return [name for name, is_there in zip(names, there, strict=True) if is_there]

        return await self._within_time(work)

    async def _compared(self, work: Callable[[KeyValue], Awaitable[T]]) -> T | None:
        async def attempt(bucket: KeyValue) -> T | None:
            try:
                return await work(bucket)
            except KeyWrongLastSequenceError:
                return None
            except APIError as error:  # of `delete`, which does not tell them apart
                if error.err_code in WRONG_LAST_SEQUENCE:
                    return None
                raise

        return await self._within_time(attempt)

    async def _within_time(self, work: Callable[[KeyValue], Awaitable[T]]) -> T:
        return await self._attempted(work)

    async def _attempted(self, work: Callable[[KeyValue], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                try:
                    done = await work(await self._opened())
                except (NoStreamResponseError, NotFoundError):  # NATS was restarted, and the bucket was in its memory
                    self._bucket = None
                    done = await work(await self._opened())
        except (NatsError, TimeoutError, OSError) as error:
            self._bucket = None
            if not self._is_away:  # once an outage, however often it is asked
                self._is_away = True
                log.warning(
                    "a bucket is not available",
                    bucket=self._spec.name,
                    reason=type(error).__name__,
                    connected=self._link.is_connected,
                )
            raise BucketUnavailable(self._spec.name) from None
        if self._is_away:
            self._is_away = False
            log.info("a bucket is available again", bucket=self._spec.name)
        return done

    async def _opened(self) -> KeyValue:
        if self._bucket is None:
            spec = self._spec
            try:
                # Not direct: a replica may not have yet what another process has just written.
                self._bucket = await self._link.jetstream.create_key_value(
                    bucket=spec.name,
                    description=spec.description,
                    history=1,
                    ttl=spec.ttl_s,
                    max_bytes=spec.max_bytes,
                    storage=StorageType.MEMORY if spec.in_memory else StorageType.FILE,
                    replicas=spec.replicas,
                    direct=False,
                )
            except APIError as error:
                if error.err_code != STREAM_NAME_IN_USE:
                    raise
                self._bucket = await self._link.jetstream.key_value(spec.name)
        return self._bucket


async def has_value(bucket: KeyValue, key: str) -> bool:
    """Whether the key was not deleted."""
    try:
        await bucket.get(key)
    except KeyNotFoundError:
        return False
    return True
