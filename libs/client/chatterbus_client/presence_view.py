"""How others are seen, as the server tells it. Pure.

Promises: of two notices for one user the one with the higher version is shown, in whatever order they come; version 0,
nothing known (to us), gives way to all others. What we are allowed to see may have changed with a new connection or a
new question, so the first notice after one is believed whatever its version, and so is the first one after a user was
withdrawn (offline, never seen). Nobody stays online by mistake: `forget_untold` forgets those of whom a new connection
tells nothing, `keep_only` those of whom the server has no reason to tell any more. Bounded: of more than `users_max`
those told of longest ago are forgotten.
Does not promise to be true while there is no connection: it stands still then.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from chatterbus_contracts.frames.server import PresenceNotice
from chatterbus_contracts.states import Status


@dataclass(frozen=True, slots=True)
class Presence:
    """How a user is seen. `last_seen_at` (UTC, ISO 8601): when an offline user was last to be seen; None: never, or
    now. `invisible` is told of oneself alone."""

    status: Status
    last_seen_at: str | None = None


UNKNOWN = Presence("offline")


class PresenceView(Mapping[str, Presence]):
    """Users by id. Read it as a dict; those that are not in it are UNKNOWN."""

    def __init__(self, users_max: int) -> None:
        self._users_max = users_max
        self._shown: dict[str, Presence] = {}
        self._versions: dict[str, int] = {}
        self._untold: set[str] = set()  # told before we connected, or asked, for the last time

    def __getitem__(self, user_id: str) -> Presence:
        return self._shown[user_id]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._shown))

    def __len__(self) -> int:
        return len(self._shown)

    def connected(self) -> None:
        """A new connection: what is known so far was told by others."""
        self._untold = set(self._shown)

    def asked(self, user_ids: Set[str]) -> None:
        """The server was asked how these are seen."""
        self._untold |= self._shown.keys() & user_ids

    def receive(self, notice: PresenceNotice) -> bool:
        """Whether the notice changes how the user is seen."""
        user_id = notice.user_id
        if user_id not in self._untold and notice.version <= self._versions.get(user_id, -1):
            return False
        self._untold.discard(user_id)
        before = self._shown.pop(user_id, UNKNOWN)  # popped and set again: the newest are last
        self._shown[user_id] = now = Presence(notice.status, notice.last_seen_at)
        self._versions[user_id] = notice.version if now != UNKNOWN else 0
        if len(self._shown) > self._users_max:
            self._forget(next(iter(self._shown)))
        return before != now

    def forget_untold(self) -> list[str]:
        """Forget those of whom this connection has told nothing; the users for whom that is a change."""
        return self.keep_only(self._shown.keys() - self._untold)

    def keep_only(self, user_ids: Set[str]) -> list[str]:
        """Forget all others: the server does not tell of them any more. The users for whom that is a change."""
        others = sorted(self._shown.keys() - user_ids)
        self._untold.difference_update(others)
        return [user_id for user_id in others if self._forget(user_id) != UNKNOWN]

    def _forget(self, user_id: str) -> Presence | None:
        self._versions.pop(user_id, None)
        return self._shown.pop(user_id, None)
