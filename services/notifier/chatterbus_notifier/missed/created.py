"""message.created: every stored message of a shard's threads, from the stream of events to the stream of webhooks.

Promises: each message is handed on at least once, in the order of the stream, under an id that is the same every time;
the position moves on only behind what JetStream has confirmed. An announcement that is repeated within the last
`RECENT_IDS` messages is dropped here, within two minutes by JetStream; later (a crash of both) the receiver knows it by
its id. While webhooks cannot be stored, reading stops and the stream of events keeps what comes.
Does not promise what the stream of events has forgotten (a day): it says so and goes on. Off, unless a webhook is set
and wants `message.created`; switched on, it begins with what comes then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from chatterbus_contracts.codec import DecodeError
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.webhooks import CREATED, HookEvent
from chatterbus_notifier.missed.hook_events import created_event
from chatterbus_notifier.missed.message_lines import message_frames
from chatterbus_notifier.missed.message_reading import MessageReading
from chatterbus_notifier.missed.recent_ids import RecentIds
from chatterbus_notifier.settings import NotifierSettings
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.webhooks.publisher import HookPublisher
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message

log: Final = structlog.stdlib.get_logger(__name__)

NAME: Final = "created"
RECENT_IDS: Final = 20_000
WAITING_MAX: Final = 4_096  # envelopes read ahead, and their bytes; beyond, reading stops
WAITING_MAX_BYTES: Final = 16 << 20
GUARD_POLL_S: Final = 0.1


class CreatedDesk:
    """Made for one leadership."""

    def __init__(self, link: NatsLink, shard: Shard, guard: Callable[[], bool], settings: NotifierSettings) -> None:
        self._on = CREATED in settings.webhook_events
        self._guard = guard
        self._hooks = HookPublisher(link, settings.notifier_stream_replicas)
        self._reading = MessageReading(
            link,
            NAME,
            shard,
            guard,
            settings.notifier_stream_replicas,
            on_message=self._arrived,
            on_gap=self._gone,
            has_room=lambda: self._has_room,
            lowest=lambda: self._waiting[0][0] if self._waiting else None,
        )
        self._waiting: deque[tuple[int, bytes]] = deque()  # (stream sequence, envelope); the first is in work
        self._waiting_bytes = 0
        self._some = asyncio.Event()
        self._recent = RecentIds(RECENT_IDS)

    async def run(self) -> None:
        """Until cancelled; returns at once when it is off."""
        try:
            if not self._on:
                await self._reading.forget()
                return
            async with asyncio.TaskGroup() as work:
                work.create_task(self._reading.run())
                work.create_task(self._hand_on_for_ever())
        finally:
            self._hooks.close()

    def link_found(self) -> None:
        """NATS is back."""
        self._reading.link_found()

    @property
    def _has_room(self) -> bool:
        return len(self._waiting) < WAITING_MAX and self._waiting_bytes < WAITING_MAX_BYTES

    def _arrived(self, stream_seq: int, _thread_id: ThreadId, message: Message) -> None:
        self._waiting.append((stream_seq, message.data))
        self._waiting_bytes += len(message.data)
        self._some.set()

    def _gone(self, next_seq: int) -> None:
        self._waiting = deque((min(stream_seq, next_seq), envelope) for stream_seq, envelope in self._waiting)

    async def _hand_on_for_ever(self) -> None:
        while True:
            while not self._waiting:
                self._some.clear()
                await self._some.wait()
            stream_seq, envelope = self._waiting[0]
            for frame in message_frames(envelope):
                try:
                    event = created_event(frame)
                except DecodeError:
                    log.error("a message frame cannot be read, and is passed over", stream_seq=stream_seq)
                    continue
                if event.id not in self._recent:
                    await self._hand_on(event)
                    self._recent.add(event.id)
            self._waiting.popleft()
            self._waiting_bytes -= len(envelope)
            if self._has_room:
                self._reading.go_on()

    async def _hand_on(self, event: HookEvent) -> None:
        """Returns when JetStream has the event, or can never take it."""
        while True:
            if self._guard():
                await self._hooks.publish(event)
                return
            await asyncio.sleep(GUARD_POLL_S)
