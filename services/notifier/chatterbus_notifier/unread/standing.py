"""What is remembered of users, of threads, and of one user in one thread. Pure.

Promises: a standing's `unread` and `mentions` follow from the cursors alone; `User.total` is the sum over the user's
standings in threads that are not muted, as `settle` left it. Records are lean, since there are hundreds of thousands:
what all members of a thread share is kept once, with the thread.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.limits import UNREAD_MENTIONS_MAX


@dataclass(slots=True, eq=False)
class Standing:
    """One user in one thread. `mentions`: seqs of unread messages that mention the user, ascending, the newest
    UNREAD_MENTIONS_MAX; None for the many that have none. `counted`: what of it is in the user's total."""

    read_seq: int
    marked_unread_seq: int | None
    muted: bool
    mentions: list[int] | None
    counted: int = 0

    @property
    def floor(self) -> int:
        """The last seq that counts as read."""
        if self.marked_unread_seq is None:
            return self.read_seq
        return min(self.read_seq, self.marked_unread_seq - 1)

    def mention(self, seq: int) -> None:
        """A message that mentions the user. A seq that is known already changes nothing."""
        if self.mentions is None:
            self.mentions = [seq]
            return
        place = bisect_right(self.mentions, seq)
        if place == 0 or self.mentions[place - 1] != seq:
            self.mentions.insert(place, seq)
        del self.mentions[:-UNREAD_MENTIONS_MAX]

    def forget_read_mentions(self) -> None:
        """Those up to the floor are unread no more."""
        if self.mentions is not None:
            self.mentions = self.mentions[bisect_right(self.mentions, self.floor) :] or None


@dataclass(slots=True, eq=False)
class Thread:
    """A thread with at least one connected member. `rev`: every event up to it was applied to all `members`, or their
    reload is wanted; `adrift`: events may be missing, so the next load says where the thread is. `preview`: the last
    message as JSON, true at `preview_rev`; None when it is not known."""

    id: ThreadId
    rev: int
    last_seq: int = 0
    preview: bytes | None = None
    preview_rev: int = 0
    adrift: bool = False
    members: dict[UserId, Standing] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class User:
    """A connected user. `loaded`: all standings are there, so the total can be told."""

    id: UserId
    total: int = 0
    loaded: bool = False
    standings: dict[ThreadId, Standing] = field(default_factory=dict)


def unread_of(thread: Thread, standing: Standing) -> int:
    """How many messages are unread. A cursor may be ahead of a thread whose events are still on their way."""
    return max(0, thread.last_seq - standing.floor)


def settle(user: User, thread: Thread, standing: Standing) -> None:
    """After any change of the standing, or of the thread's last seq: bring the user's total up to date."""
    if standing.mentions is not None:
        standing.forget_read_mentions()
    counts = 0 if standing.muted else unread_of(thread, standing)
    user.total += counts - standing.counted
    standing.counted = counts
