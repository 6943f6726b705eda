"""Whether the offset in the database still speaks of the stream that is there.

Pure. Promises: an offset is only used with the stream it was counted in; a stream that was lost, or restored older
than the offset, starts a new epoch from its first message instead of waiting for numbers that never come. What a
restored stream brings again is harmless: the ledger recognises messages it has.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """A partition's row: everything up to `applied` is in the tables, up to `announced` has been told."""

    epoch: int
    stream_created: str | None
    applied: int
    announced: int


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What JetStream says of the stream."""

    created: str
    first_seq: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class Start:
    """Where to read from, under which position. `reason` says why a new epoch began, `lost` how many commands of the
    old one were gone before they were applied."""

    position: Position
    read_from: int
    reason: str | None = None
    lost: int = 0


def start_of(stored: Position, stream: StreamFacts) -> Start:
    """Where a partition goes on."""
    reason = _new_epoch_reason(stored, stream)
    if reason is not None:
        applied = max(stream.first_seq - 1, 0)
        fresh = Position(stored.epoch + 1, stream.created, applied, applied)
        return Start(fresh, applied + 1, reason if stored.stream_created is not None else None)
    lost = max(stream.first_seq - stored.applied - 1, 0)
    return Start(stored, stored.announced + 1, lost=lost)


def _new_epoch_reason(stored: Position, stream: StreamFacts) -> str | None:
    if stored.stream_created != stream.created:
        return "the stream was created anew"
    if stream.last_seq < stored.applied:
        return "the stream is older than the offset"
    return None
