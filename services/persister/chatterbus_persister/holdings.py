"""The partitions this instance owns: taking and releasing them, their readers, and what has arrived.

Promises: a partition is read only while its lock is held, from the committed offset on; what was applied but perhaps
not announced is read again and marked `echo`; a reader that lost its place is replaced; a stream that is not the one
the offset was counted in begins a new epoch, with a log line and a metric.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

import structlog

from chatterbus_contracts.subjects import command_stream
from chatterbus_contracts.topology import StreamSpec
from chatterbus_persister.announcer import Announcer
from chatterbus_persister.batch import Batch
from chatterbus_persister.epochs import start_of
from chatterbus_persister.ledger_session import LedgerSession
from chatterbus_persister.metrics import BACKLOG_BYTES, COMMANDS_LOST, EPOCHS_BEGUN, PARTITIONS_HELD, READERS_RESTARTED
from chatterbus_persister.ownership import fair_share
from chatterbus_persister.streams import facts_of
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message
from chatterbus_runtime.stream_reader import StreamReader
from chatterbus_runtime.streams import ensure_stream

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One queue message. `echo`: it was applied before this instance took the partition."""

    partition: int
    stream_seq: int
    data: bytes
    echo: bool


@dataclass(slots=True)
class _Holding:
    epoch: int
    applied: int
    echo_through: int
    saved_announced: int
    reader: StreamReader | None = None


