"""Revs of threads that nobody here was known to be in when their events passed by. Pure.

A load that was asked before such an event may answer without it, and no later event need come to show the gap.
Promises: for a load under way, `rev_of` tells the highest rev that passed since it began, or `forgot_since` says that
this is not known any more. Bounded: beyond PASSED_MAX threads the one that is longest ago is forgotten.
"""

from __future__ import annotations

from typing import Final

from chatterbus_contracts.ids import ThreadId

PASSED_MAX: Final = 20_000


class Passed:
    """`now` counts what passed; a load remembers it as its beginning."""

    def __init__(self) -> None:
        self.now = 0
        self._revs: dict[ThreadId, tuple[int, int]] = {}
        self._forgotten = 0

    def note(self, thread_id: ThreadId, rev: int) -> None:
        """An event, or the last rev of a thread that is not looked after any more."""
        self.now += 1
        before = self._revs.pop(thread_id, (0, 0))[0]
        self._revs[thread_id] = (max(before, rev), self.now)
        if len(self._revs) > PASSED_MAX:
            longest_ago = next(iter(self._revs))
            self._forgotten = self._revs.pop(longest_ago)[1]

    def rev_of(self, thread_id: ThreadId) -> int:
        """The highest rev that passed, 0 when none did."""
        return self._revs.get(thread_id, (0, 0))[0]

    def forgot_since(self, begun: int) -> bool:
        """Whether something that passed after `begun` was forgotten."""
        return self._forgotten > begun

    def clear(self) -> None:
        """No load is under way: whatever passed, the next one will see."""
        self._revs.clear()
