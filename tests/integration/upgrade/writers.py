"""People who write all the time, one message after the other, whatever happens to the gateways.

Promises: a message is said again under its clientMessageId until it is acked as sent, on any gateway that takes a
connection; the next one comes after that. So what is stored must be c0, c1, c2 ... of each writer, each once, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.kit.socket import Socket

AWAY: Final = (OSError, TimeoutError, AssertionError, ConnectionClosed, InvalidHandshake)
RETRY_S: Final = 0.05
PACE_S: Final = 0.02


class Writer:
    """`doors` gives the addresses that there are at the moment. `acked` holds the seq of c0, c1 ..."""

    def __init__(self, user: str, thread: str, doors: Callable[[], list[str]]) -> None:
        self.user = user
        self.thread = thread
        self.acked: list[int] = []
        self.connections = 0
        self._doors = doors
        self._stopping = False

    def stop(self) -> None:
        """After the message at hand."""
        self._stopping = True

    async def write(self) -> None:
        while not self._stopping:
            try:
                await self._converse()
            except AWAY:
                await asyncio.sleep(RETRY_S)

    async def _converse(self) -> None:
        doors = self._doors()
        self.connections += 1
        socket = await Socket.join(
            doors[self.connections % len(doors)], thread=self.thread, userId=self.user, userType="user"
        )
        try:
            while not self._stopping:
                mark = f"c{len(self.acked)}"
                ack = await socket.say(self.thread, f"{self.user} says {mark}", mark)
                self.acked.append(int(ack["seq"]))
                socket.frames.clear()
                await asyncio.sleep(PACE_S)
        finally:
            with contextlib.suppress(*AWAY):
                await socket.close()
