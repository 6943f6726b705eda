"""What outlives a connection: when a user was last seen, and how the user wants to be seen.

Kept in the bucket `presence`, a record a user. Promises: a choice is written before `choose` returns, and one that
could not be written is as if it was not made; `note` never waits, writes of a user follow each other and the last one
wins, a write that fails is made again. What waits to be written is read from memory. A record that cannot be read
counts as invisible: a fault must not show somebody who wants not to be seen.
Bounds: records of the last CACHED_MAX users asked for; UNWRITTEN_MAX waiting writes, then the oldest is let go (the
user's last seen is an older one then); WRITES_AT_ONCE and READS_AT_ONCE on their way.
Does not promise a last seen of users who were online when the notifier was killed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

import structlog
from pydantic import TypeAdapter, ValidationError

from chatterbus_contracts.ids import UserId
from chatterbus_contracts.subjects import token
from chatterbus_notifier.presence.status import Choice, Persist
from chatterbus_runtime.backoff import Backoff
from chatterbus_runtime.bucket import Bucket, BucketLink, BucketSpec, BucketUnavailable

log: Final = structlog.stdlib.get_logger(__name__)

CACHED_MAX: Final = 20_000
UNWRITTEN_MAX: Final = 50_000
WRITES_AT_ONCE: Final = 64
READS_AT_ONCE: Final = 64
NOT_LEADING_S: Final = 0.5  # between two looks whether writing is allowed again
BUCKET_MAX_BYTES: Final = 512 * 1024 * 1024  # some 2 million users; when full, writes fail and wait


@dataclass(frozen=True, slots=True)
class Record:
    """Of one user. `version` is that of the last time others were told `offline`."""

    choice: Choice = "online"
    last_seen_ms: int | None = None
    version: int = 0


NOTHING: Final = Record()
UNREADABLE: Final = Record(choice="invisible")
_RECORD: Final = TypeAdapter(Record)


class SeenUsers:
    """`may_write` says whether this process still leads its shard. Calls of the bucket have `timeout_s` each."""

    def __init__(self, link: BucketLink, timeout_s: float, may_write: Callable[[], bool], replicas: int = 1) -> None:
        spec = BucketSpec("presence", "last seen and choices", max_bytes=BUCKET_MAX_BYTES, replicas=replicas)
        self._bucket = Bucket(link, spec, timeout_s)
        self._may_write = may_write
        self._cache: dict[str, Record] = {}  # in the order of use
        self._unwritten: dict[str, Record] = {}
        self._on_the_way: dict[str, Record] = {}
        self._choosing: str | None = None  # nobody else writes this one
        self._reading = asyncio.Semaphore(READS_AT_ONCE)
        self._wake = asyncio.Event()
        self._batch_done = asyncio.Event()
        self._backoff = Backoff(0.25, 2.0, 5.0, jitter=0.3, random=random.random)
        self._lost = 0

    # --- reading -----------------------------------------------------------------------------------------------------

    def peek(self, user_id: UserId) -> Record | None:
        """The record, if it is in memory."""
        found = self._unwritten.get(user_id) or self._on_the_way.get(user_id) or self._cache.get(user_id)
        if found is not None and user_id in self._cache:
            self._cache[user_id] = self._cache.pop(user_id)
        return found

    async def read(self, user_id: UserId, *, keep: bool = True) -> Record:
        """The record, NOTHING for an unknown user. `keep` it for the next who asks. Raises BucketUnavailable."""
        found = self.peek(user_id)
        if found is not None:
            return found
        async with self._reading:
            entry = await self._bucket.get(token(user_id))
        later = self.peek(user_id)  # written while it was read
        if later is not None:
            return later
        record = NOTHING if entry is None else _decoded(entry.value)
        if keep:
            self._keep(user_id, record)
        return record

    async def read_many(self, user_ids: Iterable[UserId], *, keep: bool = True) -> dict[UserId, Record]:
        """The records of all; raises BucketUnavailable if one cannot be read."""
        wanted = list(user_ids)
        return dict(zip(wanted, await asyncio.gather(*(self.read(user, keep=keep) for user in wanted)), strict=True))

    async def open(self) -> None:
        """Make the bucket, once instead of in every one of many calls. Raises BucketUnavailable."""
        await self._bucket.get("-")

    def _keep(self, user_id: str, record: Record) -> None:
        self._cache.pop(user_id, None)
        self._cache[user_id] = record
        if len(self._cache) > CACHED_MAX:
            del self._cache[next(iter(self._cache))]

    # --- writing -----------------------------------------------------------------------------------------------------

    def note(self, told: Persist) -> None:
        """Keep what others were told. A choice made since is not undone."""
        known = self.peek(told.user_id)
        choice = told.choice if known is None else known.choice
        self._write_soon(told.user_id, Record(choice, told.last_seen_ms, told.version))

    async def choose(self, user_id: UserId, choice: Choice) -> None:
        """Write the choice; raises BucketUnavailable, and nothing was chosen then. One at a time."""
        await self.read(user_id)
        while user_id in self._on_the_way:
            await self._batch_done.wait()
        before = self.peek(user_id) or NOTHING
        self._choosing, is_written = user_id, False
        try:
            await self._bucket.put(token(user_id), _RECORD.dump_json(replace(before, choice=choice)))
            is_written = True
        finally:
            self._choosing = None
            self._wake.set()
            if not is_written:  # perhaps it was all the same: put back what holds
                self._write_soon(user_id, self.peek(user_id) or before)
        if user_id in self._unwritten:  # noted meanwhile, with the choice of before
            self._unwritten[user_id] = replace(self._unwritten[user_id], choice=choice)
        self._keep(user_id, replace(self.peek(user_id) or before, choice=choice))

    def _write_soon(self, user_id: str, record: Record) -> None:
        self._keep(user_id, record)
        self._unwritten[user_id] = record
        if len(self._unwritten) > UNWRITTEN_MAX:
            del self._unwritten[next(iter(self._unwritten))]
            self._lost += 1
        self._wake.set()

    async def run(self) -> None:
        """Write what is noted; for ever."""
        while True:
            await self._wake.wait()
            if not self._may_write():
                await asyncio.sleep(NOT_LEADING_S)
            elif await self.write_some():
                self._backoff.reset()
            else:
                await asyncio.sleep(self._backoff.next_s())

    async def finish(self, timeout_s: float) -> None:
        """Write what is left, as far as that is possible in `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._unwritten and self._may_write() and await self.write_some():
                    pass
        except TimeoutError:
            log.warning("last seen was not written in time", users=len(self._unwritten))

    async def write_some(self) -> bool:
        """Write a few of those that wait; False: the bucket is not available."""
        if self._lost:
            log.warning("too much waits to be written: last seen was let go", users=self._lost)
            self._lost = 0
        users = [user for user in self._unwritten if user != self._choosing][:WRITES_AT_ONCE]
        if not users:
            self._wake.clear()
            return True
        self._batch_done.clear()
        self._on_the_way = {user: self._unwritten.pop(user) for user in users}
        written = False
        try:
            outcomes = await asyncio.gather(
                *(
                    self._bucket.put(token(user), _RECORD.dump_json(record))
                    for user, record in self._on_the_way.items()
                ),
                return_exceptions=True,
            )
            failed = {user for user, outcome in zip(users, outcomes, strict=True) if isinstance(outcome, BaseException)}
            for outcome in outcomes:
                if isinstance(outcome, BaseException) and not isinstance(outcome, BucketUnavailable):
                    raise outcome
            self._unwritten = {user: self._on_the_way[user] for user in failed} | self._unwritten
            written = not failed
        finally:
            self._on_the_way = {}
            self._batch_done.set()
        return written


def _decoded(value: bytes) -> Record:
    try:
        return _RECORD.validate_json(value)
    except ValidationError as error:
        log.error("a kept presence cannot be read", reason=error.errors(include_input=False)[0]["msg"])
        return UNREADABLE
