"""A stream or a consumer is deleted by hand under load: how long until everything works again, and who says so.

Promises: whoever is refused meanwhile is refused retryably; every message is stored, told and counted in the end.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final
from uuid import uuid4

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.subjects import command_stream, partition_of
from chatterbus_contracts.topology import DEFAULT_PARTITIONS
from chatterbus_runtime.link_errors import LinkError
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.settings import ServiceSettings
from tests.chaos.cluster import Cluster
from tests.chaos.figures import Figures
from tests.chaos.running import Run, under_load
from tests.chaos.sizes import Size
from tests.kit.socket import Frame, Socket
from tests.kit.waiting import until

WHOLE_WITHIN_S: Final = 30.0  # G14
ANSWERED_WITHIN_S: Final = 35.0  # GATEWAY_ANSWER_TIMEOUT_S (30) and some
AGAIN_AFTER_S: Final = 0.1
EVENTS: Final = "EVENTS"


async def deleted_by_hand(cluster: Cluster, size: Size) -> Figures:
    """T18."""
    rounds = size.pick(quick=1, full=3)

    async def act(run: Run) -> None:
        async with _witness(run) as witness, _operator(cluster) as jetstream:
            for name, delete in DELETIONS.items():
                deletion = partial(delete, jetstream, witness.queue)
                times = [await witness.after(deletion) for _ in range(rounds)]
                acked_s, seen_s, counted_s = (max(one) for one in zip(*times, strict=True))
                run.notes.append(
                    f"{name} deleted: a message sent then was acked after {acked_s:.1f} s, seen after {seen_s:.1f} s,"
                    f" counted as unread after {counted_s:.1f} s at most"
                )
            refusals = ", ".join(f"{count} {code}" for code, count in witness.refusals.items()) or "none"
            run.notes.append(f"refused meanwhile, retryably: {refusals}")

    fault = f"the stream of a queue, its consumer, and the stream of events deleted by hand, {rounds} times each"
    return await under_load(cluster, size, "T18", fault, act)


async def _consumer(jetstream: JetStreamContext, queue: str) -> None:
    for consumer in await jetstream.consumers_info(queue):
        await jetstream.delete_consumer(queue, consumer.name)


async def _queue(jetstream: JetStreamContext, queue: str) -> None:
    await jetstream.delete_stream(queue)


async def _events(jetstream: JetStreamContext, queue: str) -> None:
    await jetstream.delete_stream(EVENTS)


DELETIONS: Final = {"the consumer": _consumer, "the queue": _queue, "EVENTS": _events}


class Witness:
    """One who writes and one who reads: whether everything works for them."""

    def __init__(self, thread: str, writer: Socket, reader: Socket) -> None:
        self.queue = command_stream(partition_of(ThreadId(thread), DEFAULT_PARTITIONS))
        self.refusals: Counter[str] = Counter()
        self._thread = thread
        self._writer = writer
        self._reader = reader
        self._count = 0

    async def after(self, delete: Callable[[], Awaitable[None]]) -> tuple[float, float, float]:
        """Seconds from the deletion until a message sent after it was acked, was seen, was counted."""
        await until(lambda: _is_done(delete), WHOLE_WITHIN_S, "it is deleted")
        began = time.monotonic()
        self._count += 1
        name = f"witness-{self._count}"
        seq = await self._store(name)
        acked_s = time.monotonic() - began
        await self._reader.expect("message", lambda f: f["data"]["content"] == name, WHOLE_WITHIN_S)
        seen_s = time.monotonic() - began
        await until(lambda: self._is_counted(seq), WHOLE_WITHIN_S, "it is counted as unread")
        self._reader.frames.clear()
        return acked_s, seen_s, time.monotonic() - began

    def _is_counted(self, seq: int) -> bool:
        """Whether the reader was told, alone or with all counts."""
        told = (frame for frame in self._reader.frames if frame["type"] in ("unread", "unread_snapshot"))
        items = (item for frame in told for item in frame.get("items", [frame]))
        return any(item["threadId"] == self._thread and item["lastSeq"] >= seq for item in items)

    async def _store(self, name: str) -> int:
        """Send it until it is acked. To be refused retryably is all that may happen meanwhile."""
        while True:
            await self._writer.send("message", threadId=self._thread, content=name, clientMessageId=name)
            answer: Frame = {}

            def answered(answer: Frame = answer) -> bool:
                mine = (frame for frame in self._writer.frames if frame.get("clientMessageId") == name)
                answer.update(next((frame for frame in mine if _is_final(frame)), {}))
                return bool(answer)

            await until(answered, ANSWERED_WITHIN_S, "the witness is answered")
            self._writer.frames.clear()
            if answer["type"] == "message_ack":
                return int(answer["seq"])
            assert answer["retryable"], answer
            self.refusals[answer["code"]] += 1
            await asyncio.sleep(AGAIN_AFTER_S)


async def _is_done(delete: Callable[[], Awaitable[None]]) -> bool:
    try:
        await delete()
    except NotFoundError:
        return True  # by an attempt whose answer did not come in time
    except (NatsError, LinkError, TimeoutError):
        return False
    return True


def _is_final(frame: Frame) -> bool:
    return frame["type"] == "error" or frame.get("status") == "sent"


@asynccontextmanager
async def _witness(run: Run) -> AsyncIterator[Witness]:
    stack, mark = run.cluster.stack, uuid4().hex[:8]
    thread, writer, reader = f"witness-{mark}", f"writer-{mark}", f"reader-{mark}"
    await stack.create_thread(thread, writer, reader)
    sockets = [await stack.join(writer, thread, gateway=1), await stack.join(reader, thread, gateway=2)]
    try:
        yield Witness(thread, *sockets)
    finally:
        for socket in sockets:
            await socket.close()


@asynccontextmanager
async def _operator(cluster: Cluster) -> AsyncIterator[JetStreamContext]:
    settings = ServiceSettings(nats_url=cluster.stack.stack.ready["nats"])
    link = await NatsLink.connect(settings, "operator", connect_patience_s=10)
    try:
        yield link.jetstream
    finally:
        await link.close()
