"""A part of a stream, read once, page by page.

Promises: messages come in stream order, from where one starts to what was last when the reading began to end, at most
`PAGE` at a time; each page has a deadline; the consumer goes when the reading ends. A stream that is not there is
empty. Raises what JetStream and the link raise.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message
from chatterbus_runtime.stream_reader import sequences

PAGE: Final = 500
PAGE_TIMEOUT_S: Final = 5.0
INACTIVE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A message of a stream."""

    seq: int
    data: bytes


class StreamSlice:
    """Made by `open_slice`; read `page` until it is empty."""

    def __init__(self, link: NatsLink, stream: str, consumer: str, left: int) -> None:
        self._link = link
        self._stream = stream
        self._consumer = consumer
        self._left = left

    async def page(self, size: int = PAGE) -> list[Stored]:
        """The next messages, up to `size`; none at the end."""
        wanted = min(size, self._left)
        if wanted <= 0:
            return []
        found: list[Stored] = []
        ended = asyncio.Event()

        def received(message: Message) -> None:
            if message.reply:
                found.append(Stored(sequences(message.reply)[0], message.data))
            if not message.reply or len(found) >= wanted:
                ended.set()  # all are here, or the server says that there are no more

        inbox = self._link.inbox()
        listener = self._link.listen(inbox, received)
        try:
            ask = json.dumps({"batch": wanted, "no_wait": True}).encode()
            self._link.publish(f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}", ask, inbox)
            async with asyncio.timeout(PAGE_TIMEOUT_S):
                await ended.wait()
        finally:
            listener.close()
        self._left = self._left - len(found) if len(found) == wanted else 0
        return found


@asynccontextmanager
async def open_slice(
    link: NatsLink, stream: str, subjects: Sequence[str], *, from_seq: int = 1, since: datetime | None = None
) -> AsyncIterator[StreamSlice]:
    """The messages of `subjects` from a sequence or a time on."""
    config = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE if since is None else DeliverPolicy.BY_START_TIME,
        opt_start_seq=max(from_seq, 1) if since is None else None,
        opt_start_time=None if since is None else since.astimezone(UTC),
        filter_subjects=list(subjects),
        ack_policy=AckPolicy.NONE,
        inactive_threshold=INACTIVE_S,
        mem_storage=True,
        num_replicas=1,
    )
    try:
        consumer = await link.jetstream.add_consumer(stream, config)
    except NotFoundError:
        yield StreamSlice(link, stream, "", 0)
        return
    try:
        yield StreamSlice(link, stream, consumer.name, consumer.num_pending or 0)
    finally:
        with suppress(NatsError, TimeoutError, OSError):  # it goes by itself after INACTIVE_S
            await link.jetstream.delete_consumer(stream, consumer.name)
