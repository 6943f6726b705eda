"""What was told about missed messages, to whom and when: the memory that keeps events apart.

A note is written before its event is published (`told` false) and once more after it (true). So a crash in between
repeats the event, under the same id, and never loses it; and where notes cannot be written nothing is published, rather
than the same thing again and again. Of two processes that want to tell the same, compare-and-set lets one.
Notes stay `KEPT_S`: longer than the stream of events that somebody may read again, so that old news is not repeated
after a restart. A full bucket holds events back (its size is the operator's to change).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Protocol

import structlog

from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.states import Seq
from chatterbus_contracts.subjects import token
from chatterbus_contracts.topology import DAY_S
from chatterbus_runtime.bucket import BucketSpec, Entry

log: Final = structlog.stdlib.get_logger(__name__)

KEPT_S: Final = DAY_S + 3600
MAX_BYTES: Final = 128 << 20  # about 600,000 pairs of user and thread a day


def bucket_spec(replicas: int) -> BucketSpec:
    """The bucket of notes."""
    return BucketSpec("missed", "who was told of missed messages", MAX_BYTES, ttl_s=KEPT_S, replicas=replicas)


class NoteBucket(Protocol):
    """The part of Bucket that is needed here. Each call raises BucketUnavailable."""

    async def get(self, key: str) -> Entry | None: ...
    async def create(self, key: str, value: bytes) -> int | None: ...
    async def replace(self, key: str, value: bytes, revision: int) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Note:
    """The user is being told (`told`: was told) of the thread up to `last_seq`. `revision` 0: not written yet."""

    user_id: UserId
    thread_id: ThreadId
    last_seq: Seq
    at_ms: int
    told: bool = False
    revision: int = 0

    @property
    def key(self) -> str:
        """Where it is kept."""
        return key_of(self.user_id, self.thread_id)


def key_of(user_id: UserId, thread_id: ThreadId) -> str:
    """Of the note about this user and thread."""
    return f"{token(user_id)}.{token(thread_id)}"


def encode_note(note: Note) -> bytes:
    """``<lastSeq> <unix ms> <1 told, 0 being told>``."""
    return b"%d %d %d" % (note.last_seq, note.at_ms, note.told)


class Notes:
    """Over the bucket."""

    def __init__(self, bucket: NoteBucket) -> None:
        self._bucket = bucket

    async def find(self, user_id: UserId, thread_id: ThreadId) -> Note | None:
        """The note, None where the user was not told of the thread lately."""
        entry = await self._bucket.get(key_of(user_id, thread_id))
        if entry is None:
            return None
        try:
            last_seq, at_ms, told = entry.value.split(b" ")
            return Note(user_id, thread_id, int(last_seq), int(at_ms), told == b"1", entry.revision)
        except ValueError:
            log.error("a note about missed messages cannot be read, and is written anew", key=entry.key)
            return Note(user_id, thread_id, 0, 0, told=True, revision=entry.revision)

    async def claim(self, note: Note) -> Note | None:
        """Write it in the place of the revision it holds: as it is kept then, or None when another was first."""
        value = encode_note(note)
        if note.revision == 0:
            revision = await self._bucket.create(note.key, value)
        else:
            revision = await self._bucket.replace(note.key, value, note.revision)
        return None if revision is None else replace(note, revision=revision)

    async def confirm(self, note: Note) -> None:
        """The event of a claimed note was published. When another has it now, theirs stands."""
        await self._bucket.replace(note.key, encode_note(replace(note, told=True)), note.revision)
