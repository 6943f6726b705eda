"""Compares the revs of followed threads with the store's, since the last event of a thread may get lost unseen.

Promises: each thread with live followers is looked at once in `every_s`, up to REVS_ASKED_MAX of them with one
question, the questions spread over that time. A thread that the store is ahead of is given CONFIRM_AFTER_S; what has
not come until then is missing, and the follower is told so. At most one question is under way; none while the link is
down (its return tells everybody to resync). A store that does not answer is asked again in the next round.
Does not promise to see what a lagging copy of the store does not know yet.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Final, Protocol

import structlog
from pydantic import TypeAdapter

from chatterbus_contracts.codec import DecodeError, Wire, decode
from chatterbus_contracts.errors import Refusal
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.limits import REVS_ASKED_MAX
from chatterbus_contracts.queries import AskRevs, Revs
from chatterbus_gateway.counts import Counts
from chatterbus_gateway.feed import Feed

log: Final = structlog.stdlib.get_logger(__name__)

CONFIRM_AFTER_S: Final = (
    2.0  # the persister announces behind its commit; that takes milliseconds, or something is wrong
)
_REVS: Final[TypeAdapter[Revs]] = TypeAdapter(Revs)


class Asks(Protocol):
    """The part of Store that is needed here."""

    async def ask(self, query_name: str, question: Wire) -> bytes: ...


class Link(Protocol):
    """The part of NatsLink that is needed here."""

    @property
    def is_connected(self) -> bool: ...


class Follows(Protocol):
    """The part of Follower that is needed here."""

    def live_feeds(self) -> Mapping[ThreadId, Feed]: ...

    def missed(self, feed: Feed, store_rev: int) -> None: ...


class PositionCheck:
    """One per gateway."""

    def __init__(
        self,
        link: Link,
        store: Asks,
        follower: Follows,
        counts: Counts,
        *,
        every_s: float,
        confirm_after_s: float = CONFIRM_AFTER_S,
    ) -> None:
        self._link = link
        self._store = store
        self._follower = follower
        self._counts = counts
        self._every_s = every_s
        self._confirm_after_s = confirm_after_s
        self._confirmations: set[asyncio.TimerHandle] = set()
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Look again and again. Run as a background task."""
        due_s = self._loop.time() + random.uniform(0, self._every_s)  # noqa: S311 - gateways that start together spread
        while True:
            thread_ids = list(self._follower.live_feeds())
            pages = [thread_ids[at : at + REVS_ASKED_MAX] for at in range(0, len(thread_ids), REVS_ASKED_MAX)]
            for page in pages or [[]]:
                await asyncio.sleep(max(due_s - self._loop.time(), 0))
                due_s = max(due_s, self._loop.time()) + self._every_s / max(len(pages), 1)
                await self.look(page)

    async def look(self, thread_ids: list[ThreadId]) -> None:
        """Ask about these threads now, at most REVS_ASKED_MAX of them, as far as they still have live followers."""
        followed = self._follower.live_feeds()
        thread_ids = [thread_id for thread_id in thread_ids if thread_id in followed]
        if not thread_ids or not self._link.is_connected:
            return
        try:
            revs = decode(_REVS, await self._store.ask("revs", AskRevs(thread_ids=thread_ids)))
        except Refusal as refusal:
            log.debug("positions are not compared", code=refusal.code)
            return
        except DecodeError as error:
            log.error("revs cannot be read", reason=error.message)
            return
        feeds = self._follower.live_feeds()
        behind = [(feed, rev) for thread_id, rev in revs.items if (feed := feeds.get(thread_id)) and feed.lags(rev)]
        if behind:
            self._confirm_later(behind)

    def close(self) -> None:
        """Confirm nothing any more."""
        for timer in self._confirmations:
            timer.cancel()
        self._confirmations.clear()

    def _confirm_later(self, behind: list[tuple[Feed, int]]) -> None:
        def confirm() -> None:
            self._confirmations.discard(timer)
            self._confirm(behind)

        timer = self._loop.call_later(self._confirm_after_s, confirm)
        self._confirmations.add(timer)

    def _confirm(self, behind: list[tuple[Feed, int]]) -> None:
        if not self._link.is_connected:
            return
        for feed, rev in behind:
            if feed.is_live and (feed.rev is None or feed.rev < rev):
                self._counts.gaps_found += 1
                log.warning("events of a thread are missing", thread_id=feed.thread_id, rev=feed.rev, store_rev=rev)
                self._follower.missed(feed, rev)
