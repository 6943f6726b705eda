"""A queue in memory and workers that apply it to a store as the lane does, up to the announcement.

A worker is a real Lane's commit (poison isolated, offsets compared) over the store's session; the queue, the holdings
and the announcer around it are played here, so that a test can stop between any two steps.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chatterbus_contracts.codec import decode
from chatterbus_contracts.commands import Command, encode_command, encode_parcel
from chatterbus_contracts.envelopes import Answer, Event, decode_answers, decode_events
from chatterbus_contracts.own_states import OWN_STATE_CHANGED, OwnStateChanged
from chatterbus_contracts.subjects import own_states_subject, partition_of
from chatterbus_persister.batch import Announcement, Batch, Item, Place, announcement_of
from chatterbus_persister.epochs import Position
from chatterbus_persister.lane import Lane
from chatterbus_persister.ledger.policy import LedgerPolicy
from chatterbus_persister.occupation import Occupation
from chatterbus_persister.settings import PersisterSettings
from chatterbus_runtime.health import Health
from tests.kit.ledger_fake import PARTITIONS

DEFAULT_POLICY = LedgerPolicy()
START = datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)


class Crash(BaseException):
    """The process is gone: nothing more runs, not even a rollback."""


class Clock:
    """Each look is a second later."""

    def __init__(self) -> None:
        self._at = START

    def pass_by(self, time: timedelta) -> None:
        self._at += time

    def __call__(self) -> datetime:
        self._at += timedelta(seconds=1)
        return self._at


class Queue:
    """The partitions' streams: what was published, numbered from 1."""

    def __init__(self) -> None:
        self.streams: dict[int, list[bytes]] = {partition: [] for partition in range(PARTITIONS)}

    def publish(self, partition: int, *commands: Command | bytes) -> int:
        """One parcel; its stream sequence."""
        return self.publish_raw(
            partition, encode_parcel([each if isinstance(each, bytes) else encode_command(each) for each in commands])
        )

    def publish_raw(self, partition: int, data: bytes) -> int:
        self.streams[partition].append(data)
        return len(self.streams[partition])


@dataclass
class Said:
    """What an announcement says."""

    events: list[Event] = field(default_factory=list)
    lines: list[Answer] = field(default_factory=list)
    own_lines: list[tuple[int, Event]] = field(default_factory=list)
    """Own states, with the partition they were told on."""

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [json.loads(event.frame) for event in self.events]

    @property
    def own_states(self) -> list[OwnStateChanged]:
        for partition, event in self.own_lines:
            assert (event.type, event.rev) == ("own_state", 0)
            assert partition_of(decode(OWN_STATE_CHANGED, event.frame).thread_id, PARTITIONS) == partition
        return [decode(OWN_STATE_CHANGED, event.frame) for _, event in self.own_lines]

    def answer(self, command: Command) -> dict[str, Any]:
        """The frame that answers the command; there is exactly one."""
        (line,) = [line for line in self.lines if line.command_id == command.id]
        frame = json.loads(line.frame)
        assert line.applied == (frame["type"] != "error")
        return dict(frame)

    def unanswered(self, command: Command) -> bool:
        return all(line.command_id != command.id for line in self.lines)


def said_by(announcement: Announcement) -> Said:
    partitions = {own_states_subject(partition): partition for partition in range(PARTITIONS)}
    said = Said(lines=[line for _, payload in announcement.answers for line in decode_answers(payload)])
    for subject, payload in announcement.events:
        if subject in partitions:
            said.own_lines += [(partitions[subject], event) for event in decode_events(payload)]
        else:
            said.events += decode_events(payload)
    return said


