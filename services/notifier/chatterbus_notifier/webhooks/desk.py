"""The desk that delivers webhooks: from the stream to the receiver, with a position that outlives the process.

Promises: every event of the shard's slots is delivered at least once, with the same id each time, or put among the dead
letters after `notifier_webhook_retry_for_s`; events of one key in the order in which they happened, one at a time;
what was delivered when a process dies is repeated only as far as the position, kept at most once in `SAVE_EVERY_S`, had
not caught up. At most `WINDOW` events wait for delivery; then reading pauses, and what is on its way by then (bounded
by NATS's flow control) waits undecoded. So a single key with `WINDOW` undeliverable events holds up the others until
its oldest are given up.
Does not promise delivery of what the stream forgets before it was read (three days, or its size): that is counted.
Without a configured URL it does nothing.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from chatterbus_contracts.codec import DecodeError
from chatterbus_contracts.subjects import hook_slot_subject, slot_of
from chatterbus_contracts.topology import hook_streams
from chatterbus_contracts.webhooks import HookEvent, decode_hook
from chatterbus_notifier.settings import NotifierSettings
from chatterbus_notifier.shard import Shard
from chatterbus_notifier.webhooks.backlog import Backlog, Waiting
from chatterbus_notifier.webhooks.connector import Resolve, resolve
from chatterbus_notifier.webhooks.courier import Courier
from chatterbus_notifier.webhooks.delivery_log import DeliveryLog
from chatterbus_notifier.webhooks.metrics import LOST, WAITING
from chatterbus_notifier.webhooks.position import SECOND_MS, Pending, Start, encode_position
from chatterbus_notifier.webhooks.position_store import PositionStore
from chatterbus_notifier.webhooks.publisher import Confirmed, ensure_hook_streams
from chatterbus_notifier.webhooks.retry import RetryPolicy
from chatterbus_notifier.webhooks.sender import HookSender
from chatterbus_runtime.backoff import Backoff
from chatterbus_runtime.bucket import BucketUnavailable
from chatterbus_runtime.link_errors import LinkError
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message
from chatterbus_runtime.stream_follower import StreamFollower

log: Final = structlog.stdlib.get_logger(__name__)

STREAM: Final = hook_streams()[0].name
WINDOW: Final = 2_000
SAVE_EVERY_S: Final = 1.0
FETCHED_AT_ONCE: Final = 32
UNREACHABLE: Final = (NatsError, LinkError, BucketUnavailable, TimeoutError, OSError)


class DeliveryDesk:
    """One a leadership. `policy`, `resolver` and `tls` are for tests."""

    def __init__(
        self,
        link: NatsLink,
        shard: Shard,
        guard: Callable[[], bool],
        settings: NotifierSettings,
        *,
        policy: RetryPolicy | None = None,
        resolver: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
        window: int = WINDOW,
    ) -> None:
        self._link = link
        self._shard = shard
        self._guard = guard
        self._settings = settings
        self._resolver = resolver
        self._tls = tls
        policy = policy or RetryPolicy(random.random, settings.notifier_webhook_retry_for_s)
        self._backlog = Backlog(policy, concurrency=settings.notifier_webhook_concurrency, window=window)
        self._ahead: deque[tuple[int, Message]] = deque()  # arrived while there was no room
        self._start = Start(1, {}, {})
        self._high = 0  # the last stream sequence that came into the backlog
        self._stream: str | None = None  # when the stream was made; None: to be asked
        self._store = PositionStore(link, shard, settings.notifier_stream_replicas)
        self._follower = StreamFollower(
            link,
            STREAM,
            self._arrived,
            self._gone,
            subjects=[hook_slot_subject(slot) for slot in shard.slots],
            may_read=lambda: not self._ahead,
        )
        self._unsaved = asyncio.Event()
        self._courier: Courier | None = None

    async def run(self) -> None:
        """Deliver until cancelled."""
        target = self._settings.webhook_target
        if target is None:
            await asyncio.Event().wait()
            return
        sender = HookSender(
            target,
            self._settings.webhook_secrets,
            timeout_s=self._settings.notifier_webhook_timeout_s,
            concurrency=self._settings.notifier_webhook_concurrency,
            resolver=self._resolver,
            tls=self._tls,
        )
        delivery_log = DeliveryLog(self._link)
        dead_letters = Confirmed(self._link, self._settings.notifier_stream_replicas)
        try:
            await self._begin()
            self._courier = Courier(
                self._backlog, sender, delivery_log, dead_letters, self._guard, on_settled=self._settled
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._courier.run())
                tasks.create_task(self._follower.run(self._start.from_seq))
                tasks.create_task(self._save_for_ever())
        finally:
            WAITING.set(0)
            if self._unsaved.is_set():
                await self._save()
            delivery_log.close()
            dead_letters.close()
            await sender.close()

    def link_found(self) -> None:
        """NATS is back: look at once for what is new."""
        self._follower.link_returned()

    # --- the position ------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Find out where to go on, however long NATS takes."""
        backoff = Backoff(initial_s=0.1, factor=2, maximum_s=5, jitter=0.3, random=random.random)
        while True:
            try:
                await ensure_hook_streams(self._link, self._settings.notifier_stream_replicas)
                self._stream = await self._stream_now()
                self._start = await self._store.load(self._stream)
                fetched = await self._fetched(self._start.pending)
                break
            except UNREACHABLE as error:
                delay_s = backoff.next_s()
                log.warning("webhooks wait for NATS", reason=type(error).__name__, again_s=round(delay_s, 1))
                await asyncio.sleep(delay_s)
        _end_if_cancelled()
        self._high = self._start.from_seq - 1
        for waiting in fetched:
            self._backlog.add(waiting)
        log.info("delivering webhooks", shard=str(self._shard), from_seq=self._start.from_seq, pending=len(fetched))

    async def _stream_now(self) -> str:
        info = await self._link.jetstream.stream_info(STREAM)
        return "" if info.created is None else info.created.isoformat()

    async def _fetched(self, pending: dict[int, Pending]) -> list[Waiting]:
        """The events themselves, in order. Those that the stream forgot are counted."""
        to_loop_s = asyncio.get_running_loop().time() - time.time()
        places = list(pending.items())
        found: list[Waiting] = []
        for first in range(0, len(places), FETCHED_AT_ONCE):
            some = places[first : first + FETCHED_AT_ONCE]
            events = await asyncio.gather(*(self._fetch(seq) for seq, _ in some))
            for (seq, one), event in zip(some, events, strict=True):
                if event is not None:
                    first_ms = one.first_attempt_ms
                    first_s = None if first_ms is None else first_ms / SECOND_MS + to_loop_s
                    found.append(Waiting(seq, event, one.attempts, first_s))
        return found

    async def _fetch(self, seq: int) -> HookEvent | None:
        try:
            message = await self._link.jetstream.get_msg(STREAM, seq)
        except NotFoundError:
            LOST.inc()
            log.error("the stream forgot an event before it was delivered", seq=seq)
            return None
        return _event(seq, message.data or b"")

    async def _save_for_ever(self) -> None:
        while True:
            await self._unsaved.wait()
            await self._save()
            _end_if_cancelled()
            await asyncio.sleep(SAVE_EVERY_S)

    async def _save(self) -> None:
        if not self._guard():
            return  # another instance writes it now
        self._unsaved.clear()
        try:
            if self._stream is None:
                self._stream = await self._stream_now()
            to_unix_s = time.time() - asyncio.get_running_loop().time()
            await self._store.save(encode_position(self._stream, self._high, self._backlog, to_unix_s))
        except UNREACHABLE as error:
            self._unsaved.set()
            log.warning("the position of webhooks was not kept", reason=type(error).__name__)

    # --- arrivals ----------------------------------------------------------------------------------------------------

    def _arrived(self, seq: int, message: Message) -> None:
        self._ahead.append((seq, message))
        self._admit()

    def _admit(self) -> None:
        while self._ahead and self._backlog.has_room:
            seq, message = self._ahead.popleft()
            self._high = seq
            event = _event(seq, message.data)
            if event is not None and not self._start.is_behind(seq, slot_of(event.key)):
                self._backlog.add(Waiting(seq, event))
        WAITING.set(len(self._backlog))
        if not self._ahead:
            self._follower.go_on()
        if self._courier is not None:
            self._courier.wake()

    def _settled(self) -> None:
        self._unsaved.set()
        self._admit()

    def _gone(self, reason: str) -> None:
        LOST.inc()
        self._stream = None
        if self._follower.position >= self._high:
            return  # the stream forgot; what it still has keeps its numbers
        # The stream begins anew: what waits here is in no stream, and is delivered from memory.
        for _, message in self._ahead:
            event = _event(0, message.data)
            if event is not None:
                self._backlog.add(Waiting(None, event))
        self._ahead.clear()
        self._backlog.forget_places()
        self._start = Start(1, {}, {})
        self._high = self._follower.position
        self._unsaved.set()


def _event(seq: int, data: bytes) -> HookEvent | None:
    try:
        return decode_hook(data)
    except DecodeError as error:
        log.error("an event for webhooks cannot be read and is left out", seq=seq, reason=error.message)
        return None


def _end_if_cancelled() -> None:
    """nats-py loses a cancellation that comes in the moment of an answer (asyncio.wait_for before Python 3.12)."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
