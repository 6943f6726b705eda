"""What is to be loaded, and what is being loaded. Pure.

Promises: a user is in one load at a time, so answers take effect in the order in which they were asked for; what is
wanted while a load is under way is loaded again after it, with an answer that is younger than the want. Bounded by the
users that are connected and the threads they are in: a want that is there already is not added.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.limits import POSITIONS_USERS_MAX


@dataclass(slots=True, eq=False)
class Load:
    """Users to be asked about, in one thread or (None) in all. `begun`: see Passed. `named`: what the pages so far
    held."""

    user_ids: tuple[UserId, ...]
    thread_id: ThreadId | None
    begun: int
    named: set[tuple[UserId, ThreadId]] = field(default_factory=set)


class Wants:
    """Loads that are wanted, and the users of those under way."""

    def __init__(self) -> None:
        self._whole: dict[UserId, None] = {}
        self._threads: dict[ThreadId, dict[UserId, None]] = {}
        self._busy: set[UserId] = set()
        self._threads_next = False

    def __bool__(self) -> bool:
        return bool(self._whole or self._threads)

    @property
    def under_way(self) -> bool:
        """Whether a load is under way."""
        return bool(self._busy)

    def is_busy(self, user_id: UserId) -> bool:
        """Whether a load of the user is under way: its answer may be older than what one knows now."""
        return user_id in self._busy

    def want_all(self, user_id: UserId) -> None:
        """All threads of a user."""
        self._whole[user_id] = None

    def want(self, user_id: UserId, thread_id: ThreadId) -> None:
        """One thread of a user."""
        if user_id not in self._whole:
            self._threads.setdefault(thread_id, {})[user_id] = None

    def wants_all(self, user_id: UserId) -> bool:
        """Whether all threads of the user are still to be loaded."""
        return user_id in self._whole

    def drop(self, user_id: UserId) -> None:
        """The user is gone. What is wanted of single threads is asked for nothing, and passed over then."""
        self._whole.pop(user_id, None)

    def take(self, begun: int) -> Load | None:
        """The next load, of whole users and of single threads by turns; its users are busy until `done`."""
        self._threads_next = not self._threads_next
        turns = (self._take_thread, self._take_whole) if self._threads_next else (self._take_whole, self._take_thread)
        for turn in turns:
            load = turn(begun)
            if load is not None:
                self._busy.update(load.user_ids)
                return load
        return None

    def done(self, load: Load) -> None:
        """It has been answered, or failed."""
        self._busy.difference_update(load.user_ids)

    def _take_whole(self, begun: int) -> Load | None:
        users = self._free(self._whole)
        for user_id in users:
            del self._whole[user_id]
        return Load(users, None, begun) if users else None

    def _take_thread(self, begun: int) -> Load | None:
        for thread_id, wanted in self._threads.items():
            users = self._free(wanted)
            if users:
                self._remove(thread_id, users)
                return Load(users, thread_id, begun)
        return None

    def _free(self, wanted: Iterable[UserId]) -> tuple[UserId, ...]:
        return tuple(islice((user_id for user_id in wanted if user_id not in self._busy), POSITIONS_USERS_MAX))

    def _remove(self, thread_id: ThreadId, user_ids: Iterable[UserId]) -> None:
        wanted = self._threads.get(thread_id)
        if wanted is None:
            return
        for user_id in user_ids:
            wanted.pop(user_id, None)
        if not wanted:
            del self._threads[thread_id]
