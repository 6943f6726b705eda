"""Pages of history at places chosen by chance, timed and checked: by the persister's reads, and over HTTP."""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx
import psycopg

from bench.past import LONG, READER, Past
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.queries import AskChanges, AskHistory
from chatterbus_persister.reads.changes import changes
from chatterbus_persister.reads.messages import history
from chatterbus_persister.store_service import prepare_connection

LIMIT: Final = 50
SEED: Final = 7


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere in a thread."""

    thread: str
    length: int
    seq: int

    @property
    def before(self) -> list[int]:
        """The seqs of a page that ends here, without this one."""
        return list(range(max(1, self.seq - LIMIT), self.seq))

    @property
    def after(self) -> list[int]:
        return list(range(self.seq + 1, min(self.length, self.seq + LIMIT) + 1))


Fetch = Callable[[Place], Awaitable[bool]]
"""Whether all of it came, and nothing else."""


def places(past: Past, count: int, *, long: bool) -> list[Place]:
    """The same for every run. In the long thread, or each in another of the short ones."""
    chance = random.Random(SEED)
    names = [name for name in past.lengths if (name == LONG) == long]
    chosen = [names[number % len(names)] for number in range(count)] if names else []
    return [Place(name, past.lengths[name], chance.randint(1, past.lengths[name])) for name in chosen]


async def timed(fetch: Fetch, at: list[Place]) -> tuple[list[float], int]:
    """(how long each took, how many were wrong)."""
    taken_s, wrong = [], 0
    for place in at:
        began = time.perf_counter()
        right = await fetch(place)
        taken_s.append(time.perf_counter() - began)
        wrong += not right
    return taken_s, wrong


class Reads:
    """What a persister does for a page, in a session like its own."""

    def __init__(self, connection: psycopg.AsyncConnection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, dsn: str) -> "Reads":
        connection = await psycopg.AsyncConnection.connect(dsn)
        await prepare_connection(connection)
        return cls(connection)

    async def close(self) -> None:
        await self._connection.close()

    def kinds(self) -> dict[str, Fetch]:
        return {"before": self.before, "after": self.after, "around": self.around, "changes": self.changes}

    async def before(self, place: Place) -> bool:
        return await self._page(place, before_seq=place.seq) == place.before

    async def after(self, place: Place) -> bool:
        return await self._page(place, after_seq=place.seq) == place.after

    async def around(self, place: Place) -> bool:
        """A jump: one page each way."""
        return await self.before(place) and await self.after(place)

    async def changes(self, place: Place) -> bool:
        """What catching up from here begins with."""
        rev = place.seq + 2
        ask = AskChanges(thread_id=ThreadId(place.thread), user_id=UserId(READER), since_rev=rev, limit=LIMIT)
        async with self._connection.transaction():
            page = await changes(self._connection, ask)
        return [item["data"]["seq"] for item in page["items"]] == place.after

    async def _page(self, place: Place, **direction: int) -> list[int]:
        ask = AskHistory(thread_id=ThreadId(place.thread), user_id=UserId(READER), limit=LIMIT, **direction)
        async with self._connection.transaction():
            page = await history(self._connection, ask)
        return [item["seq"] for item in page["items"]]


class Http:
    """What a browser waits for: gateway, queue, persister, database and back, on a connection that is open."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    def kinds(self) -> dict[str, Fetch]:
        return {"before": self.before, "after": self.after}

    async def before(self, place: Place) -> bool:
        return await self._page(place, beforeSeq=place.seq) == place.before

    async def after(self, place: Place) -> bool:
        return await self._page(place, afterSeq=place.seq) == place.after

    async def _page(self, place: Place, **direction: int) -> list[Any]:
        response = await self._client.get(
            f"/api/chat/threads/{place.thread}/messages",
            params={"limit": LIMIT, **direction},
            headers={"X-User-Id": READER, "X-User-Type": "user"},
        )
        response.raise_for_status()
        return [item["seq"] for item in response.json()["items"]]
