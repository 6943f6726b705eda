"""Loads what the counts want, from the store.

Promises: at most LOADS_MAX questions are open at a time; users who come meanwhile are gathered into one question; a
question that fails is asked again, with growing pauses, as long as its users are connected. Each question has the
store's deadline. What waits is bounded by Wants.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

import structlog

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.errors import Refusal
from chatterbus_contracts.queries import AskPositions, Positions
from chatterbus_notifier.unread.counts import Counts
from chatterbus_notifier.unread.standing import User
from chatterbus_notifier.unread.wants import Load
from chatterbus_runtime.backoff import Backoff

log: Final = structlog.stdlib.get_logger(__name__)

LOADS_MAX: Final = 8


class Store(Protocol):
    """The part of StoreQueries that is needed here."""

    async def ask(self, query_name: str, question: Wire) -> Any: ...


class Loader:
    """`on_loaded` gets the users of whom everything was loaded, none after a load of one thread."""

    def __init__(self, store: Store, counts: Counts, on_loaded: Callable[[Iterable[User]], None]) -> None:
        self._store = store
        self._counts = counts
        self._on_loaded = on_loaded
        self._wake = asyncio.Event()
        self._open = 0
        self._backoff = Backoff(initial_s=0.2, factor=2, maximum_s=5, jitter=0.3, random=random.random)
        self._again_at_s = 0.0

    @property
    def idle(self) -> bool:
        """Whether everything wanted was loaded."""
        return not self._open and not self._counts.wants

    def wake(self) -> None:
        """Something may be wanted."""
        if self._counts.wants:
            self._wake.set()

    async def run(self) -> None:
        """Load for ever. Ends when cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                while self._open < LOADS_MAX and (load := self._counts.begin_load()) is not None:
                    self._open += 1
                    tasks.create_task(self._load(load))
                self._wake.clear()
                await self._wake.wait()

    async def _load(self, load: Load) -> None:
        try:
            await self._absorb_pages(load)
        except Refusal as refusal:
            log.warning("unread counts not loaded", users=len(load.user_ids), code=refusal.code)
            await self._pause()
            self._counts.fail_load(load)
        else:
            self._backoff.reset()
            self._on_loaded(self._counts.finish_load(load))
        self._open -= 1
        self._wake.set()

    async def _pause(self) -> None:
        """Loads that fail together pause together: one outage is one step of the backoff."""
        now_s = asyncio.get_running_loop().time()
        if self._again_at_s <= now_s:
            self._again_at_s = now_s + self._backoff.next_s()
        await asyncio.sleep(self._again_at_s - now_s)

    async def _absorb_pages(self, load: Load) -> None:
        cursor = None
        while True:
            question = AskPositions(user_ids=list(load.user_ids), thread_id=load.thread_id, cursor=cursor)
            page: Positions = await self._store.ask("positions", question)
            self._counts.absorb(load, page.items)
            cursor = page.next_cursor
            if cursor is None:
                return
