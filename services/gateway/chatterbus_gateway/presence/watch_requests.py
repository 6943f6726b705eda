"""Who may watch whom: presence_watch, from the request to its end.

Promises: a watcher is told of those who share a thread with it (or of everybody, where presence is open to the
platform); of others it hears what is said of users whom nobody has ever seen, at once and never again. Who was allowed
is asked about every RECHECK_S; one who is not any more is said goodbye to. A request that cannot be checked is refused
and the former one stays. Of several requests of one connection that wait, only the last is worked off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import structlog
from pydantic import TypeAdapter

from chatterbus_contracts.codec import DecodeError, Wire, decode
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.queries import AskSharing, Sharing
from chatterbus_gateway.presence.presence_book import PresenceBook, key_of, unseen
from chatterbus_gateway.presence.watches import Watcher

log: Final = structlog.stdlib.get_logger(__name__)

RECHECK_S: Final = 30.0
ASKED_AT_A_TIME: Final = 8
ASK_TIMEOUT_S: Final = 10.0  # waiting for its turn included
RETRY_AFTER_MS: Final = 1_000

_SHARING: Final[TypeAdapter[Sharing]] = TypeAdapter(Sharing)


class Asks(Protocol):
    """The part of Store that is needed here."""

    async def ask(self, query_name: str, question: Wire) -> bytes: ...


class WatchRequest:
    """Whom a connection asks for, and what to call when it is refused."""

    __slots__ = ("on_refused", "user_ids")

    def __init__(self, user_ids: Iterable[UserId], on_refused: Callable[[Refusal], None]) -> None:
        self.user_ids = frozenset(user_ids)
        self.on_refused = on_refused


class WatchRequests:
    """One per gateway."""

    def __init__(self, store: Asks, book: PresenceBook, *, platform: bool, recheck_s: float = RECHECK_S) -> None:
        self._store = store
        self._book = book
        self._platform = platform
        self._recheck_s = recheck_s
        self._waiting: dict[Watcher, WatchRequest | None] = {}  # None: the last one is being worked off
        self._asks = asyncio.Semaphore(ASKED_AT_A_TIME)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    def watch(self, watcher: Watcher, request: WatchRequest) -> None:
        """Tell of these from now on, in place of those of the last request."""
        working = watcher in self._waiting
        if not working and (self._platform or request.user_ids <= {watcher.user_id}):
            self._book.watch(watcher, request.user_ids)
            return
        self._waiting[watcher] = request
        if not working:
            task = self._loop.create_task(self._work_off(watcher), name="presence_watch")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def forget(self, watcher: Watcher) -> None:
        """The connection is gone."""
        self._waiting.pop(watcher, None)
        self._book.forget(watcher)

    async def _work_off(self, watcher: Watcher) -> None:
        try:
            while (request := self._waiting.get(watcher)) is not None:
                self._waiting[watcher] = None
                await self._try(watcher, request)
        finally:
            self._waiting.pop(watcher, None)

    async def _try(self, watcher: Watcher, request: WatchRequest) -> None:
        try:
            allowed = await self._allowed(watcher.user_id, request.user_ids)
        except Refusal as refusal:
            if watcher in self._waiting:
                request.on_refused(refusal)
        except Exception:
            log.exception("presence_watch failed", user_id=watcher.user_id)
            request.on_refused(Refusal(ErrorCode.INTERNAL, "the watch failed"))
        else:
            if watcher in self._waiting:
                self._begin(watcher, request.user_ids, allowed)

    def _begin(self, watcher: Watcher, asked: frozenset[UserId], allowed: frozenset[UserId]) -> None:
        for user_id in asked - allowed:
            watcher.push_ephemeral(key_of(user_id), unseen(user_id))
        self._book.watch(watcher, allowed)

    async def _allowed(self, user_id: UserId, others: frozenset[UserId]) -> frozenset[UserId]:
        """Those of `others` whom the user may watch, oneself included."""
        question = AskSharing(user_id=user_id, others=sorted(others - {user_id}))
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S), self._asks:
                sharing = decode(_SHARING, await self._store.ask("sharing", question))
        except TimeoutError:
            raise Refusal(ErrorCode.STORE_UNAVAILABLE, "the store is busy", retry_after_ms=RETRY_AFTER_MS) from None
        except DecodeError as error:
            log.error("sharing cannot be read", reason=error.message)
            raise Refusal(ErrorCode.INTERNAL, "the store's answer cannot be read") from None
        return others & {user_id, *sharing.user_ids}

    # --- checking again ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Ask again about all who watch, for ever. Run as a background task, but not for a platform: all may there."""
        while True:
            await asyncio.sleep(self._recheck_s)
            watchers = iter(self._book.watches.watchers)
            await asyncio.gather(*(self._recheck_each(watchers) for _ in range(ASKED_AT_A_TIME)))

    async def _recheck_each(self, watchers: Iterable[Watcher]) -> None:
        for watcher in watchers:
            watched = self._book.watches.watched_by(watcher)
            if not watched:
                continue
            try:
                allowed = await self._allowed(watcher.user_id, watched)
            except Refusal:
                continue  # not known; the next round asks again
            if self._book.watches.watched_by(watcher) is watched:  # else the answer is about another request
                self._book.forbid(watcher, watched - allowed)

    async def close(self) -> None:
        """Stop asking."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
