"""How others are seen: what this gateway knows of the users whom somebody here is to hear of.

Promises: while anybody is to hear of a user (watches.py), and some seconds longer, the user's presence is listened to,
once; who begins to hear gets what is known at once, or as soon as it is, then every change; of two states the one with
the lower version is dropped. What is not known is asked of the notifier, gathered and repeated with backoff; everything
is asked again after the link was lost and every REFRESH_S, a shard's users also when it has a new leader, so that a
change that was lost on its way heals; who is found to be as told is not told again. Frames are encoded once. Does not
decide who may hear. Does not promise that every state in between is told: the newest is.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Final, Protocol

import structlog
from pydantic import TypeAdapter

from chatterbus_contracts.codec import DecodeError, decode, encode, parse_json
from chatterbus_contracts.envelopes import Event, decode_events
from chatterbus_contracts.frames.server import PresenceNotice
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.limits import PRESENCE_ASKED_MAX
from chatterbus_contracts.presence import PresenceReset, VersionedPresence
from chatterbus_contracts.subjects import PRESENCE_RESET, presence_subject, slot_of
from chatterbus_gateway.feed import ADDED, member_of
from chatterbus_gateway.presence.watches import Follows, Watcher, Watches
from chatterbus_gateway.wire_frame import ws_frame
from chatterbus_runtime.backoff import Backoff
from chatterbus_runtime.link_errors import LinkDown
from chatterbus_runtime.nats_link import Listener
from chatterbus_runtime.nats_message import Message

log: Final = structlog.stdlib.get_logger(__name__)

LINGER_S: Final = 3.0  # who reloads a page comes back in time
GATHER_S: Final = 0.02  # questions of a subscribe storm leave together
REFRESH_S: Final = 60.0
ASKED_AT_A_TIME: Final = 4  # questions, of PRESENCE_ASKED_MAX users each
BACKOFF_S: Final = (0.25, 2.0)  # first and longest wait before those without an answer are asked again


_RESET: Final = TypeAdapter(PresenceReset)


class Link(Protocol):
    """The part of NatsLink that is needed here."""

    def listen(self, subject: str, callback: Callable[[Message], None], queue: str = "") -> Listener: ...


class AsksPresence(Protocol):
    """The part of Notifier that is needed here."""

    async def presence_of(self, user_ids: Collection[UserId]) -> dict[UserId, VersionedPresence]: ...


class Page:
    """What is known of one user; nothing, before the first answer."""

    __slots__ = ("frame", "listener", "look", "version")

    def __init__(self) -> None:
        self.listener: Listener | None = None
        self.version = 0
        self.frame: bytes | None = None
        self.look: tuple[object, object] | None = None  # status and time, as told last


class PresenceBook:
    """One per gateway."""

    def __init__(self, link: Link, notifier: AsksPresence, *, linger_s: float = LINGER_S) -> None:
        self.watches = Watches()
        self._link = link
        self._notifier = notifier
        self._linger_s = linger_s
        self._pages: dict[UserId, Page] = {}
        self._owed: dict[UserId, set[Watcher]] = {}  # to be told once, and not of changes
        self._to_ask: dict[UserId, None] = {}
        self._ask = asyncio.Event()
        self._resets: Listener | None = None
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        """Users who are listened to."""
        return len(self._pages)

    # --- threads -----------------------------------------------------------------------------------------------------

    def opened(self, thread_id: ThreadId, feed: Follows) -> None:
        """The thread is listened to."""
        self.watches.open(thread_id, feed)

    def closed(self, thread_id: ThreadId) -> None:
        """It is not any more."""
        self._release(self.watches.close(thread_id))

    def read(self, thread_id: ThreadId, rev: int, user_ids: Collection[UserId]) -> bool:
        """The store says who is a member, as of `rev`. False: an event is newer, so it has to be asked again."""
        moved = self.watches.read(thread_id, rev, user_ids)
        self._look(thread_id, moved)
        return self.watches.knows(thread_id)

    def moved(self, thread_id: ThreadId, events: Iterable[Event]) -> None:
        """Events of members."""
        for event in events:
            user_id = member_of(event)
            if user_id is not None:
                changed = self.watches.move(thread_id, event.rev, UserId(user_id), joined=event.type == ADDED)
                self._look(thread_id, changed)

    def joined(self, watcher: Watcher, thread_id: ThreadId) -> None:
        """The watcher follows the thread from now on: tell it of the members."""
        for user_id in self.watches.members(thread_id):
            if user_id != watcher.user_id:
                _tell(watcher, user_id, self._begun(user_id))
            elif self.watches.is_watched(user_id):
                self._begun(user_id)

    def _look(self, thread_id: ThreadId, moved: set[UserId]) -> None:
        members = self.watches.members(thread_id)
        followers = self.watches.followers(thread_id)
        for user_id in moved:
            if user_id in members and self.watches.is_watched(user_id):
                page = self._begun(user_id)
                for follower in followers:
                    if follower.user_id != user_id:
                        _tell(follower, user_id, page)
        self._release([user_id for user_id in moved if user_id not in members])

    # --- watchers ----------------------------------------------------------------------------------------------------

    def watch(self, watcher: Watcher, user_ids: frozenset[UserId]) -> None:
        """Tell of these, who were found to be allowed, in place of those before. Of oneself only how it is now."""
        others = user_ids - {watcher.user_id}
        self._release(self.watches.watch(watcher, others))
        for user_id in others:
            _tell(watcher, user_id, self._begun(user_id))
        if watcher.user_id in user_ids:
            page = self._begun(watcher.user_id)
            if page.frame is None:
                self._owed.setdefault(watcher.user_id, set()).add(watcher)
            else:
                _tell(watcher, watcher.user_id, page)
                self._release((watcher.user_id,))

    def forbid(self, watcher: Watcher, user_ids: frozenset[UserId]) -> None:
        """These may not be watched by this one any more: say goodbye to each, and nothing after it."""
        before = self.watches.watched_by(watcher)
        for user_id in user_ids & before:
            page = self._pages.get(user_id)
            frame = unseen(user_id, page.version + 1 if page is not None and page.frame is not None else 0)
            watcher.push_ephemeral(key_of(user_id), frame)
        self._release(self.watches.watch(watcher, before - user_ids))

    def forget(self, watcher: Watcher) -> None:
        """The connection is gone."""
        self._release(self.watches.watch(watcher, frozenset()))
        owed = self._owed.get(watcher.user_id)
        if owed is not None:
            owed.discard(watcher)
            if not owed:
                del self._owed[watcher.user_id]
                self._release((watcher.user_id,))

    # --- pages -------------------------------------------------------------------------------------------------------

    def _begun(self, user_id: UserId) -> Page:
        page = self._pages.get(user_id)
        if page is None:
            page = self._pages[user_id] = Page()
            # Listen first: a change behind the answer then finds a listener.
            try:
                page.listener = self._link.listen(presence_subject(user_id), partial(self._changes_came, user_id))
            except LinkDown:
                log.warning("presence cannot be listened to: the link is closed")
            self._want(user_id)
        return page

    def _release(self, user_ids: Collection[UserId]) -> None:
        if user_ids:
            self._loop.call_later(self._linger_s, self._drop, tuple(user_ids))

    def _drop(self, user_ids: Iterable[UserId]) -> None:
        for user_id in user_ids:
            if user_id in self._pages and not self._is_needed(user_id):
                page = self._pages.pop(user_id)
                self._to_ask.pop(user_id, None)
                if page.listener is not None:
                    page.listener.close()

    def _is_needed(self, user_id: UserId) -> bool:
        return user_id in self._owed or self.watches.is_watched(user_id)

    def _changes_came(self, user_id: UserId, message: Message) -> None:
        try:
            events = decode_events(message.data)
        except DecodeError as error:
            log.error("presence cannot be read", user_id=user_id, reason=error.message)
            return
        for event in events:
            self._write(user_id, event.rev, event.frame, _look_of(event.frame))

    def _write(self, user_id: UserId, version: int, frame: bytes, look: tuple[object, object]) -> None:
        page = self._pages.get(user_id)
        if page is None or (page.frame is not None and version <= page.version):
            return
        is_news = page.look != look  # a new leader gives everybody a new version
        page.version, page.frame, page.look = version, ws_frame(frame), look
        if is_news:
            for watcher in self.watches.hearers(user_id):
                _tell(watcher, user_id, page)
        for watcher in self._owed.pop(user_id, ()):
            _tell(watcher, user_id, page)

    # --- asking ------------------------------------------------------------------------------------------------------

    def _want(self, user_id: UserId) -> None:
        self._to_ask[user_id] = None
        self._ask.set()

    def begin(self) -> None:
        """Listen to the notifier's shards: one that has a new leader tells nothing of what was missed."""
        self._resets = self._link.listen(PRESENCE_RESET, self._reset_came)

    def _reset_came(self, message: Message) -> None:
        try:
            reset = decode(_RESET, message.data)
        except DecodeError as error:
            log.error("a reset of presence cannot be read", reason=error.message)
            return
        for user_id in self._pages:
            if slot_of(user_id) % reset.shards == reset.shard and self._is_needed(user_id):
                self._want(user_id)

    def ask_all_again(self) -> None:
        """Changes may have been missed. Users of whom nobody here is to hear any more are let go instead."""
        needed = {user_id: self._is_needed(user_id) for user_id in self._pages}
        self._release([user_id for user_id, is_needed in needed.items() if not is_needed])
        self._to_ask.update({user_id: None for user_id, is_needed in needed.items() if is_needed})
        self._ask.set()

    async def run(self) -> None:
        """Ask what is to be asked, for ever. Run as a background task."""
        backoff = Backoff(BACKOFF_S[0], 2.0, BACKOFF_S[1], 0.5, random.random)
        refresh_at_s = self._loop.time() + REFRESH_S
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(refresh_at_s):
                    await self._ask.wait()
            if self._loop.time() >= refresh_at_s:
                refresh_at_s = self._loop.time() + REFRESH_S
                self.ask_all_again()
            await asyncio.sleep(GATHER_S)
            if await self._ask_some():
                backoff.reset()
            else:
                await asyncio.sleep(backoff.next_s())

    async def _ask_some(self) -> bool:
        """Whether all who were asked about are known now."""
        asked = [user_id for user_id, _ in zip(self._to_ask, range(ASKED_AT_A_TIME * PRESENCE_ASKED_MAX), strict=False)]
        for user_id in asked:
            del self._to_ask[user_id]
        batches = [asked[at : at + PRESENCE_ASKED_MAX] for at in range(0, len(asked), PRESENCE_ASKED_MAX)]
        answers = await asyncio.gather(*map(self._notifier.presence_of, batches))
        known = {user_id: state for answer in answers for user_id, state in answer.items()}
        for user_id, state in known.items():
            self._write(
                user_id, state.version, encode(PresenceNotice(**dict(state))), (state.status, state.last_seen_at)
            )
        unanswered = [user_id for user_id in asked if user_id not in known and user_id in self._pages]
        self._to_ask.update(dict.fromkeys(unanswered))
        self._release([user_id for user_id in asked if user_id in self._pages and not self._is_needed(user_id)])
        if not self._to_ask:
            self._ask.clear()
        return not unanswered

    def close(self) -> None:
        """Stop listening."""
        if self._resets is not None:
            self._resets.close()
        for page in self._pages.values():
            if page.listener is not None:
                page.listener.close()
        self._pages.clear()
        self._to_ask.clear()


def key_of(user_id: UserId) -> str:
    """What a user's presence is coalesced by."""
    return f"presence/{user_id}"


def unseen(user_id: UserId, version: int = 0) -> bytes:
    """The frame of a user that nobody has ever seen."""
    notice = PresenceNotice(user_id=user_id, status="offline", last_seen_at=None, version=version)
    return ws_frame(encode(notice))


def _look_of(frame: bytes) -> tuple[object, object]:
    try:
        state = parse_json(frame)
        return state["status"], state["lastSeenAt"]
    except (DecodeError, KeyError, TypeError):
        return None, None


def _tell(watcher: Watcher, user_id: UserId, page: Page) -> None:
    if page.frame is not None:
        watcher.push_ephemeral(key_of(user_id), page.frame)
