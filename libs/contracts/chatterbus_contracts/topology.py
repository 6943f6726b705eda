"""Streams of JetStream, as data. Whoever starts first creates them; nobody changes one behind another's back.

Promises: names, subjects, retention and what happens when full. Sizes and replicas are an operator's settings.
"""

from dataclasses import dataclass
from typing import Final, Literal

from chatterbus_contracts.subjects import (
    ALL_DEAD_HOOKS,
    ALL_DELIVERIES,
    ALL_EVENTS,
    ALL_HOOKS,
    ALL_OWN_STATES,
    command_stream,
    command_subjects,
)

DEFAULT_PARTITIONS: Final = 4
DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One stream. `discard` new: a full stream refuses; old: it forgets its oldest."""

    name: str
    subjects: tuple[str, ...]
    discard: Literal["new", "old"]
    max_bytes: int
    max_age_s: int
    duplicate_window_s: int


def command_streams(partitions: int, max_bytes: int = 1 << 30) -> tuple[StreamSpec, ...]:
    """The queue: one stream a partition. It refuses when full, since a command must never be dropped."""
    return tuple(
        StreamSpec(
            name=command_stream(partition),
            subjects=(command_subjects(partition),),
            discard="new",
            max_bytes=max_bytes,
            max_age_s=0,
            duplicate_window_s=120,
        )
        for partition in range(partitions)
    )


def events_stream(max_bytes: int = 1 << 30) -> StreamSpec:
    """What was announced, own states too, for a day: for those who work it off, not for live delivery or history."""
    return StreamSpec(
        name="EVENTS",
        subjects=(ALL_EVENTS, ALL_OWN_STATES),
        discard="old",
        max_bytes=max_bytes,
        max_age_s=DAY_S,
        duplicate_window_s=120,
    )


def hook_streams(max_bytes: int = 256 << 20) -> tuple[StreamSpec, StreamSpec, StreamSpec]:
    """Events for webhooks (three days, to be replayed), the log of attempts, and what could not be delivered."""
    return (
        _hook_stream("WEBHOOKS", ALL_HOOKS, max_bytes, 3 * DAY_S),
        _hook_stream("WEBHOOK_LOG", ALL_DELIVERIES, max_bytes, 7 * DAY_S),
        _hook_stream("WEBHOOK_DEAD", ALL_DEAD_HOOKS, max_bytes, 30 * DAY_S),
    )


def _hook_stream(name: str, subjects: str, max_bytes: int, max_age_s: int) -> StreamSpec:
    return StreamSpec(name, (subjects,), "old", max_bytes, max_age_s, duplicate_window_s=120)
