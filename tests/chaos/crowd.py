"""Senders at the queue, as a gateway would speak for them: parcels in, answers out, and a history of both.

Promises: a sender's parcels are published one after the other, each again until the queue has it; a value that is not
answered within `again_after_s` is sent once more under its clientMessageId, as a client would. With `window` 1 a
sender waits for each ack before its next message, so that its order holds whatever is lost and sent again.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from chatterbus_contracts.commands import Command, encode_command, encode_parcel
from chatterbus_contracts.ids import GatewayId, ThreadId
from chatterbus_contracts.subjects import command_subject, partition_of
from chatterbus_runtime.jetstream_publisher import PubAck
from chatterbus_runtime.link_errors import LinkError
from tests.chaos.rig import Rig
from tests.kit.history import Attempt, History, Stored
from tests.kit.ledger_commands import GATEWAY, create, send
from tests.kit.ledger_fake import PARTITIONS
from tests.kit.waiting import until

LOOK_S: Final = 0.02
PUBLISH_AGAIN_S: Final = 0.1
POLL_S: Final = 0.05
FRESH_SHARE: Final = 0.1  # of parcels that also open a thread: their transaction has several statements
STORED: Final = "SELECT thread_id, seq, rev, sender_id, client_message_id FROM messages ORDER BY thread_id, seq"
POISON: Final = "poison"
THREADS: Final = {partition_of(ThreadId(f"t{n}"), PARTITIONS): f"t{n}" for n in range(40)}


@dataclass(slots=True)
class Value:
    """A message somebody means to send; `commands` are all the times it was."""

    name: str
    thread: str
    sender: str
    order: int
    sent_at: float
    commands: list[Command] = field(default_factory=list)
    acked_at: float | None = None


class Crowd:
    """Made, `open`ed, `start`ed, `stop`ped; then `history` says what happened."""

    def __init__(
        self,
        rig: Rig,
        seed: int,
        *,
        senders: int = 8,
        window: int = 12,
        pause_s: float = 0.05,
        again_after_s: float | None = None,
        fresh_threads: bool = True,
    ) -> None:
        self.rig = rig
        self.random = random.Random(seed)
        self.senders = [f"w{number}" for number in range(senders)]
        self.window = window
        self.pause_s = pause_s
        self.again_after_s = again_after_s
        self.values: dict[str, Value] = {}
        self.poison = 0
        self.poison_share = 0.0
        self.polled: dict[str, list[int]] = {}
        self.publish_failures = 0
        self._fresh = FRESH_SHARE if fresh_threads else 0.0
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._polling: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """One thread in each partition, with everybody in it."""
        first, *others = self.senders
        for thread in THREADS.values():
            await self.rig.sender.ask(create(thread, first, *others))

    def adopt(self, name: str, thread: str, sender: str, order: int) -> Value:
        """A value that somebody else sends."""
        value = self.values[name] = Value(name, thread, sender, order, time.monotonic())
        return value

    def send_later(self, values: list[Value]) -> None:
        """Adopted ones, as soon as the queue takes them: nobody knows what became of them."""
        self._tasks.append(asyncio.create_task(self._publish([self._command(value) for value in values])))

    def start(self) -> None:
        self._stopping = False
        self._tasks = [asyncio.create_task(self._work(number)) for number in range(len(self.senders))]
        self._polling = asyncio.create_task(self._poll())

    async def stop(self, within_s: float = 60.0) -> None:
        """No new values; every one that was begun is answered."""
        self._stopping = True
        try:
            async with asyncio.timeout(within_s):
                await asyncio.gather(*self._tasks)
        except TimeoutError:
            print("never answered:", sorted(self.unanswered)[:12], flush=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._polling is not None:
            await until(lambda: self._answered_by_poll(), within_s, "the poller has all")
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)

    # --- what is known -----------------------------------------------------------------------------------------------

    def answers(self, value: Value) -> list[dict[str, Any]]:
        """Every answer to every command of it."""
        return [answer for command in value.commands for answer in self.rig.sender.answers.get(command.id, ())]

    @property
    def acked(self) -> int:
        """Values that were answered with an ack."""
        self._look()
        return sum(value.acked_at is not None for value in self.values.values())

    @property
    def unanswered(self) -> set[str]:
        return {name for name, value in self.values.items() if not self.answers(value)}

    @property
    def worst_stall_s(self) -> float:
        """From the first send of a value to its first answer."""
        now = time.monotonic()
        return max(((value.acked_at or now) - value.sent_at for value in self.values.values()
                    if POISON not in value.name), default=0.0)  # fmt: skip

    def codes_of(self, mark: str) -> str:
        """The codes of all errors that answered values of such a name."""
        marked = [value for name, value in self.values.items() if mark in name]
        return ", ".join(sorted({one["code"] for value in marked for one in self.answers(value) if "code" in one}))

    async def until_acked(self, more: int, within_s: float = 30.0) -> None:
        """So many more are acked than now."""
        goal = self.acked + more
        await until(lambda: self.acked >= goal, within_s, f"{more} more are acked")

    async def history(self) -> History:
        """All of it, with what PostgreSQL holds."""
        history = History(polled={thread: revs for thread, revs in self.polled.items() if thread in THREADS.values()})
        for value in self.values.values():
            about = (value.name, value.sender, value.thread, value.order)
            history.attempts.append(Attempt(*about, "invoke", value.sent_at))
            for answer in self.answers(value):
                if answer["type"] == "message_ack":
                    history.attempts.append(Attempt(*about, "ok", value.acked_at or 0.0, answer["seq"]))
                else:
                    fate = "fail" if answer["fate"] == "rejected" and len(value.commands) == 1 else "info"
                    history.attempts.append(Attempt(*about, fate, 0.0))
        for thread, seq, rev, sender, name in await self.rig.sql(STORED):
            history.stored.append(Stored(name, thread, seq, rev, f"{thread}~{seq}", sender))
        return history

    # --- work --------------------------------------------------------------------------------------------------------

    async def _work(self, number: int) -> None:
        sender, rng = self.senders[number], random.Random(self.random.random())
        home = list(THREADS.values())[number % len(THREADS)]
        pending: list[Value] = []
        count = 0
        while not self._stopping:
            while len(pending) >= self.window and not self._stopping:
                await self._look_after(pending)
            size = min(rng.randint(1, 5), self.window)
            fresh = rng.random() < self._fresh
            thread = f"{home}-{sender}-{count}" if fresh else home
            if fresh and partition_of(ThreadId(thread), PARTITIONS) != partition_of(ThreadId(home), PARTITIONS):
                thread, fresh = home, False
            values = [self._value(thread, sender, count + n, rng) for n in range(size)]
            count += size
            commands: list[Command] = [create(thread, sender)] if fresh else []
            await self._publish([*commands, *(self._command(value) for value in values)])
            pending += values
            await asyncio.sleep(self.pause_s * rng.uniform(0.2, 1.8))
        while pending:
            await self._look_after(pending)

    def _value(self, thread: str, sender: str, order: int, rng: random.Random) -> Value:
        poisoned = rng.random() < self.poison_share
        name = f"{sender}-{order}" + (f"-{POISON}" if poisoned else "")
        self.poison += poisoned
        value = self.values[name] = Value(name, thread, sender, order, time.monotonic())
        return value

    def _command(self, value: Value) -> Command:
        command = send(value.thread, value.sender, value.name, value.name)
        value.commands.append(command)
        return command

    async def _publish(self, commands: list[Command]) -> None:
        subject = command_subject(partition_of(commands[0].thread_id, PARTITIONS), GatewayId(GATEWAY))
        parcel = encode_parcel([encode_command(command) for command in commands])
        while True:
            try:
                outcome = await self.rig.sender.publisher.publish_wait(subject, parcel, message_id=commands[0].id)
            except LinkError:
                outcome = None
            if isinstance(outcome, PubAck):
                return
            self.publish_failures += 1
            await asyncio.sleep(PUBLISH_AGAIN_S)

    async def _look_after(self, pending: list[Value]) -> None:
        """Drop what is answered, send again what is late."""
        await asyncio.sleep(LOOK_S)
        self._look()
        for value in list(pending):
            if value.acked_at is not None or (POISON in value.name and self.answers(value)):
                pending.remove(value)
            elif self.again_after_s and time.monotonic() - value.sent_at > self.again_after_s * len(value.commands):
                await self._publish([self._command(value)])

    def _look(self) -> None:
        now = time.monotonic()
        for value in self.values.values():
            if value.acked_at is None and any(one["type"] == "message_ack" for one in self.answers(value)):
                value.acked_at = now

    # --- the poller --------------------------------------------------------------------------------------------------

    async def _poll(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self.rig.postgres.dsn, autocommit=True, connect_timeout=5
                ) as connection:
                    while True:
                        await self._poll_once(connection)
                        await asyncio.sleep(POLL_S)
            except psycopg.OperationalError:
                await asyncio.sleep(POLL_S)

    async def _poll_once(self, connection: psycopg.AsyncConnection) -> None:
        for thread in THREADS.values():
            seen = self.polled.setdefault(thread, [])
            cursor = await connection.execute(
                "SELECT rev FROM messages WHERE thread_id = %s AND rev > %s ORDER BY rev",
                (thread, seen[-1] if seen else 0),
            )
            seen += [rev for (rev,) in await cursor.fetchall()]

    async def _answered_by_poll(self) -> bool:
        rows = await self.rig.sql("SELECT thread_id, max(rev) FROM messages GROUP BY 1")
        return all((self.polled.get(name) or [0])[-1] >= rev for name, rev in rows if name in THREADS.values())