class Worker:
    """One persister: its session, and what it believes of its partitions."""

    def __init__(
        self, session: Any, queue: Queue, clock: Callable[[], datetime], policy: LedgerPolicy = DEFAULT_POLICY
    ) -> None:
        self.session = session
        self.queue = queue
        self.held: dict[int, Position] = {}
        self.echo_through: dict[int, int] = {}
        self.read_through: dict[int, int] = {}
        self.announced: dict[int, tuple[int, int]] = {}
        self.crash_at: str | None = None
        settings = PersisterSettings(
            persister_dsn="dbname=played",
            persister_owners_may_edit=policy.owners_may_edit,
            persister_receipts_broadcast_max_members=policy.receipts_broadcast_max_members,
        )
        self._lane = Lane(settings, self, self, Health(), self._reach, asyncio.Event(), Occupation(), clock)  # type: ignore[arg-type]

    # As the lane's holdings.

    def holds(self, partition: int) -> bool:
        return partition in self.held

    def epoch(self, partition: int) -> int:
        return self.held[partition].epoch

    def expected(self, batch: Batch) -> dict[int, tuple[int, int]]:
        return {partition: (self.held[partition].epoch, self.held[partition].applied) for partition in batch.reached}

    def _reach(self, point: str) -> None:
        if point == self.crash_at:
            raise Crash(point)

    # Steps.

    async def begin(self) -> None:
        """Take all partitions from where the store says they stand."""
        for partition in self.queue.streams:
            position = await self.session.position(partition)
            if position.epoch == 0:
                position = Position(1, "created", 0, 0)
                await self.session.begin_epoch(partition, position)
            self.held[partition] = position
            self.echo_through[partition] = position.applied
            self.read_through[partition] = position.announced

    def take(self, most_messages: int = 1_000) -> Batch:
        """What waits in the queue, partition after partition."""
        batch = Batch()
        for partition, stream in self.queue.streams.items():
            while self.read_through[partition] < len(stream) and most_messages:
                self.read_through[partition] += 1
                most_messages -= 1
                seq = self.read_through[partition]
                batch.add_message(partition, seq, stream[seq - 1], echo=seq <= self.echo_through[partition])
        return batch

    async def commit(self, batch: Batch) -> Said:
        """Commit the batch; what is to be announced."""
        result = await self._lane._commit(self.session, batch)
        for partition, seq in batch.reached.items():
            self.held[partition] = replace(self.held[partition], applied=seq)
        return said_by(announcement_of(result))

    async def note_announced(self) -> None:
        """Everything read so far has been announced."""
        self.announced = {partition: (self.epoch(partition), seq) for partition, seq in self.read_through.items()}
        await self.session.save_announced(self.announced)


class Ledger:
    """A store with a queue before it and one worker at a time."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.queue = Queue()
        self.clock = Clock()
        self.policy = DEFAULT_POLICY
        self.worker: Worker | None = None

    async def new_worker(self) -> Worker:
        worker = Worker(await self.store.session(), self.queue, self.clock, self.policy)
        await worker.begin()
        return worker

    async def _working(self) -> Worker:
        if self.worker is None:
            self.worker = await self.new_worker()
        return self.worker

    def publish(self, *commands: Command) -> None:
        """Each command as a parcel of its own."""
        for command in commands:
            self.queue.publish(partition_of(command.thread_id, PARTITIONS), command)

    async def work(self) -> Said:
        """Apply and announce what waits, as one batch."""
        worker = await self._working()
        said = await worker.commit(worker.take())
        await worker.note_announced()
        return said

    async def apply(self, *commands: Command) -> Said:
        """Publish, apply, announce."""
        self.publish(*commands)
        return await self.work()

    async def answer(self, command: Command) -> dict[str, Any]:
        """The answer to one command."""
        return (await self.apply(command)).answer(command)

    async def apply_batch(self, partition: int, *commands: Command) -> Said:
        """Commands as no decoder would let them through, then announce."""
        worker = await self._working()
        batch = worker.take()
        for command in commands:
            seq = self.queue.publish_raw(partition, b"[]")
            batch.items.append(Item(Place(partition, seq, 0), command, b"[]", echo=False))
            batch.reached[partition] = worker.read_through[partition] = seq
        said = await worker.commit(batch)
        await worker.note_announced()
        return said

    async def restart(self) -> None:
        """Another process takes over in order."""
        if self.worker is not None:
            await self.worker.session.close()
            self.worker = None

    async def crash(self, point: str | None = None) -> Said:
        """Work until the point (after the commit when None), then lose the process before anything is announced."""
        worker = await self._working()
        worker.crash_at = point
        said = Said()
        try:
            said = await worker.commit(worker.take())
        except Crash:
            assert point is not None
        await worker.session.close()
        self.worker = None
        return said

    async def ask(self, read: Callable[[Any, Any], Awaitable[dict[str, Any]]], question: Any) -> dict[str, Any]:
        """What the store service would answer."""
        async with self.store.reading() as connection:
            return await read(connection, question)


def events_of(said: Said, thread_id: str) -> list[dict[str, Any]]:
    return [frame for frame in said.frames if frame["threadId"] == thread_id]


def codes(said: Said, commands: Sequence[Command]) -> list[str]:
    """Per command, the code of its refusal, or the type of its ack."""
    return [str(frame.get("code", frame["type"])) for frame in map(said.answer, commands)]
