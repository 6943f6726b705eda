"""How far a shard's deliveries are, as kept over restarts. Pure.

Promises: an entry says of each slot of its shard that every event up to `high` was delivered or put away, but for those
in `pending`. Each entry is true by itself whoever wrote it and when, so for each slot the latest entry of a shard that
had the slot can be believed, also when the number of shards was another: nothing is lost, at most delivered again.
Entries about a stream that is no more are worth nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from chatterbus_contracts.subjects import slot_of
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.webhooks.backlog import Waiting

SECOND_MS: Final = 1_000


class Pending(NamedTuple):
    """An event that was read and not delivered: its slot, how often it was tried, when first (unix ms)."""

    slot: int
    attempts: int
    first_attempt_ms: int | None


class Position(BaseModel):
    """Of one shard. `stream`: when the stream was made; `pending` by stream sequence."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stream: str
    high: int
    pending: dict[int, Pending]


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry, whose it is, and its revision: later entries have higher ones."""

    shard: Shard
    revision: int
    position: Position


@dataclass(frozen=True, slots=True)
class Start:
    """Where a shard goes on: `pending` first, then the stream from `from_seq` on without what `is_behind`."""

    from_seq: int
    highs: dict[int, int]
    pending: dict[int, Pending]

    def is_behind(self, seq: int, slot: int) -> bool:
        """Whether it was delivered, or is in `pending`."""
        return seq <= self.highs.get(slot, 0)


def key_of(shard: Shard) -> str:
    """Where a shard's entry is kept."""
    return f"{shard.index}-{shard.count}"


def shard_of(key: str) -> Shard:
    """The inverse, or ValueError."""
    return Shard.parse(key.replace("-", "/"))


def decode_position(data: bytes) -> Position | None:
    """The position in an entry; None when it cannot be read."""
    try:
        return Position.model_validate_json(data)
    except ValidationError:
        return None


def encode_position(stream: str, high: int, waiting: Iterable[Waiting], to_unix_s: float) -> bytes:
    """An entry. `to_unix_s`: what to add to the times of the backlog's clock."""
    pending = {
        one.seq: Pending(slot_of(one.event.key), one.attempts, _unix_ms(one.first_attempt_s, to_unix_s))
        for one in waiting
        if one.seq is not None and one.seq <= high  # what is above is read again
    }
    return Position(stream=stream, high=high, pending=pending).model_dump_json().encode()


def start_of(kept: Iterable[Kept], shard: Shard, stream: str) -> Start:
    """Where `shard` goes on in the stream that was made at `stream`; from its beginning where nobody knows more."""
    latest: dict[int, Kept] = {}
    for entry in sorted(kept, key=lambda entry: entry.revision):
        if entry.position.stream == stream:
            latest.update((slot, entry) for slot in entry.shard.slots if slot in shard.slots)
    highs = {slot: latest[slot].position.high if slot in latest else 0 for slot in shard.slots}
    pending = {
        seq: one
        for entry in {id(entry): entry for entry in latest.values()}.values()
        for seq, one in entry.position.pending.items()
        if latest.get(one.slot) is entry
    }
    return Start(min(highs.values()) + 1, highs, dict(sorted(pending.items())))


def _unix_ms(at_s: float | None, to_unix_s: float) -> int | None:
    return None if at_s is None else round((at_s + to_unix_s) * SECOND_MS)
