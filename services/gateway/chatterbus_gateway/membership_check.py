"""Asks the store who is still a member of a thread whose events had a gap, and lets go of those who are not.

Promises: after a doubt, every user who follows the thread here is asked for, at most ASKED_AT_A_TIME questions at once,
each with the store's deadline. Who is refused as no member gets an `error` frame that names the thread, and nothing of
the thread after it. While the store does not answer, questions are repeated with backoff, and followers stay: events
are not held back. Nobody waits for a check.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from chatterbus_contracts.codec import Wire, encode
from chatterbus_contracts.errors import Refusal
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.queries import AskMembership
from chatterbus_gateway.counts import Counts
from chatterbus_gateway.doubts import Doubts, Question, Verdict
from chatterbus_gateway.error_frames import lost_thread_frame
from chatterbus_gateway.feed import Feed
from chatterbus_gateway.wire_frame import ws_frame
from chatterbus_runtime.backoff import Backoff

log: Final = structlog.stdlib.get_logger(__name__)

ASKED_AT_A_TIME: Final = 8
RETRY_INITIAL_S: Final = 0.1
RETRY_MAXIMUM_S: Final = 2.0


class Asks(Protocol):
    """The part of Store that is needed here."""

    async def ask(self, query_name: str, question: Wire) -> bytes: ...


class MembershipCheck:
    """One per gateway. `on_expelled` is told of each thread that lost a follower."""

    def __init__(self, store: Asks, counts: Counts, on_expelled: Callable[[ThreadId], None]) -> None:
        self._store = store
        self._counts = counts
        self._on_expelled = on_expelled
        self._doubts = Doubts()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        """Threads in doubt."""
        return len(self._doubts)

    def doubt(self, feed: Feed) -> None:
        """Events of this thread may be missing, a removal among them."""
        self._doubts.add(feed)
        while len(self._tasks) < ASKED_AT_A_TIME:
            task = self._loop.create_task(self._ask_all(), name="membership check")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop asking."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask_all(self) -> None:
        backoff = Backoff(RETRY_INITIAL_S, 2.0, RETRY_MAXIMUM_S, 0.5, random.random)
        while (question := self._doubts.take()) is not None:
            if await self._ask(question):
                self._doubts.settle(question)
                backoff.reset()
            else:
                self._doubts.put_back(question)
                await asyncio.sleep(backoff.next_s())

    async def _ask(self, question: Question) -> bool:
        """Whether it is settled."""
        feed, user_id = question.feed, question.user_id
        refusal: Refusal | None = None
        try:
            await self._store.ask("membership", AskMembership(thread_id=feed.thread_id, user_id=user_id))
        except Refusal as refused:
            refusal = refused
        except Exception:
            log.exception("membership cannot be asked for", thread_id=feed.thread_id)
            return False
        verdict = question.verdict(refusal)
        if refusal is not None and verdict is Verdict.IS_GONE:
            connections = feed.expel(user_id, ws_frame(encode(lost_thread_frame(refusal, feed.thread_id))))
            self._counts.expelled += connections
            self._on_expelled(feed.thread_id)
            log.info("a removal was missed", thread_id=feed.thread_id, user_id=user_id, connections=connections)
        return verdict is not Verdict.ASK_AGAIN
