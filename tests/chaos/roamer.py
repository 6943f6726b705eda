"""A client that never stays long, over the bare protocol, with the SDK's own view of a thread.

Promises: on each socket, what comes behind `subscribed` is checked as the protocol promises it: the replay in rev order
and not beyond `throughRev`, then live events without a hole or a repetition, a hole only behind a `resync`. What is not
so is in `faults`.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any, Final

from pydantic import TypeAdapter
from websockets.exceptions import WebSocketException

from chatterbus_client.timeline import Timeline, applied_types
from chatterbus_contracts.codec import decode
from chatterbus_contracts.frames.server import Resync, Subscribed, decode_server_frame
from chatterbus_contracts.queries import ChangesPage
from tests.chaos.cluster import Cluster
from tests.kit.socket import Socket

LONGEST_STAY_S: Final = 1.5
APPLIED: Final = tuple(applied_types())
_PAGE: Final[TypeAdapter[ChangesPage]] = TypeAdapter(ChangesPage)


class Roamer:
    """`roam` until it is cancelled; `settle` makes the next stay the last one."""

    def __init__(self, cluster: Cluster, user: str, thread: str, dice: random.Random) -> None:
        self.timeline = Timeline(thread, messages_max=1_000_000)
        self.faults: list[str] = []
        self.stays = 0
        self.resyncs = 0
        self._cluster = cluster
        self._user = user
        self._thread = thread
        self._dice = dice
        self._settling = asyncio.Event()
        self._gateway = 1
        self._rev: int | None = None  # of this socket: through where everything came

    @property
    def is_level(self) -> bool:
        """Nothing is missing that it knows of."""
        return self.timeline.needs == "nothing"

    def settle(self) -> None:
        self._settling.set()

    async def roam(self) -> None:
        """Stay after stay, each at another gateway."""
        while True:
            last = self._settling.is_set()
            stay_s = None if last else self._dice.random() ** 2 * LONGEST_STAY_S
            self._gateway = 3 - self._gateway
            self.stays += 1
            try:
                async with asyncio.timeout(stay_s):
                    await self._stay()
            except (TimeoutError, OSError, WebSocketException):
                self.timeline.disconnected()

    async def _stay(self) -> None:
        stack = self._cluster.stack
        socket = await Socket.open(stack.gateway_ws(self._gateway))
        try:
            await socket.send("auth", token=stack.token(self._user))
            await socket.expect("auth_success")
            since = self.timeline.resume_rev if self.timeline.started else 0
            if not self.timeline.started:
                self._start_at_nothing()
            self._rev = None
            await socket.send("subscribe", threadId=self._thread, sinceRev=since)
            taken = 1
            while True:
                await _more(socket, taken)
                for frame in socket.history[taken:]:
                    self._take(frame)
                taken = len(socket.history)
                if self.timeline.needs == "changes":
                    await self._fetch()
        finally:
            socket._connection.transport.abort()

    def _start_at_nothing(self) -> None:
        first = {"type": "subscribed", "threadId": self._thread, "rev": 0, "throughRev": 0, "lastSeq": 0, "members": []}
        self.timeline.subscribed(Subscribed.model_validate({**first, "result": "complete"}))

    async def _fetch(self) -> None:
        self.timeline.fetching()
        params = {"sinceRev": self.timeline.resume_rev, "limit": 500}
        async with self._cluster.stack.rest(self._user, gateway=self._gateway) as client:
            answer = await client.get(f"/api/chat/threads/{self._thread}/changes", params=params)
        self.timeline.receive_page(decode(_PAGE, answer.raise_for_status().content))

    def _take(self, raw: dict[str, Any]) -> None:
        if raw["type"] not in ("subscribed", "resync") and raw.get("threadId") != self._thread:
            return
        frame = decode_server_frame(json.dumps(raw))
        if isinstance(frame, Subscribed):
            if frame.result == "reset":
                self.faults.append(f"reset at {frame.rev}: {frame.reason}")
            self._replay_through, self._rev = frame.through_rev, None if frame.result == "page" else 0
            self._replayed = 0
            self.timeline.subscribed(frame)
        elif isinstance(frame, Resync):
            self.resyncs += 1
            self._rev = None
            self.timeline.resync()
        elif isinstance(frame, APPLIED):
            self._check(frame.rev)
            self.timeline.receive(frame)

    def _check(self, rev: int) -> None:
        if rev <= self._replay_through:
            if rev < self._replayed:
                self.faults.append(f"the replay went back from {self._replayed} to {rev}")
            self._replayed = rev
            return
        last = self._replay_through if self._rev == 0 else self._rev
        if last is not None and rev != last + 1 and rev != last:
            self.faults.append(f"{'a hole' if rev > last else 'a repetition'}: {rev} behind {last}")
        if last is not None and rev == last and self._rev == 0:
            self.faults.append(f"a repetition of {rev} behind the replay")
        self._rev = rev


async def _more(socket: Socket, taken: int) -> None:
    while len(socket.history) <= taken:
        if socket.closed is not None:
            raise OSError(f"closed with {socket.closed}")
        socket._arrived.clear()
        await socket._arrived.wait()
