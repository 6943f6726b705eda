"""A running system as the tests see it."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt

from bench.stack import Stack
from tests.kit.socket import Socket
from tests.kit.waiting import until

REQUEST_DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where it listens, how to speak for a user, and (for tests that break it) its processes."""

    stack: Stack
    folder: Path

    @property
    def url(self) -> str:
        return self.stack.url

    @property
    def ws(self) -> str:
        return self.stack.ws

    @property
    def gateways(self) -> list[str]:
        """The URL of each gateway; the first one is `url`."""
        urls: list[str] = self.stack.ready["gateways"]
        return urls

    def gateway(self, number: int) -> str:
        """The URL of gateway `number` (from 1, as in its name). Where there are fewer, counting starts again."""
        return self.gateways[(number - 1) % len(self.gateways)]

    def gateway_ws(self, number: int) -> str:
        """Where gateway `number` takes sockets."""
        return self.gateway(number).replace("http", "ws", 1) + "/ws"

    def pid(self, name: str) -> int:
        """A process by its name in `up`, as of now."""
        return self.stack.pids[name]

    def came_back(self, name: str, former_pid: int) -> bool:
        """Whether `up` has started the process anew (while it is down it has no pid)."""
        return self.stack.pids.get(name) not in (None, former_pid)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a process by its name in `up`."""
        os.kill(self.pid(name), number)

    def token(self, user: str, *, ttl_s: int = 3_600, **claims: Any) -> str:
        """A token as the embedding product mints it."""
        secret = Path(self.stack.ready["jwtSecretFile"]).read_text().strip()
        return jwt.encode({"sub": user, "exp": int(time.time()) + ttl_s, **claims}, secret, algorithm="HS256")

    async def is_ready(self, number: int) -> bool:
        """Whether gateway `number` takes connections."""
        async with httpx.AsyncClient(timeout=1) as client:
            try:
                return (await client.get(f"{self.gateway(number)}/readyz")).is_success
            except httpx.HTTPError:
                return False

    async def join(self, user: str, thread: str | None = None, *, gateway: int = 1, **claims: Any) -> Socket:
        """A socket that authenticated with a token."""
        return await Socket.join(self.gateway_ws(gateway), thread=thread, token=self.token(user, **claims))

    async def join_dev(self, user: str, thread: str | None = None) -> Socket:
        """A socket in development mode, without a token."""
        return await Socket.join(self.ws, thread=thread, userId=user, userType="user")

    def rest(self, user: str, *, gateway: int = 1, **claims: Any) -> httpx.AsyncClient:
        """A REST client that speaks for a user."""
        return httpx.AsyncClient(
            base_url=self.gateway(gateway),
            headers={"Authorization": f"Bearer {self.token(user, **claims)}"},
            timeout=REQUEST_DEADLINE_S,
        )

    async def create_thread(self, thread: str, owner: str, *members: str) -> dict[str, Any]:
        """A thread whose members are known; strangers stay outside."""
        async with self.rest(owner) as client:
            body = {"id": thread, "members": [{"userId": member} for member in members]}
            response = await client.post("/api/chat/threads", json=body)
        assert response.status_code == 201, response.text
        created: dict[str, Any] = response.json()
        return created

    async def history(self, thread: str, user: str) -> list[dict[str, Any]]:
        """All messages, page by page; asked again while the store is being replaced."""
        messages: list[dict[str, Any]] = []
        after = "0"
        async with self.rest(user) as client:
            while True:
                page = await self._page(client, thread, after)
                messages += page["items"]
                if page["nextCursor"] is None:
                    return messages
                after = page["nextCursor"]

    async def _page(self, client: httpx.AsyncClient, thread: str, after: str) -> dict[str, Any]:
        answers: list[httpx.Response] = []

        async def answered() -> bool:
            url = f"/api/chat/threads/{thread}/messages"
            answers.append(await client.get(url, params={"afterSeq": after, "limit": 200}))
            return answers[-1].status_code != httpx.codes.SERVICE_UNAVAILABLE

        await until(answered, REQUEST_DEADLINE_S, "the store answers")
        page: dict[str, Any] = answers[-1].raise_for_status().json()
        return page

    def arm(self, failpoint: str) -> Path:
        """Kill the persister with SIGKILL when it next comes by. The file is gone when that has happened."""
        trigger = self.folder / "failpoints" / failpoint
        trigger.touch()
        return trigger
