"""The events of threads, from one durable pull consumer of EVENTS that all persisters share.

JetStream gives each event to one of them and gives it again if it is not acked. What else the stream carries is not
delivered: a consumer made before it did is given the filter, and keeps its place. Promises: at most one request is
open, and it asks for no more than `REQUEST_EVENTS` events or `REQUEST_BYTES`, so no more than that waits here; a
request that the server forgot (a restart) is asked again after a deadline; a consumer that is gone raises
FeedLostError.
Own code over plain NATS because the library's pull subscription may stall after a reconnect (docs/adr/0012).
"""

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from typing import Final

from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy
from nats.js.errors import NotFoundError

from chatterbus_contracts.subjects import ALL_EVENTS
from chatterbus_runtime.nats_link import Listener, NatsLink
from chatterbus_runtime.nats_message import Message

DURABLE: Final = "search"
REQUEST_EVENTS: Final = 256
REQUEST_BYTES: Final = 2 * 1024 * 1024
REQUEST_S: Final = 5.0
FORGOTTEN_S: Final = 2 * REQUEST_S
ACK_WAIT_S: Final = 30.0
MAX_ACK_PENDING: Final = 4 * REQUEST_EVENTS
ACK: Final = b"+ACK"
STATUS_NO_RESPONDERS: Final = 503
NANOSECONDS: Final = 1_000_000_000


class FeedLostError(Exception):
    """The consumer is gone; open another feed, and find out what was missed."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event message; `announced_at_s` is when the stream took it."""

    reply: str
    data: bytes
    announced_at_s: float


@dataclass(frozen=True, slots=True)
class Standing:
    """Of the consumer: `created` tells it from its successors; `waiting` events are not acked; up to `missed_through`
    (0: none) the stream lost what it never delivered, said once."""

    created: str
    waiting: int
    missed_through: int


class EventFeed:
    """Made with `open`, which creates the consumer if it is not there; `close` it."""

    def __init__(self, link: NatsLink, stream: str, replicas: int) -> None:
        self._link = link
        self._stream = stream
        self._replicas = replicas
        self._arrived: deque[Delivery] = deque()
        self._something = asyncio.Event()
        self._inbox = link.inbox()
        self._listener: Listener | None = None
        self._asked_at_s: float | None = None
        self._due = 0
        self._lost = False
        self._caught_up_through = 0

    @classmethod
    async def open(cls, link: NatsLink, stream: str, replicas: int) -> "EventFeed":
        """Raises NotFoundError while the stream is not there, and what else JetStream and the link raise."""
        feed = cls(link, stream, replicas)
        try:
            config = (await link.jetstream.consumer_info(stream, DURABLE)).config
        except NotFoundError:
            # Raises when another instance made it in this moment with other settings; the next try finds it.
            await link.jetstream.add_consumer(stream, feed._config())
        else:
            if config.filter_subject != ALL_EVENTS:
                await link.jetstream.add_consumer(stream, config.evolve(filter_subject=ALL_EVENTS))
        feed._listener = link.listen(feed._inbox, feed._received)
        return feed

    def _config(self) -> ConsumerConfig:
        return ConsumerConfig(
            durable_name=DURABLE,
            description="feeds the search index",
            filter_subject=ALL_EVENTS,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            max_ack_pending=MAX_ACK_PENDING,
            num_replicas=self._replicas,
        )

    def close(self) -> None:
        """Nothing arrives after this. What was not acked is delivered again, to whoever asks."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def standing(self) -> Standing:
        """Raises FeedLostError, and what JetStream and the link raise."""
        try:
            stream = (await self._link.jetstream.stream_info(self._stream)).state
            consumer = await self._link.jetstream.consumer_info(self._stream, DURABLE)
        except NotFoundError:
            raise FeedLostError("the consumer or its stream is gone") from None
        waiting = (consumer.num_pending or 0) + (consumer.num_ack_pending or 0)
        gone_through = stream.first_seq - 1
        lost = gone_through > max(_delivered(consumer), self._caught_up_through)
        if not waiting:
            # What the stream held when it was asked, before the consumer, was delivered, or is none of the consumer's,
            # or is reported as lost now: when it grows old and goes, no event is lost with it.
            self._caught_up_through = stream.last_seq
        return Standing(consumer.created.isoformat(), waiting, gone_through if lost else 0)

    async def arrival(self, timeout_s: float) -> bool:
        """Whether something has arrived, now or within `timeout_s`. Raises FeedLostError, LinkDown or LinkFull."""
        self._ask()
        if not self._arrived and not self._lost:
            self._something.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._something.wait()
            except TimeoutError:
                return False
        if self._lost:
            raise FeedLostError("nobody answers for the consumer")
        return bool(self._arrived)

    def take(self) -> Delivery | None:
        """The oldest that has arrived."""
        return self._arrived.popleft() if self._arrived else None

    def ack(self, delivery: Delivery) -> None:
        """It is worked off, and need not come again. Raises LinkDown or LinkFull."""
        self._link.publish(delivery.reply, ACK)

    def _ask(self) -> None:
        """Ask for more once everything of the last request was taken."""
        if self._arrived:
            return
        now_s = asyncio.get_running_loop().time()
        if self._asked_at_s is not None and now_s - self._asked_at_s < FORGOTTEN_S:
            return
        wanted = {
            "batch": REQUEST_EVENTS,
            "max_bytes": REQUEST_BYTES,
            "expires": int(REQUEST_S * NANOSECONDS),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{DURABLE}"
        self._link.publish(subject, json.dumps(wanted).encode(), self._inbox)
        self._asked_at_s, self._due = now_s, REQUEST_EVENTS

    def _received(self, message: Message) -> None:
        if not message.reply:
            # A status: the request is over, for one reason or another.
            self._asked_at_s = None
            self._lost = self._lost or message.status == STATUS_NO_RESPONDERS
        else:
            self._due -= 1
            if not self._due:
                self._asked_at_s = None
            self._arrived.append(Delivery(message.reply, message.data, announced_at_s(message.reply)))
        self._something.set()


def _delivered(consumer: ConsumerInfo) -> int:
    return 0 if consumer.delivered is None else consumer.delivered.stream_seq


def announced_at_s(reply: str) -> float:
    """When the stream took a delivered message, from its reply subject, in either form (ADR-15)."""
    tokens = reply.split(".")
    return int(tokens[7 if len(tokens) == 9 else 9]) / NANOSECONDS