class Holdings:
    """One per lane, used by it alone."""

    def __init__(
        self,
        link: NatsLink,
        announcer: Announcer,
        streams: tuple[StreamSpec, ...],
        events: StreamSpec,
        replicas: int,
        backlog_bytes: int,
        wake: asyncio.Event,
    ) -> None:
        self._link = link
        self._announcer = announcer
        self._streams = streams
        self._events = events
        self._replicas = replicas
        self._backlog_bound = backlog_bytes
        self._backlog = 0
        self._wake = wake
        self._held: dict[int, _Holding] = {}
        self._inbox: deque[Arrival] = deque()
        self.needs_attention = True
        self.begun = 0  # how often a partition was begun: what was remembered of it may be of another owner's time

    # What the lane asks about its partitions.

    def holds(self, partition: int) -> bool:
        return partition in self._held

    def epoch(self, partition: int) -> int:
        return self._held[partition].epoch

    def saved_announced(self, partition: int) -> tuple[int, int]:
        """(epoch, stream seq) up to which the database knows of announcements."""
        holding = self._held.get(partition)
        return (0, 0) if holding is None else (holding.epoch, holding.saved_announced)

    def purgeable(self) -> dict[int, int]:
        """Stream sequence per partition up to which nothing is needed any more. Only of streams that are being read:
        what a restored one holds, and how old it is, would be purged away by an offset of another time."""
        return {
            partition: holding.saved_announced
            for partition, holding in self._held.items()
            if holding.reader is not None and holding.reader.is_sound
        }

    def expected(self, batch: Batch) -> dict[int, tuple[int, int]]:
        """Where the batch's partitions stand, as this instance believes."""
        return {partition: (self._held[partition].epoch, self._held[partition].applied) for partition in batch.reached}

    def echoed(self, batch: Batch) -> dict[int, tuple[int, int]]:
        """Positions that an announcement of only echoes reaches."""
        places = {item.place.partition: item.place.stream_seq for item in batch.items if item.echo}
        return {
            partition: (self.epoch(partition), seq)
            for partition, seq in places.items()
            if partition not in batch.reached and self.holds(partition)
        }

    def note_applied(self, reached: Mapping[int, int]) -> None:
        for partition, seq in reached.items():
            self._held[partition].applied = seq

    def note_announced(self, saved: Mapping[int, tuple[int, int]]) -> None:
        for partition, (epoch, seq) in saved.items():
            holding = self._held.get(partition)
            if holding is not None and holding.epoch == epoch:
                holding.saved_announced = seq

    # What arrives.

    def _arrived(self, partition: int, stream_seq: int, message: Message) -> None:
        data = message.data
        holding = self._held.get(partition)
        if holding is None:
            return
        self._inbox.append(Arrival(partition, stream_seq, data, echo=stream_seq <= holding.echo_through))
        self._backlog += len(data)
        self._wake.set()

    def may_read(self) -> bool:
        """Whether there is room to read ahead."""
        return self._backlog < self._backlog_bound

    def take(self) -> Arrival | None:
        """The oldest message that waits, or None."""
        if not self._inbox:
            return None
        arrival = self._inbox.popleft()
        was_full = not self.may_read()
        self._backlog -= len(arrival.data)
        BACKLOG_BYTES.set(self._backlog)
        if was_full and self.may_read():
            for holding in self._held.values():
                if holding.reader is not None:
                    holding.reader.go_on()
        return arrival

    # Taking, giving, repairing.

    async def rebalance(self, session: LedgerSession, drained: Callable[[], Awaitable[None]]) -> None:
        """Move toward the fair share, and see to it that every held partition is being read."""
        self.needs_attention = False
        plan = fair_share(session.instance, await session.holders(), len(self._streams))
        if plan.release:
            for partition in plan.release:
                self._stop_reader(partition)
            await drained()
            await session.save_announced(
                {p: position for p in plan.release if (position := self._announcer.announced.get(p)) is not None}
            )
            for partition in plan.release:
                self._forget(partition)
                await session.release(partition)
                log.info("partition released", partition=partition)
        for partition in plan.take:
            if not await session.try_take(partition):
                # Another instance was faster, and what it left is free: nobody would read it until the next look.
                self.needs_attention = True
                continue
            await self._begin(session, partition)
            log.info("partition taken", partition=partition, applied=self._held[partition].applied)
        for partition, holding in list(self._held.items()):
            if holding.reader is None or not holding.reader.check():
                READERS_RESTARTED.inc(holding.reader is not None)
                await self._begin(session, partition)
        PARTITIONS_HELD.set(len(self._held))

    async def _begin(self, session: LedgerSession, partition: int) -> None:
        """Read the partition from what is committed. What waited in the inbox is read again."""
        self._stop_reader(partition)
        self.begun += 1
        stored = await session.position(partition)
        self._held[partition] = _Holding(stored.epoch, stored.applied, stored.applied, stored.announced)
        await ensure_stream(self._link.jetstream, self._streams[partition], self._replicas)
        start = start_of(stored, await facts_of(self._link.jetstream, command_stream(partition)))
        if start.position.epoch != stored.epoch:
            await session.begin_epoch(partition, start.position)
        if start.reason is not None:
            EPOCHS_BEGUN.inc()
            log.error("new epoch", partition=partition, reason=start.reason, applied=stored.applied)
        if start.lost:
            COMMANDS_LOST.inc(start.lost)
            log.error("commands are gone from the queue", partition=partition, lost=start.lost)
        position = start.position
        reader = StreamReader(
            self._link, command_stream(partition), partial(self._arrived, partition), self.may_read, self._reader_broke
        )
        self._held[partition] = _Holding(position.epoch, position.applied, position.applied, position.announced, reader)
        self._announcer.forget(partition)
        await reader.start(start.read_from)

    def _stop_reader(self, partition: int) -> None:
        holding = self._held.get(partition)
        if holding is not None and holding.reader is not None:
            holding.reader.stop()
        self._inbox = deque(arrival for arrival in self._inbox if arrival.partition != partition)
        self._backlog = sum(len(arrival.data) for arrival in self._inbox)

    def _forget(self, partition: int) -> None:
        self._stop_reader(partition)
        self._held.pop(partition, None)
        self._announcer.forget(partition)

    def stop_reading(self) -> None:
        """Nothing more arrives; what was applied can still be announced and noted."""
        for partition in self._held:
            self._stop_reader(partition)

    def drop_all(self) -> None:
        """The session is gone, and with it every partition."""
        for partition in list(self._held):
            self._forget(partition)
        self._inbox.clear()
        self._backlog = 0
        self.needs_attention = True
        PARTITIONS_HELD.set(0)

    def stream_is_gone(self, partition: int) -> None:
        """Somebody found no stream: look at once, not after its silence."""
        holding = self._held.get(partition)
        if holding is not None and holding.reader is not None:
            holding.reader.give_up()

    def _reader_broke(self) -> None:
        self.needs_attention = True
        self._wake.set()

    async def ensure_events(self) -> None:
        """The stream of events exists: nothing can be announced without it."""
        await ensure_stream(self._link.jetstream, self._events, self._replicas)

    def link_returned(self) -> None:
        """NATS was away: consumers in memory may be gone, so look at once."""
        for holding in self._held.values():
            if holding.reader is not None:
                holding.reader.give_up()
        self._reader_broke()
