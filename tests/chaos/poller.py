"""A reader that asks for `rev > r` again and again: whoever polls must see every row (C4)."""

from __future__ import annotations

import asyncio
from typing import Final

import httpx

from tests.chaos.cluster import Cluster
from tests.kit.history import History

PAUSE_S: Final = 0.1
DEADLINE_S: Final = 10.0


class Poller:
    """Of one thread, through the balancer."""

    def __init__(self, cluster: Cluster, thread: str, user: str, history: History) -> None:
        self._path = f"/api/chat/threads/{thread}/changes"
        self._seen = history.polled.setdefault(thread, [])
        self._http = (cluster.url, {"Authorization": f"Bearer {cluster.stack.token(user, ttl_s=86_400)}"})
        self.rev = 0
        self.failures = 0

    async def poll(self) -> None:
        """For ever."""
        url, headers = self._http
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=DEADLINE_S) as client:
            while True:
                await self._ask(client)
                await asyncio.sleep(PAUSE_S)

    async def _ask(self, client: httpx.AsyncClient) -> None:
        try:
            answer = await client.get(self._path, params={"sinceRev": self.rev, "limit": 200})
        except httpx.HTTPError:
            self.failures += 1
            return
        if not answer.is_success:
            self.failures += 1
            return
        page = answer.json()
        self._seen += [item["rev"] for item in page["items"] if item["type"].startswith("message")]
        self.rev = page["throughRev"]
