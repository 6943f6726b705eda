"""Who is to hear of a user's presence: those who follow a thread with that member, and those who watch the user. Pure.

Promises: members are kept once per thread that is listened to, however many follow it; who follows is the feed's own
list, so that whoever is let go hears nothing from then on. Nobody hears of themselves. After all threads are closed and
all watchers forgotten, nothing is kept. Does not decide who may watch whom.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, Protocol, TypeVar

from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_gateway.presence.member_set import MemberSet

K = TypeVar("K")
V = TypeVar("V")

NOBODY: Final[frozenset[UserId]] = frozenset()


class Watcher(Protocol):
    """A connection, as presence sees it."""

    @property
    def user_id(self) -> UserId:
        """Whose connection it is."""

    def push_ephemeral(self, key: str, frame: bytes) -> None:
        """Send a WebSocket frame that may be replaced or dropped."""


class Follows(Protocol):
    """The part of Feed that is needed here."""

    @property
    def live(self) -> Iterable[Watcher]:
        """Who follows the thread now."""


class WatchedThread:
    """A thread that is listened to."""

    __slots__ = ("feed", "members")

    def __init__(self, feed: Follows) -> None:
        self.feed = feed
        self.members = MemberSet()


class Watches:
    """The indexes. What changes them returns the users of whom more, or fewer, may have to hear."""

    __slots__ = ("_threads", "_threads_of", "_watched_by", "_watchers_of")

    def __init__(self) -> None:
        self._threads: dict[ThreadId, WatchedThread] = {}
        self._threads_of: dict[UserId, set[WatchedThread]] = {}
        self._watched_by: dict[Watcher, frozenset[UserId]] = {}
        self._watchers_of: dict[UserId, set[Watcher]] = {}

    def __bool__(self) -> bool:
        """Anything is kept."""
        return bool(self._threads or self._threads_of or self._watched_by or self._watchers_of)

    # --- threads -----------------------------------------------------------------------------------------------------

    def open(self, thread_id: ThreadId, feed: Follows) -> None:
        """The thread is listened to."""
        self._threads[thread_id] = WatchedThread(feed)

    def close(self, thread_id: ThreadId) -> set[UserId]:
        """It is not any more."""
        thread = self._threads.pop(thread_id, None)
        if thread is None:
            return set()
        self._index(thread, set(), gone=thread.members.users)
        return thread.members.users

    def read(self, thread_id: ThreadId, rev: int, users: Collection[UserId]) -> set[UserId]:
        """The store's word on who is a member, as of `rev`."""
        thread = self._threads.get(thread_id)
        if thread is None:
            return set()
        before = set(thread.members.users)
        thread.members.read(rev, users)
        return self._moved(thread, before)

    def move(self, thread_id: ThreadId, rev: int, user_id: UserId, *, joined: bool) -> set[UserId]:
        """An event's word on one member."""
        thread = self._threads.get(thread_id)
        if thread is None:
            return set()
        before = set(thread.members.users)
        thread.members.move(rev, user_id, joined=joined)
        return self._moved(thread, before)

    def members(self, thread_id: ThreadId) -> Collection[UserId]:
        """Those whose presence the thread's followers hear of."""
        thread = self._threads.get(thread_id)
        return NOBODY if thread is None else thread.members.users

    def knows(self, thread_id: ThreadId) -> bool:
        """The members were read, and not before an event that is known."""
        thread = self._threads.get(thread_id)
        return thread is not None and thread.members.known

    def followers(self, thread_id: ThreadId) -> list[Watcher]:
        """Who follows the thread now."""
        thread = self._threads.get(thread_id)
        return [] if thread is None else list(thread.feed.live)

    def _moved(self, thread: WatchedThread, before: set[UserId]) -> set[UserId]:
        now = thread.members.users
        self._index(thread, now - before, gone=before - now)
        return now ^ before

    def _index(self, thread: WatchedThread, came: set[UserId], gone: set[UserId]) -> None:
        for user_id in came:
            self._threads_of.setdefault(user_id, set()).add(thread)
        for user_id in gone:
            _discard(self._threads_of, user_id, thread)

    # --- watchers ----------------------------------------------------------------------------------------------------

    def watch(self, watcher: Watcher, users: frozenset[UserId]) -> frozenset[UserId]:
        """These, in place of those before. Returns who is not watched by this one any more."""
        before = self._watched_by.pop(watcher, NOBODY)
        for user_id in before - users:
            _discard(self._watchers_of, user_id, watcher)
        for user_id in users - before:
            self._watchers_of.setdefault(user_id, set()).add(watcher)
        if users:
            self._watched_by[watcher] = users
        return before - users

    def watched_by(self, watcher: Watcher) -> frozenset[UserId]:
        """The very set that `watch` was given last."""
        return self._watched_by.get(watcher, NOBODY)

    @property
    def watchers(self) -> list[Watcher]:
        """All who watch anybody."""
        return list(self._watched_by)

    # --- who hears ---------------------------------------------------------------------------------------------------

    def hearers(self, user_id: UserId) -> list[Watcher]:
        """Who is to hear of this user, each once."""
        found: dict[Watcher, None] = {}
        for thread in self._threads_of.get(user_id, ()):
            found.update(dict.fromkeys(thread.feed.live))
        found.update(dict.fromkeys(self._watchers_of.get(user_id, ())))
        return [watcher for watcher in found if watcher.user_id != user_id]

    def is_watched(self, user_id: UserId) -> bool:
        """Anybody is to hear of this user."""
        if any(watcher.user_id != user_id for watcher in self._watchers_of.get(user_id, ())):
            return True
        threads = self._threads_of.get(user_id, ())
        return any(watcher.user_id != user_id for thread in threads for watcher in thread.feed.live)


def _discard(index: dict[K, set[V]], key: K, value: V) -> None:
    known = index.get(key)
    if known is not None:
        known.discard(value)
        if not known:
            del index[key]
