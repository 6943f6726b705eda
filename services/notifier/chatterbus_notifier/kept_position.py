"""How far a desk has worked off a stream, kept over restarts.

Promises: `resume` answers where to read on, waiting for NATS as long as it takes; a desk that never kept anything
begins with what comes from now on; a stream that was made anew is read from its beginning; after a change of the
number of shards each begins where the slowest that had one of its slots was, so work is repeated, not forgotten.
`save` writes only what changed. Does not promise that the last position is kept: whoever resumes may repeat some work.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import structlog
from nats.errors import Error as NatsError

from chatterbus_notifier.shard import Shard
from chatterbus_runtime.backoff import Backoff
from chatterbus_runtime.bucket import Bucket, BucketSpec, BucketUnavailable, Entry
from chatterbus_runtime.nats_link import NatsLink

log: Final = structlog.stdlib.get_logger(__name__)

BUCKET: Final = "positions"
BUCKET_MAX_BYTES: Final = 4 << 20
TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """Of a shard, as kept: the next stream sequence to read, of the stream `created` then. Of two, the one with the
    higher revision was written later."""

    index: int
    count: int
    revision: int
    next_seq: int
    created: str


def resumed(places: Iterable[Place], shard: Shard, created: str) -> int | None:
    """Where the shard reads on: of each of its slots the latest place of whoever had the slot, and of these the first.
    None: nothing is kept. Pure."""
    latest: dict[int, Place] = {}
    for place in sorted(places, key=lambda place: place.revision):
        for slot in Shard(place.index, place.count).slots:
            latest[slot] = place
    mine = [latest[slot] for slot in shard.slots if slot in latest]
    if any(place.created != created for place in mine):
        return 1
    return min((place.next_seq for place in mine), default=None)


class KeptPosition:
    """Of one desk (`name`, a token) of one shard in one stream."""

    def __init__(self, link: NatsLink, name: str, stream: str, shard: Shard, replicas: int) -> None:
        spec = BucketSpec(BUCKET, "how far streams are worked off", BUCKET_MAX_BYTES, replicas=replicas)
        self._bucket = Bucket(link, spec, TIMEOUT_S)
        self._link = link
        self._name = name
        self._stream = stream
        self._shard = shard
        self._key = f"{name}.{shard.index}-{shard.count}"
        self._created: str | None = None
        self._saved = 0

    async def resume(self) -> int:
        """The stream sequence to read on from. Once, before anything is saved."""
        backoff = Backoff(initial_s=0.1, factor=2, maximum_s=5, jitter=0.3, random=random.random)
        while True:
            try:
                return await self._resumed()
            except (NatsError, BucketUnavailable, TimeoutError, OSError) as error:
                again_s = backoff.next_s()
                log.warning(
                    "a stream's position is not known yet",
                    desk=self._name,
                    stream=self._stream,
                    reason=type(error).__name__,
                    again_s=again_s,
                )
                await asyncio.sleep(again_s)

    async def save(self, next_seq: int) -> bool:
        """Keep that everything before `next_seq` is done: whether it is kept."""
        try:
            if self._created is None:
                self._created, _ = await self._stream_now()
            elif next_seq == self._saved:
                return True
            await self._bucket.put(self._key, f"{next_seq} {self._created}".encode())
        except (NatsError, BucketUnavailable, TimeoutError, OSError) as error:
            log.warning("a stream's position was not kept", desk=self._name, reason=type(error).__name__)
            return False
        self._saved = next_seq
        return True

    async def forget(self) -> None:
        """The desk is off: when it is on again it begins with what comes then."""
        try:
            for place in await self._places():
                await self._bucket.delete(f"{self._name}.{place.index}-{place.count}")
        except BucketUnavailable:
            log.warning("a stream's position was not forgotten", desk=self._name)

    def stream_changed(self) -> None:
        """The stream may be another one than before."""
        self._created = None

    async def _resumed(self) -> int:
        self._created, end = await self._stream_now()
        next_seq = resumed(await self._places(), self._shard, self._created)
        if next_seq is None:
            next_seq = end
            await self._bucket.put(self._key, f"{next_seq} {self._created}".encode())
            self._saved = next_seq
        return next_seq

    async def _stream_now(self) -> tuple[str, int]:
        """When the stream was made, and the sequence of its next message."""
        async with asyncio.timeout(TIMEOUT_S):
            info = await self._link.jetstream.stream_info(self._stream)
        return "" if info.created is None else info.created.isoformat(), info.state.last_seq + 1

    async def _places(self) -> list[Place]:
        found = []
        for key in await self._bucket.keys():
            name, _, shard = key.rpartition(".")
            entry = await self._bucket.get(key) if name == self._name else None
            if entry is not None:
                found.append(_place(Shard.parse(shard.replace("-", "/")), entry))
        return found


def _place(shard: Shard, entry: Entry) -> Place:
    next_seq, _, created = entry.value.decode().partition(" ")
    return Place(shard.index, shard.count, entry.revision, int(next_seq), created)
