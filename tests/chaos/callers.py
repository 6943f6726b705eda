"""Senders at the gateways of a rig: Python SDK clients, who send again by themselves until they have an ack.

Promises: what Crowd promises of its history; who writes what where follows from the seed. At the end each one's view of
its thread is part of the history.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Final

from chatterbus_client import Client, ClientClosed, ClientSettings, Pending, Refused, Thread
from tests.chaos.crowd import THREADS, Crowd, Value
from tests.chaos.door import Door
from tests.chaos.rig import Rig
from tests.kit.history import History
from tests.kit.waiting import until

ONLINE_WITHIN_S: Final = 30.0
ANSWERED_WITHIN_S: Final = 150.0  # of a thread one message is on its way at a time, and each may first be TIMEOUT
SEEN_WITHIN_S: Final = 45.0  # a silent gap is found by the position check within 30 s
SETTINGS: Final = ClientSettings(reconnect_initial_s=0.3, reconnect_maximum_s=2.0, thread_messages_max=100_000)


class Callers(Crowd):
    """Each writes every `pause_s` into the thread of its partition, and does not wait for answers."""

    def __init__(self, rig: Rig, doors: Sequence[Door], seed: int, *, callers: int = 4, pause_s: float = 0.1) -> None:
        super().__init__(rig, seed, senders=callers, pause_s=pause_s)
        self.in_order = True  # whether a sender's order is part of the history
        self._doors = doors
        self._heard: dict[str, list[dict[str, Any]]] = {}
        self._stack = AsyncExitStack()
        self._clients: list[Client] = []
        self._views: list[Thread] = []

    async def open(self) -> None:
        """Everybody is online and follows a thread."""
        await super().open()
        for number, user in enumerate(self.senders):
            door = self._doors[number % len(self._doors)]
            client = Client(door.url, user_id=user, settings=SETTINGS)
            self._clients.append(await self._stack.enter_async_context(client))
            await client.wait_online(ONLINE_WITHIN_S)
            self._views.append(await client.thread(self._home(number)))

    async def stop(self, within_s: float = ANSWERED_WITHIN_S) -> None:
        await super().stop(within_s)

    async def close(self) -> None:
        """Everybody leaves."""
        await self._stack.aclose()

    def answers(self, value: Value) -> list[dict[str, Any]]:
        return self._heard.get(value.name, [])

    async def history(self) -> History:
        """With what everybody sees, once that is the last message."""
        history = await super().history()
        last = {message.thread: message.seq for message in sorted(history.stored, key=lambda one: one.seq)}
        seen = lambda: all(view.last_seq >= last.get(view.id, 0) for view in self._views)  # noqa: E731
        await until(seen, SEEN_WITHIN_S, "every view is complete")
        if not self.in_order:
            history.attempts = [replace(attempt, client=attempt.value) for attempt in history.attempts]
        for user, view in zip(self.senders, self._views, strict=True):
            history.views[user, view.id] = [message.content for message in view.messages]
        return history

    def _home(self, number: int) -> str:
        return list(THREADS.values())[number % len(THREADS)]

    async def _work(self, number: int) -> None:
        sender, rng = self.senders[number], random.Random(self.random.random())
        listening: set[asyncio.Task[None]] = set()
        before = sum(value.sender == sender for value in self.values.values())
        while not self._stopping:
            value = self._value(self._home(number), sender, before + len(listening), rng)
            pending = self._clients[number].post(value.thread, value.name, client_message_id=value.name)
            listening.add(asyncio.create_task(self._listen(value.name, pending)))
            await asyncio.sleep(self.pause_s * rng.uniform(0.2, 1.8))
        await asyncio.gather(*listening)

    async def _listen(self, name: str, pending: Pending) -> None:
        try:
            answer: dict[str, Any] = {"type": "message_ack", "seq": (await pending).seq}
        except Refused as refused:
            answer = {"type": "error", "fate": refused.fate, "code": refused.code}
        except ClientClosed:
            return
        self._heard.setdefault(name, []).append(answer)
        self._look()
