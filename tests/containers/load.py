"""People who write through a gateway while something is being killed, and what became of their messages.

Promises: a message is sent again, under its own id, until it is answered; so in the end each was stored exactly once,
with the seq that its ack named, in the order in which its sender wrote, and seqs have no holes.
"""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

import httpx
import jwt

WRITERS = 4
ANSWER_S = 5.0
PAUSE_S = 0.02
AGAIN_S = 0.2
PAGE = 200


class Load:
    """`async with` it. Each writer has a thread of its own and writes one message after the other."""

    def __init__(self, url: str, jwt_secret: str) -> None:
        self._url = url
        self._secret = jwt_secret
        self._mark = uuid4().hex[:8]
        self._ended = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.acked: dict[str, list[tuple[str, int]]] = {}
        self.longest_wait_s = 0.0

    @property
    def count(self) -> int:
        """Messages acked so far."""
        return sum(len(acks) for acks in self.acked.values())

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._write(f"{self._mark}-{number}")) for number in range(WRITERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended.set()
        await asyncio.gather(*self._tasks)

    def _client(self, user: str) -> httpx.AsyncClient:
        token = jwt.encode({"sub": user, "exp": int(time.time()) + 3600}, self._secret, algorithm="HS256")
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.AsyncClient(base_url=self._url, headers=headers, timeout=ANSWER_S)

    async def _write(self, thread: str) -> None:
        acks = self.acked.setdefault(thread, [])
        async with self._client(f"writer-{thread}") as client:
            await self._until_done(client, "/api/chat/threads", {"id": thread, "members": []}, (201, 409))
            while not self._ended.is_set():
                name = uuid4().hex
                body = {"threadId": thread, "content": name, "clientMessageId": name}
                began = time.monotonic()
                answer = await self._until_done(client, "/api/chat/messages", body, (200, 201))
                self.longest_wait_s = max(self.longest_wait_s, time.monotonic() - began)
                acks.append((name, answer.json()["seq"]))
                await asyncio.sleep(PAUSE_S)

    async def _until_done(
        self, client: httpx.AsyncClient, path: str, body: dict[str, object], done: tuple[int, ...]
    ) -> httpx.Response:
        while True:
            try:
                answer = await client.post(path, json=body)
            except httpx.HTTPError:
                await asyncio.sleep(AGAIN_S)
                continue
            if answer.status_code in done:
                return answer
            assert answer.status_code == 202 or answer.json().get("retryable"), answer.text
            await asyncio.sleep(AGAIN_S)

    async def check(self) -> None:
        """After the block: compare what is stored with what was acked."""
        for thread, acks in self.acked.items():
            async with self._client(f"writer-{thread}") as client:
                stored = await self._history(client, thread)
            assert [(message["content"], message["seq"]) for message in stored] == acks, thread
            assert [seq for _, seq in acks] == list(range(1, len(acks) + 1)), thread

    async def _history(self, client: httpx.AsyncClient, thread: str) -> list[dict[str, object]]:
        messages: list[dict[str, object]] = []
        after = "0"
        while True:
            query = {"afterSeq": after, "limit": PAGE}
            page = (await client.get(f"/api/chat/threads/{thread}/messages", params=query)).raise_for_status().json()
            messages += page["items"]
            if page["nextCursor"] is None:
                return messages
            after = page["nextCursor"]
