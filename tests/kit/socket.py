"""A plain WebSocket client that knows nothing of our SDK: JSON out, JSON in, with deadlines.

Frames are kept in the order of their arrival; `expect` takes the first one that matches and leaves the others.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Frame = dict[str, Any]

DEADLINE_S: Final = 10.0


class Socket:
    """One connection."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._arrived = asyncio.Event()
        self.frames: list[Frame] = []
        self.history: list[Frame] = []
        self.closed: tuple[int, str] | None = None
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, ws: str, **options: Any) -> Socket:
        """Connect only."""
        return cls(await connect(ws, open_timeout=DEADLINE_S, max_size=None, **options))

    @classmethod
    async def join(cls, ws: str, *, thread: str | None = None, **auth: Any) -> Socket:
        """Connect, authenticate, and follow `thread`."""
        socket = await cls.open(ws)
        await socket.send("auth", **auth, **({"threadId": thread} if thread else {}))
        await socket.expect("auth_success")
        if thread:
            await socket.expect("subscribed")
        return socket

    async def send(self, kind: str, **fields: Any) -> None:
        await self.send_text(json.dumps({"type": kind, **fields}))

    async def send_text(self, text: str | bytes) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self._connection.send(text)

    async def say(self, thread: str, content: str, client_message_id: str | None = None) -> Frame:
        """Send a message and return its ack with status sent."""
        named = {"clientMessageId": client_message_id} if client_message_id else {}
        await self.send("message", threadId=thread, content=content, **named)
        return await self.expect(
            "message_ack",
            lambda f: f["status"] == "sent" and client_message_id in (None, f["clientMessageId"]),
        )

    async def expect(
        self, kind: str, matches: Callable[[Frame], bool] = lambda _frame: True, within_s: float = DEADLINE_S
    ) -> Frame:
        """The first frame of this type that matches; it is taken out of `frames`."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    for frame in self.frames:
                        if frame["type"] == kind and matches(frame):
                            self.frames.remove(frame)
                            return frame
                    assert self.closed is None, f"closed with {self.closed} before {kind}; got {self.frames}"
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise AssertionError(f"no {kind} within {within_s} s; got {self.frames}") from None

    async def expect_close(self, within_s: float = DEADLINE_S) -> int:
        """The close code."""
        async with asyncio.timeout(within_s):
            await asyncio.shield(self._reader)
        assert self.closed is not None
        return self.closed[0]

    async def close(self) -> None:
        await self._connection.close()
        await self._reader

    async def _read(self) -> None:
        try:
            async for text in self._connection:
                frame = json.loads(text)
                self.frames.append(frame)
                self.history.append(frame)
                self._arrived.set()
        except ConnectionClosed:
            pass
        self.closed = (self._connection.close_code or 1006, self._connection.close_reason or "")
        self._arrived.set()
