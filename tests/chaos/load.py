"""The base load: people who write, read and look on while the system is broken around them.

Promises: every send is in the history before it is made, and so is what came of it; the schedule does not wait for
answers, so a stall shows as late acks and not as fewer messages; who writes what where follows from the seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Coroutine
from typing import Any, Final
from uuid import uuid4

from chatterbus_client import ClientClosed, OutboxFull, Pending, Refused
from chatterbus_client.errors import Unreachable
from tests.chaos.cluster import Cluster
from tests.chaos.observer import Observer
from tests.chaos.poller import Poller
from tests.chaos.sizes import Size
from tests.kit.history import Attempt, History
from tests.kit.waiting import until

HOT_SHARE: Final = 0.3  # of all messages go to the one hot thread
MEMBERS_OF_A_THREAD: Final = 6
HOT_MEMBERS_SHARE: Final = 0.5
STRANGERS: Final = 2
READ_EVERY_S: Final = 0.5
ONLINE_WITHIN_S: Final = 60.0
ANSWERED_WITHIN_S: Final = 90.0
SAMPLE_EVERY_S: Final = 1.0


class Load:
    """`open`, `start`, the fault, `stop`, and then truth.py says what was right."""

    def __init__(self, cluster: Cluster, size: Size, seed: int) -> None:
        self.cluster = cluster
        self.size = size
        self.history = History()
        self.random = random.Random(seed)
        mark = uuid4().hex[:6]
        self.hot = f"hot-{mark}"
        self.names = [f"u{number}-{mark}" for number in range(size.clients)]
        self.stranger_names = [f"stranger{number}-{mark}" for number in range(STRANGERS)]
        self.history.members = self._memberships(mark)
        self.people: dict[str, Observer] = {}
        self.strangers: list[Observer] = []
        self.sent_at: dict[str, float] = {}
        self.stalls: dict[str, float] = {}
        self.unanswered: dict[str, Pending] = {}
        self.most: dict[str, float] = {}
        self.samples: list[tuple[float, dict[str, float]]] = []
        self.poller = Poller(cluster, self.hot, self.names[0], self.history)
        self._counters: dict[str, int] = {}
        self._orders: dict[tuple[str, str], int] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._senders: list[asyncio.Task[Any]] = []

    def _memberships(self, mark: str) -> dict[str, frozenset[str]]:
        hot = max(2, int(len(self.names) * HOT_MEMBERS_SHARE))
        threads = {self.hot: frozenset(self.names[:hot])}
        for number in range(1, self.size.threads):
            chosen = self.random.sample(self.names, min(MEMBERS_OF_A_THREAD, len(self.names)))
            threads[f"t{number}-{mark}"] = frozenset(chosen)
        return threads

    def threads_of(self, user: str) -> list[str]:
        return [thread for thread, members in self.history.members.items() if user in members]

    async def open(self) -> None:
        """Threads are made, everybody is online and follows what is theirs."""
        stack = self.cluster.stack
        for thread, members in self.history.members.items():
            owner, *others = sorted(members)
            await stack.create_thread(thread, owner, *others)
        self.people = {
            name: self._observer(name, auto_deliver=number % 10 == 0) for number, name in enumerate(self.names)
        }
        self.strangers = [self._observer(name) for name in self.stranger_names]
        for person in (*self.people.values(), *self.strangers):
            await person.__aenter__()
            self._run(person.look_at_people())
        await asyncio.gather(*(self._settle_in(person) for person in self.people.values()))
        for stranger in self.strangers:
            self._run(stranger.try_the_door(self.hot))
        self._run(self.poller.poll())
        self._run(self._sample())

    def start(self) -> None:
        """Writing and reading begin."""
        self._senders = [self._run(self._write(self.size.rate)), self._run(self._read())]

    async def stop(self) -> float:
        """Writing ends; return when everything is answered, or not within ANSWERED_WITHIN_S. The seconds it took."""
        for task in self._senders:
            task.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        began = time.monotonic()
        with contextlib.suppress(AssertionError):
            await until(lambda: not self.unanswered, ANSWERED_WITHIN_S, "everything sent is answered")
        return time.monotonic() - began

    async def close(self) -> None:
        """Everybody leaves."""
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        people = [*self.people.values(), *self.strangers]
        await asyncio.gather(*(person.close() for person in people))
        for result in results:
            if isinstance(result, Exception):
                raise result

    def send(self, user: str, thread: str) -> str | None:
        """Post one message, and write down what comes of it. The value, None when the outbox is full."""
        self._counters[user] = counter = self._counters.get(user, 0) + 1
        self._orders[user, thread] = order = self._orders.get((user, thread), 0) + 1
        value = f"{user}-{counter}"
        now = time.monotonic()
        try:
            pending = self.people[user].post(thread, value, client_message_id=value)
        except OutboxFull:
            return None
        self.history.attempts.append(Attempt(value, user, thread, order, "invoke", now))
        self.sent_at[value] = now
        self.unanswered[value] = pending
        self._run(self._await(pending, value, user, thread, order))
        return value

    async def _await(self, pending: Pending, value: str, user: str, thread: str, order: int) -> None:
        seq: int | None = None
        try:
            seq = (await pending).seq
            outcome = "ok"
        except Refused as refused:
            outcome = "fail" if refused.fate == "rejected" and not refused.retryable else "info"
        except ClientClosed:
            outcome = "info"
        now = time.monotonic()
        self.history.attempts.append(Attempt(value, user, thread, order, outcome, now, seq))  # type: ignore[arg-type]
        self.stalls[value] = now - self.sent_at[value]
        if outcome != "info":
            self.unanswered.pop(value, None)

    async def _write(self, rate: float) -> None:
        loop = asyncio.get_running_loop()
        began, count = loop.time(), 0
        others = [thread for thread in self.history.members if thread != self.hot]
        while True:
            hot = not others or self.random.random() < HOT_SHARE
            thread = self.hot if hot else self.random.choice(others)
            self.send(self.random.choice(sorted(self.history.members[thread])), thread)
            count += 1
            await asyncio.sleep(max(0.0, began + count / rate - loop.time()))

    async def _read(self) -> None:
        while True:
            person = self.random.choice(list(self.people.values()))
            if person.threads_seen:
                thread = self.random.choice(list(person.threads_seen.values()))
                with contextlib.suppress(Refused, Unreachable):
                    await thread.mark_read()
            await asyncio.sleep(READ_EVERY_S)

    async def _sample(self) -> None:
        while True:
            now = self.cluster.usage.processes()
            self.samples.append((time.monotonic(), now))
            for name, value in now.items():
                self.most[name] = max(value, self.most.get(name, 0.0))
            await asyncio.sleep(SAMPLE_EVERY_S)

    async def _settle_in(self, person: Observer) -> None:
        await person.wait_online(ONLINE_WITHIN_S)
        for thread in self.threads_of(person.user):
            await person.enter(thread)

    def _observer(self, user: str, *, auto_deliver: bool = False) -> Observer:
        token = self.cluster.stack.token(user, ttl_s=86_400)
        return Observer(self.cluster.url, user, token, self.history, auto_deliver=auto_deliver)

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and task.exception() is None:
            self._tasks.discard(task)  # a defect of the harness stays, to be raised by `close`
