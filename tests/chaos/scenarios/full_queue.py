"""The queue is full: what it took is stored once somebody reads it, what it refused was not, and memory is flat."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Final

from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.subjects import command_stream, partition_of
from tests.chaos.crowd import THREADS
from tests.chaos.door import Door, open_door
from tests.chaos.figures import Figures
from tests.chaos.rig import Rig, open_rig
from tests.chaos.scenarios.ledger import begin
from tests.chaos.sizes import Size
from tests.chaos.told import acks_by_message, judged, note, stored
from tests.kit.checkers import Violation
from tests.kit.history import History
from tests.kit.ledger_commands import create
from tests.kit.ledger_fake import PARTITIONS
from tests.kit.socket import Frame, Socket
from tests.kit.waiting import until

ANSWERED_WITHIN_S: Final = 60.0
QUEUE_LIMIT: Final = 1_000
OVERFULL: Final = 1_500
FLAT_MB: Final = 24.0
REFUSAL: Final = ("QUEUE_FULL", True, "rejected")


async def queue_full(home: Path, size: Size) -> Figures:
    """T16: what the full queue refuses was not stored, what it took is. Spread over all partitions."""
    number, began = begin("T16"), time.monotonic()
    limit = size.pick(quick=40, full=QUEUE_LIMIT) // PARTITIONS
    many, flood = limit * OVERFULL // QUEUE_LIMIT, size.pick(quick=100, full=1_000)
    settings = {"GATEWAY_ANSWER_TIMEOUT_S": "120", "GATEWAY_QUEUED_AFTER_S": "0.001"}
    async with open_rig(home) as rig, open_door(rig, **settings) as door:
        (persister,) = rig.persisters
        lines = [await _Line.open(rig, door, thread) for thread in THREADS.values()]
        persister.signal(15)
        await persister.ended()
        for line in lines:
            await _limit(rig, line.thread, limit)
        before_mb = door.rss_mb
        await asyncio.gather(*(line.one_by_one(many) for line in lines))
        full_mb = door.rss_mb
        await asyncio.gather(*(line.all_at_once(flood) for line in lines))
        most_mb = door.rss_mb
        await persister.start_again()
        for line in lines:
            await line.until_acked(len(line.taken), "what was taken is stored")
        history = await stored(rig)
        found = [violation for line in lines for violation in line.wrong(limit, history)]
        for line in lines:
            await line.send_refused_again()
        for line in lines:
            await line.until_acked(many, "what was refused is stored now")
        history = await stored(rig)
        for line in lines:
            line.note(history)
            await line.socket.close()
    if most_mb - before_mb > FLAT_MB:
        found.append(Violation("G12", "memory grew", f"{before_mb:.0f} to {most_mb:.0f} MB"))
    taken = sum(len(line.taken) for line in lines)
    return judged(
        history,
        size,
        number,
        began,
        "T16",
        f"queues of {limit * PARTITIONS:,} messages in all, no persister, {many * PARTITIONS:,} sent",
        f"{taken:,} taken, and stored once persisters came back; {many * PARTITIONS - taken:,} refused (QUEUE_FULL,"
        f" retryable, rejected), and stored when sent again; the gateway's memory {before_mb:.0f} MB before,"
        f" {full_mb:.0f} MB with full queues, {most_mb:.0f} MB after {flood * PARTITIONS:,} more refusals",
        found,
    )


class _Line:
    """One who writes into one partition that is full at some time."""

    def __init__(self, thread: str, user: str, socket: Socket) -> None:
        self.thread = thread
        self.user = user
        self.socket = socket
        self.first: dict[str, Frame] = {}
        self.acked = 0
        self._read = 0  # frames of the socket's history

    @classmethod
    async def open(cls, rig: Rig, door: Door, thread: str) -> _Line:
        user = f"ann-{thread}"
        await rig.sender.ask(create(thread, user))
        return cls(thread, user, await Socket.join(door.ws, thread=thread, userId=user))

    async def send(self, name: str) -> None:
        await self.socket.send("message", threadId=self.thread, content=name, clientMessageId=name)

    async def one_by_one(self, count: int) -> None:
        """Each a parcel of its own."""
        for name in self._names("f", count):
            await self.send(name)
            await self._until_answered(len(self.first) + 1)

    async def all_at_once(self, count: int) -> None:
        """As fast as it goes."""
        answered = len(self.first)
        for name in self._names("x", count):
            await self.send(name)
        await self._until_answered(answered + count)

    async def send_refused_again(self) -> None:
        """As a client does that was told it may."""
        for name in self.first:
            if name in self.refused and name.startswith("f"):
                await self.send(name)

    def _names(self, kind: str, count: int) -> list[str]:
        return [f"{kind}-{self.thread}-{n}" for n in range(count)]

    async def until_acked(self, count: int, what: str) -> None:
        def acked() -> bool:
            self._look()
            return self.acked >= count

        await until(acked, ANSWERED_WITHIN_S, what)

    @property
    def taken(self) -> set[str]:
        """By the queue."""
        return {name for name, frame in self.first.items() if frame["type"] == "message_ack"}

    @property
    def refused(self) -> set[str]:
        return self.first.keys() - self.taken

    def wrong(self, limit: int, history: History) -> list[Violation]:
        """After the return of the persister: before anything is sent again."""
        stored = {message.value for message in history.stored if message.thread == self.thread}
        found = [Violation("C1", "stored though refused", name) for name in self.refused & stored]
        found += [
            Violation("G7", "not a retryable refusal", json.dumps(self.first[name]))
            for name in self.refused
            if tuple(self.first[name][field] for field in ("code", "retryable", "fate")) != REFUSAL
        ]
        if len(self.taken) != limit:
            found.append(Violation("T16", "taken", f"{len(self.taken)} of {limit} in {self.thread}"))
        return found

    def note(self, history: History) -> None:
        """What was acked."""
        told = acks_by_message(self.socket)
        note(history, told, {name: [0.0] for name in told}, self.user, self.thread, in_order=False)

    async def _until_answered(self, count: int) -> None:
        """So many of all that were sent."""

        def answered() -> bool:
            self._look()
            return len(self.first) >= count

        await until(answered, ANSWERED_WITHIN_S, "every message has an answer")

    def _look(self) -> None:
        """At the frames that are new: there are thousands, and they are looked for many times a second."""
        for frame in self.socket.history[self._read :]:
            if frame["type"] in ("message_ack", "error") and "clientMessageId" in frame:
                self.first.setdefault(frame["clientMessageId"], frame)
                self.acked += frame.get("status") == "sent"
        self._read = len(self.socket.history)


async def _limit(rig: Rig, thread: str, more: int) -> None:
    """So many more fit. The persister gives the stream its own size again when it comes back."""
    jetstream = rig.sender.link.jetstream
    info = await jetstream.stream_info(command_stream(partition_of(ThreadId(thread), PARTITIONS)))
    await jetstream.update_stream(info.config, max_msgs=info.state.messages + more)
