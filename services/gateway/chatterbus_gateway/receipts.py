"""Receipts on their way to the queue. Pure.

Promises: of all receipts of a user for a thread between two flushes one command remains, with the furthest positions;
moving a cursor is monotone, so nothing is lost by leaving out the others. The number of waiting cursors is bounded: a
receipt for yet another cursor is dropped then, and the next one says the same or more.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from chatterbus_contracts.ids import ThreadId, UserId

CURSORS_MAX: Final = 50_000


class Cursor(NamedTuple):
    """How far a user is in a thread; None where nothing was said."""

    user_id: UserId
    user_type: str
    thread_id: ThreadId
    delivered_seq: int | None
    read_seq: int | None


class Receipts:
    """Cursors to be moved at the next flush."""

    __slots__ = ("_cursors", "_max")

    def __init__(self, cursors_max: int = CURSORS_MAX) -> None:
        self._cursors: dict[tuple[UserId, ThreadId], Cursor] = {}
        self._max = cursors_max

    def __len__(self) -> int:
        return len(self._cursors)

    def add(self, cursor: Cursor) -> bool:
        """False when there is no room for another cursor."""
        key = (cursor.user_id, cursor.thread_id)
        known = self._cursors.get(key)
        if known is not None:
            cursor = cursor._replace(
                delivered_seq=_further(known.delivered_seq, cursor.delivered_seq),
                read_seq=_further(known.read_seq, cursor.read_seq),
            )
        elif len(self._cursors) >= self._max:
            return False
        self._cursors[key] = cursor
        return True

    def take(self) -> list[Cursor]:
        """All that waits, oldest first."""
        cursors = list(self._cursors.values())
        self._cursors.clear()
        return cursors


def _further(first: int | None, second: int | None) -> int | None:
    if first is None or second is None:
        return first if second is None else second
    return max(first, second)
