"""Which threads are to be looked at for missed messages, and when. Pure: times come in, in seconds of one clock.

A thread is due `after_s` after a message that nobody has looked after yet, and is then being checked until it is
`settled` or wanted `again`. Promises: a message that came while its thread was checked makes the thread due again;
`lowest` is never above the stream sequence of a message whose consequences are open, so whoever reads again from there
forgets nothing. It may be below: a thread remembers the places of its messages with a grain of a quarter of `after_s`.
Bound: `max_threads` wait or are checked; then `has_room` is false and the caller stops reading, which loses nothing.
"""

from __future__ import annotations

from typing import Final

from chatterbus_contracts.ids import ThreadId
from chatterbus_notifier.missed.ordered_keys import OrderedKeys

MAX_THREADS: Final = 200_000
GRAINS: Final = 4  # places remembered per `after_s`
PLACES_MAX: Final = 16
CLOCK_SLACK_S: Final = 5.0  # by which the clocks of NATS, PostgreSQL and this process may differ

Place = tuple[int, float]  # (stream sequence, when it was stored): covers the messages up to the next place


class _Open:
    """A thread's open messages."""

    __slots__ = ("due_s", "places")

    def __init__(self, due_s: float, places: list[Place]) -> None:
        self.due_s = due_s
        self.places = places


class Schedule:
    """Stream sequences are told in rising order."""

    def __init__(self, after_s: float, max_threads: int = MAX_THREADS) -> None:
        self._after_s = after_s
        self._max_threads = max_threads
        self._waiting: dict[ThreadId, _Open] = {}
        self._checked: dict[ThreadId, _Open] = {}
        self._due: OrderedKeys[ThreadId] = OrderedKeys()
        self._first: OrderedKeys[ThreadId] = OrderedKeys()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._checked)

    @property
    def has_room(self) -> bool:
        """Whether more messages may be noted; noting one beyond is allowed, reading on is not."""
        return len(self) < self._max_threads

    @property
    def next_due_s(self) -> float | None:
        """When the next thread is due; None: nothing waits."""
        lowest = self._due.lowest()
        return None if lowest is None else lowest[0]

    @property
    def lowest(self) -> int | None:
        """The lowest stream sequence with open consequences; None: there is none."""
        lowest = self._first.lowest()
        return None if lowest is None else int(lowest[0])

    def noted(self, thread_id: ThreadId, stream_seq: int, stored_s: float) -> None:
        """A message of the thread was stored at `stored_s`."""
        due_s = stored_s + self._after_s
        waiting = self._waiting.get(thread_id)
        if waiting is None:
            self._wait(thread_id, _Open(due_s, [(stream_seq, stored_s)]))
            return
        if len(waiting.places) < PLACES_MAX and stored_s - waiting.places[-1][1] >= self._after_s / GRAINS:
            waiting.places.append((stream_seq, stored_s))
        if due_s < waiting.due_s:
            waiting.due_s = due_s
            self._due.put(thread_id, due_s)

    def take(self, now_s: float) -> ThreadId | None:
        """A thread that is due and not being checked; it is being checked then."""
        lowest = self._due.lowest()
        if lowest is None or lowest[0] > now_s:
            return None
        thread_id = lowest[1]
        self._due.discard(thread_id)
        if thread_id in self._checked:
            # Its turn comes when the check that runs has ended.
            return self.take(now_s)
        self._checked[thread_id] = self._waiting.pop(thread_id)
        return thread_id

    def settled(self, thread_id: ThreadId) -> None:
        """What was open when the check began has no consequences any more."""
        del self._checked[thread_id]
        self._replaced(thread_id)

    def again(self, thread_id: ThreadId, due_s: float, open_since_s: float | None = None) -> None:
        """Check it again at `due_s`. `open_since_s`: only messages stored since then are open; None: all are."""
        places = self._checked.pop(thread_id).places
        if open_since_s is not None:
            while len(places) > 1 and places[1][1] <= open_since_s - CLOCK_SLACK_S:
                places.pop(0)
        newer = self._waiting.get(thread_id)
        if newer is not None:
            due_s = min(due_s, newer.due_s)
            places = (places + newer.places)[:PLACES_MAX]
        self._wait(thread_id, _Open(due_s, places))

    def stream_changed(self, next_seq: int) -> None:
        """The stream goes on with `next_seq`, and may be another one: no place is above that."""
        for opens in (self._waiting, self._checked):
            for thread_id, open_ in opens.items():
                open_.places = [(min(seq, next_seq), stored_s) for seq, stored_s in open_.places]
                self._replaced(thread_id)

    def _wait(self, thread_id: ThreadId, open_: _Open) -> None:
        self._waiting[thread_id] = open_
        self._due.put(thread_id, open_.due_s)
        self._replaced(thread_id)

    def _replaced(self, thread_id: ThreadId) -> None:
        opens = [opens[thread_id] for opens in (self._checked, self._waiting) if thread_id in opens]
        if opens:
            self._first.put(thread_id, min(open_.places[0][0] for open_ in opens))
        else:
            self._first.discard(thread_id)
        if thread_id in self._waiting:
            self._due.put(thread_id, self._waiting[thread_id].due_s)
