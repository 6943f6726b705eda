"""The stored messages of a shard's threads, read from the stream of events on from a kept position.

Promises: every event of a message reaches `on_message`, in stream order, as long as `has_room` says so; the position
that is kept is `lowest()`, the first whose consequences are open, so that who resumes repeats work and forgets none.
Messages that the stream has forgotten are told to `on_gap` before what follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.subjects import ALL_EVENTS, parse_event_subject
from chatterbus_contracts.topology import events_stream
from chatterbus_notifier.kept_position import KeptPosition
from chatterbus_notifier.missed.message_lines import has_message
from chatterbus_notifier.shard import Shard
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message
from chatterbus_runtime.stream_follower import StreamFollower

log: Final = structlog.stdlib.get_logger(__name__)

KEEP_EVERY_S: Final = 1.0


class MessageReading:
    """Of one desk, by its `name`. Callbacks are called in the read loop and must not wait."""

    def __init__(
        self,
        link: NatsLink,
        name: str,
        shard: Shard,
        guard: Callable[[], bool],
        replicas: int,
        *,
        on_message: Callable[[int, ThreadId, Message], None],
        on_gap: Callable[[int], None],
        has_room: Callable[[], bool],
        lowest: Callable[[], int | None],
    ) -> None:
        stream = events_stream().name
        self._name = name
        self._shard = shard
        self._guard = guard
        self._on_message = on_message
        self._on_gap = on_gap
        self._lowest = lowest
        self._kept = KeptPosition(link, name, stream, shard, replicas)
        self._follower = StreamFollower(
            link, stream, self._arrived, self._gone, subjects=(ALL_EVENTS,), may_read=has_room
        )

    async def run(self) -> None:
        """Until cancelled."""
        from_seq = await self._kept.resume()
        log.info("reading stored messages", desk=self._name, shard=str(self._shard), from_seq=from_seq)
        async with asyncio.TaskGroup() as work:
            work.create_task(self._follower.run(from_seq))
            work.create_task(self._keep_for_ever())

    async def forget(self) -> None:
        """The desk is off: when it is on again it begins with what comes then."""
        await self._kept.forget()

    def go_on(self) -> None:
        """There is room again."""
        self._follower.go_on()

    def link_found(self) -> None:
        """NATS is back."""
        self._follower.link_returned()

    def _arrived(self, stream_seq: int, message: Message) -> None:
        if not has_message(message.data):
            return
        try:
            thread_id = parse_event_subject(message.subject)
        except ValueError:
            log.error("an event's subject names no thread", stream_seq=stream_seq)
            return
        if self._shard.owns(thread_id):
            self._on_message(stream_seq, thread_id, message)

    def _gone(self, reason: str) -> None:
        log.error("messages are gone before they were read", desk=self._name, shard=str(self._shard), reason=reason)
        self._on_gap(self._follower.position + 1)
        self._kept.stream_changed()

    async def _keep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(KEEP_EVERY_S)
            if self._guard():
                lowest = self._lowest()
                await self._kept.save(self._follower.position + 1 if lowest is None else lowest)
