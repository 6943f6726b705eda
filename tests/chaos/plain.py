"""Sockets without our SDK, that come back when they are closed and remember how they were closed."""

from __future__ import annotations

import asyncio
from typing import Final

from websockets.exceptions import WebSocketException

from tests.chaos.cluster import Cluster
from tests.kit.socket import Socket

AGAIN_AFTER_S: Final = 0.3


class PlainFollowers:
    """`count` sockets of one user in one thread."""

    def __init__(self, cluster: Cluster, thread: str, user: str, count: int) -> None:
        self._cluster = cluster
        self._thread = thread
        self._user = user
        self._count = count
        self._tasks: list[asyncio.Task[None]] = []
        self.codes: list[int] = []

    async def open(self) -> None:
        first = [await self._join() for _ in range(self._count)]
        self._tasks = [asyncio.create_task(self._stay(socket)) for socket in first]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _join(self) -> Socket:
        ws = f"{self._cluster.url.replace('http', 'ws', 1)}/ws"
        return await Socket.join(ws, thread=self._thread, token=self._cluster.stack.token(self._user))

    async def _stay(self, socket: Socket) -> None:
        while True:
            try:
                self.codes.append(await socket.expect_close(within_s=3_600))
            except asyncio.CancelledError:
                await socket.close()
                raise
            while True:
                await asyncio.sleep(AGAIN_AFTER_S)
                try:
                    socket = await self._join()
                    break
                except (OSError, AssertionError, TimeoutError, WebSocketException):
                    continue
