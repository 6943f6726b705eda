"""How far this user has read, as long as the server may not know. Pure.

Promises: marks only move forward, so any number of them cost one entry a thread; what was marked while offline, or was
lost with a connection, is told again on the next one, until the server's own receipt confirms it. Bounded: of more than
`maximum` threads the ones marked longest ago are forgotten.
"""

from dataclasses import dataclass

from chatterbus_contracts.frames.client import SendDelivered, SendRead
from chatterbus_contracts.ids import ThreadId


@dataclass(frozen=True, slots=True)
class Mark:
    """The cursors wanted in one thread."""

    read_seq: int = 0
    delivered_seq: int = 0


class Cursors:
    """The marks of one user."""

    def __init__(self, maximum: int = 1_000) -> None:
        self._maximum = maximum
        self._marks: dict[str, Mark] = {}
        self._untold: set[str] = set()

    def read(self, thread_id: str, seq: int) -> bool:
        """Everything up to `seq` was read. False: it was marked before."""
        return self._move(thread_id, Mark(seq, seq))

    def delivered(self, thread_id: str, seq: int) -> bool:
        """Everything up to `seq` has arrived. False: it was marked before."""
        return self._move(thread_id, Mark(0, seq))

    def confirmed(self, thread_id: str, *, read_seq: int, delivered_seq: int) -> None:
        """The server's cursors are here."""
        mark = self._marks.get(thread_id)
        if mark is not None and mark.read_seq <= read_seq and mark.delivered_seq <= delivered_seq:
            del self._marks[thread_id]

    def forget(self, thread_id: str) -> None:
        """The user marked something as unread: an older "read" must not be told after it."""
        self._marks.pop(thread_id, None)
        self._untold.discard(thread_id)

    def tell_again(self) -> None:
        """A new connection: what was told on the old one may be lost."""
        self._untold = set(self._marks)

    def untold(self) -> list[SendRead | SendDelivered]:
        """What to tell the server now; it counts as told from here on."""
        frames: list[SendRead | SendDelivered] = []
        for thread_id in self._marks.keys() & self._untold:
            mark = self._marks[thread_id]
            if mark.read_seq:
                frames.append(SendRead(thread_id=ThreadId(thread_id), seq=mark.read_seq))
            if mark.delivered_seq > mark.read_seq:
                frames.append(SendDelivered(thread_id=ThreadId(thread_id), seq=mark.delivered_seq))
        self._untold.clear()
        return frames

    def _move(self, thread_id: str, to: Mark) -> bool:
        known = self._marks.pop(thread_id, Mark())
        moved = Mark(max(known.read_seq, to.read_seq), max(known.delivered_seq, to.delivered_seq))
        self._marks[thread_id] = moved
        if len(self._marks) > self._maximum:
            del self._marks[next(iter(self._marks))]
        if moved == known:
            return False
        self._untold.add(thread_id)
        return True
