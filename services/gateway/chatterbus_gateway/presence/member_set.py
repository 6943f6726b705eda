"""The members of one followed thread, as far as presence is concerned. Pure.

Promises: of what the store said and what events said, the later counts, by rev; a reading that is older than an event
is not taken, and `known` says whether it has to be asked for again. A thread that has grown over PRESENCE_MEMBERS_MAX
counts as empty; when it shrinks again, so it stays until it is read anew. Events that were lost show nowhere here.
"""

from __future__ import annotations

from collections.abc import Collection

from chatterbus_contracts.ids import UserId
from chatterbus_contracts.limits import PRESENCE_MEMBERS_MAX


class MemberSet:
    """Who is a member, as of `rev`."""

    __slots__ = ("_large", "known", "rev", "users")

    def __init__(self) -> None:
        self.rev = 0
        self.known = False
        self.users: set[UserId] = set()
        self._large = False

    def read(self, rev: int, users: Collection[UserId]) -> None:
        """The store's answer, as of `rev`."""
        if rev < self.rev:
            return
        self.rev = rev
        self.known = True
        self._large = len(users) > PRESENCE_MEMBERS_MAX
        self.users = set() if self._large else set(users)

    def move(self, rev: int, user_id: UserId, *, joined: bool) -> None:
        """An event: a member joined, or was removed."""
        if rev <= self.rev:
            return
        self.rev = rev
        if not self.known or self._large:
            return
        if joined:
            self.users.add(user_id)
            if len(self.users) > PRESENCE_MEMBERS_MAX:
                self._large = True
                self.users = set()
        else:
            self.users.discard(user_id)
