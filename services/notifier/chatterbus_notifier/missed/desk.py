"""Missed messages: a shard's threads, from the stream of events to the stream of webhooks.

Promises: after every message its thread is looked at, `NOTIFIER_MISSED_AFTER_S` later, and whoever misses it is told
(check.py), however often processes, NATS or the store go away in between: the kept position is behind every message
whose consequences are open. At most `CHECKS_AT_ONCE` threads are looked at together; when more wait than the schedule
holds, reading stops and the stream keeps the rest.
Does not promise anything about messages that the stream has forgotten (after a day, or when it was full): it says so
and goes on. Off, unless a webhook is set and wants `message.missed`; switched on, it begins with what comes then.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import GatewayId, ThreadId
from chatterbus_contracts.webhooks import MISSED
from chatterbus_notifier.missed.attending import Attendance
from chatterbus_notifier.missed.check import NotLeading, Result, ThreadCheck
from chatterbus_notifier.missed.message_lines import stored_at_s
from chatterbus_notifier.missed.message_reading import MessageReading
from chatterbus_notifier.missed.notes import Notes, bucket_spec
from chatterbus_notifier.missed.schedule import Schedule
from chatterbus_notifier.settings import NotifierSettings
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.store import StoreQueries
from chatterbus_notifier.webhooks.publisher import HookPublisher
from chatterbus_runtime.backoff import Backoff
from chatterbus_runtime.bucket import Bucket, BucketUnavailable
from chatterbus_runtime.link_errors import LinkError
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message

log: Final = structlog.stdlib.get_logger(__name__)

NAME: Final = "missed"
CHECKS_AT_ONCE: Final = 16
BUCKET_TIMEOUT_S: Final = 5.0
PASSING: Final = (NotLeading, BucketUnavailable, LinkError)


class MissedDesk:
    """Made for one leadership; `gateways()` are those that live."""

    def __init__(
        self,
        link: NatsLink,
        shard: Shard,
        store: StoreQueries,
        gateways: Callable[[], Sequence[GatewayId]],
        guard: Callable[[], bool],
        settings: NotifierSettings,
    ) -> None:
        replicas = settings.notifier_stream_replicas
        self._on = MISSED in settings.webhook_events
        self._after_s = settings.notifier_missed_after_s
        self._schedule = Schedule(self._after_s)
        self._reading = MessageReading(
            link,
            NAME,
            shard,
            guard,
            replicas,
            on_message=self._arrived,
            on_gap=self._schedule.stream_changed,
            has_room=lambda: self._schedule.has_room,
            lowest=lambda: self._schedule.lowest,
        )
        self._hooks = HookPublisher(link, replicas)
        self._thread_check = ThreadCheck(
            store,
            Notes(Bucket(link, bucket_spec(replicas), BUCKET_TIMEOUT_S)),
            Attendance(link, gateways),
            self._hooks.publish,
            guard,
            lambda: time.time_ns() // 1_000_000,
            iso_time,
            after_s=self._after_s,
            interval_s=settings.notifier_missed_interval_s,
        )
        self._places = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._changed = asyncio.Event()
        self._backoff = Backoff(initial_s=0.25, factor=2, maximum_s=10, jitter=0.3, random=random.random)
        self._paused_until_s = 0.0

    async def run(self) -> None:
        """Until cancelled; returns at once when it is off."""
        try:
            if not self._on:
                await self._reading.forget()
                return
            async with asyncio.TaskGroup() as work:
                work.create_task(self._reading.run())
                work.create_task(self._check_for_ever())
        finally:
            self._hooks.close()

    def link_found(self) -> None:
        """NATS is back."""
        self._reading.link_found()

    @property
    def open_threads(self) -> int:
        """How many threads wait to be looked at, or are being looked at."""
        return len(self._schedule)

    # --- reading -----------------------------------------------------------------------------------------------------

    def _arrived(self, stream_seq: int, thread_id: ThreadId, message: Message) -> None:
        age_s = max(0.0, time.time() - stored_at_s(message.reply))
        self._schedule.noted(thread_id, stream_seq, time.monotonic() - age_s)
        self._changed.set()

    # --- checking ----------------------------------------------------------------------------------------------------

    async def _check_for_ever(self) -> None:
        async with asyncio.TaskGroup() as checks:
            while True:
                await self._places.acquire()
                checks.create_task(self._check(await self._next()))

    async def _next(self) -> ThreadId:
        while True:
            self._changed.clear()
            now_s = time.monotonic()
            thread_id = None if now_s < self._paused_until_s else self._schedule.take(now_s)
            if thread_id is not None:
                return thread_id
            due_s = self._schedule.next_due_s
            wait_s = None if due_s is None else max(due_s, self._paused_until_s) - now_s
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _check(self, thread_id: ThreadId) -> None:
        try:
            result = await self._thread_check.run(thread_id)
        except PASSING as error:
            self._postpone(thread_id, type(error).__name__)
        except Refusal as refusal:
            if refusal.code is ErrorCode.STORE_UNAVAILABLE:
                self._postpone(thread_id, refusal.code)
            else:
                log.error("who misses messages of a thread cannot be found out", thread=thread_id, code=refusal.code)
                self._schedule.settled(thread_id)
        except Exception:
            # A bug that one thread brings out must not keep all the others from being looked at.
            log.exception("a thread is passed over", thread=thread_id)
            self._schedule.settled(thread_id)
        else:
            self._backoff.reset()
            self._note(thread_id, result)
        finally:
            self._places.release()
        self._changed.set()
        if self._schedule.has_room:
            self._reading.go_on()

    def _note(self, thread_id: ThreadId, result: Result) -> None:
        if result.again_s is None:
            self._schedule.settled(thread_id)
            return
        now_s = time.monotonic()
        open_since_s = None if result.held else now_s - self._after_s + result.again_s
        self._schedule.again(thread_id, now_s + result.again_s, open_since_s)

    def _postpone(self, thread_id: ThreadId, reason: str) -> None:
        now_s = time.monotonic()
        if now_s >= self._paused_until_s:
            self._paused_until_s = now_s + self._backoff.next_s()
            log.warning("missed messages wait", reason=reason, again_s=self._paused_until_s - now_s)
        self._schedule.again(thread_id, self._paused_until_s)


def iso_time(unix_ms: int) -> str:
    """UTC, ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
