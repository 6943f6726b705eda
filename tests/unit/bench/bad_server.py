"""A server with the bench's frames in memory, which does one thing wrong once, on demand."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any

from websockets.asyncio.server import ServerConnection, serve


class Wrong(StrEnum):
    """What happens to the fifth message of a thread."""

    NOTHING = "nothing"
    NOT_DELIVERED = "not delivered"
    DELIVERED_TWICE = "delivered twice"
    OVERTAKEN = "overtaken"
    NOT_ANSWERED = "not answered"


FIFTH = 5


class BadServer:
    """Numbers the messages of each thread; sends each to all who follow it, then the ack."""

    def __init__(self, wrong: Wrong) -> None:
        self._wrong = wrong
        self._followers: dict[str, list[ServerConnection]] = defaultdict(list)
        self._came: dict[str, int] = defaultdict(int)
        self._seqs: dict[str, int] = defaultdict(int)
        self._held: dict[str, dict[str, Any]] = {}

    async def handle(self, socket: ServerConnection) -> None:
        async for text in socket:
            frame = json.loads(text)
            if frame["type"] == "auth":
                self._followers[frame["threadId"]].append(socket)
                await socket.send('{"type":"subscribed"}')
            else:
                await self._take(socket, frame)

    async def _take(self, socket: ServerConnection, frame: dict[str, Any]) -> None:
        thread = frame["threadId"]
        self._came[thread] += 1
        wrong = self._wrong if self._came[thread] == FIFTH else Wrong.NOTHING
        if wrong is Wrong.OVERTAKEN:
            self._held[thread] = frame
            return
        await self._store(socket, frame, wrong)
        if thread in self._held:
            await self._store(socket, self._held.pop(thread), Wrong.NOTHING)

    async def _store(self, socket: ServerConnection, frame: dict[str, Any], wrong: Wrong) -> None:
        thread, name = frame["threadId"], frame["clientMessageId"]
        self._seqs[thread] += 1
        seq = self._seqs[thread]
        event = _text({"type": "message", "data": {"clientMessageId": name, "seq": seq}})
        times = {Wrong.NOT_DELIVERED: 0, Wrong.DELIVERED_TWICE: 2}.get(wrong, 1)
        for follower in self._followers[thread]:
            for _ in range(times):
                await follower.send(event)
        if wrong is not Wrong.NOT_ANSWERED:
            await socket.send(_text({"type": "message_ack", "clientMessageId": name, "seq": seq, "status": "sent"}))


def _text(frame: dict[str, Any]) -> str:
    return json.dumps(frame, separators=(",", ":"))


@asynccontextmanager
async def bad_server(wrong: Wrong) -> AsyncIterator[str]:
    """Its address."""
    async with serve(BadServer(wrong).handle, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"
