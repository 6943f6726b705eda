"""Asks the store anew who is a member of a thread whose member set may be wrong: an event of a removal may be lost.

Promises: after a doubt, the members are read once more, on behalf of somebody who follows the thread here, at most
ASKED_AT_A_TIME threads at once; repeated with backoff while the store does not answer, for as long as anybody follows.
Doubts of a thread that wait are one; one that comes while its question is under way causes another. Nobody waits for
it: until the answer the set is used as it is.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from chatterbus_contracts.codec import DecodeError, Wire
from chatterbus_contracts.errors import Refusal
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.queries import AskSync
from chatterbus_gateway.presence.watches import Watcher
from chatterbus_gateway.sync_reply import SyncReply
from chatterbus_runtime.backoff import Backoff

log: Final = structlog.stdlib.get_logger(__name__)

ASKED_AT_A_TIME: Final = 4
BACKOFF_S: Final = (0.1, 2.0)


class Asks(Protocol):
    """The part of Store that is needed here."""

    async def ask(self, query_name: str, question: Wire) -> bytes: ...


class MemberCheck:
    """One per gateway. `followers` tells who follows a thread now; `on_read` takes (thread, rev, members) and says
    whether that was new enough."""

    def __init__(
        self,
        store: Asks,
        followers: Callable[[ThreadId], list[Watcher]],
        on_read: Callable[[ThreadId, int, list[UserId]], bool],
    ) -> None:
        self._store = store
        self._followers = followers
        self._on_read = on_read
        self._doubted: dict[ThreadId, int] = {}  # and how often it was asked about in vain
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        """Threads that wait for their question."""
        return len(self._doubted)

    def doubt(self, thread_id: ThreadId) -> None:
        """Its member set may be wrong."""
        self._doubted.setdefault(thread_id, 0)
        if len(self._tasks) < min(ASKED_AT_A_TIME, len(self._doubted)):
            task = self._loop.create_task(self._ask_all(), name="member check")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop asking."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask_all(self) -> None:
        backoff = Backoff(BACKOFF_S[0], 2.0, BACKOFF_S[1], 0.5, random.random)
        while self._doubted:
            thread_id = next(iter(self._doubted))
            tries = self._doubted.pop(thread_id)
            if await self._settled(thread_id, tries):
                backoff.reset()
            else:
                self._doubted.setdefault(thread_id, tries + 1)
                await asyncio.sleep(backoff.next_s())

    async def _settled(self, thread_id: ThreadId, tries: int) -> bool:
        users = list(dict.fromkeys(follower.user_id for follower in self._followers(thread_id)))
        if not users:
            return True  # the next subscribe reads the members
        asker = users[tries % len(users)]  # who is refused may be removed; another knows
        reply = SyncReply()
        try:
            reply.add(await self._store.ask("sync", AskSync(thread_id=thread_id, user_id=asker, limit=1)))
        except Refusal:
            return False
        except DecodeError as error:
            log.error("sync cannot be read", reason=error.message)
            return False
        return self._on_read(thread_id, reply.rev, reply.member_ids)
