"""Events that wait for their delivery: which may be attempted now. Pure.

Promises: of one key at most one event is under way, always the oldest, and the next only after it was delivered or
given up; keys do not wait for one another beyond `concurrency` attempts at a time, and take turns; an event leaves only
through `done`. Bounded by its owner, who asks `has_room` before adding.
Times are seconds of one clock that does not jump.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator

from chatterbus_contracts.webhooks import HookEvent
from chatterbus_notifier.webhooks.retry import RetryPolicy


class Waiting:
    """One event. `seq` is its place in the stream, None when that is no longer so; `attempts` counts those begun."""

    __slots__ = ("attempts", "event", "first_attempt_s", "seq")

    def __init__(
        self, seq: int | None, event: HookEvent, attempts: int = 0, first_attempt_s: float | None = None
    ) -> None:
        self.seq = seq
        self.event = event
        self.attempts = attempts
        self.first_attempt_s = first_attempt_s


class Backlog:
    """`window`: how many may wait."""

    def __init__(self, policy: RetryPolicy, *, concurrency: int, window: int) -> None:
        self._policy = policy
        self._concurrency = concurrency
        self._window = window
        self._keys: dict[str, deque[Waiting]] = {}
        self._ready: deque[str] = deque()  # keys whose oldest may be attempted
        self._later: list[tuple[float, str]] = []  # (due, key), a heap; a key is in one of the three: ready, later, out
        self._out: set[str] = set()  # keys whose oldest is under way
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Waiting]:
        """All that waits, under way or not; per key oldest first."""
        for queue in self._keys.values():
            yield from queue

    @property
    def has_room(self) -> bool:
        """Whether another event may be added."""
        return self._size < self._window

    def add(self, waiting: Waiting) -> None:
        """Behind all of its key."""
        key = waiting.event.key
        queue = self._keys.get(key)
        if queue is None:
            queue = self._keys[key] = deque()
            self._ready.append(key)
        queue.append(waiting)
        self._size += 1

    def take(self, now_s: float) -> Waiting | None:
        """The next to attempt, which counts as begun; None: nothing is due, or enough is under way."""
        if len(self._out) >= self._concurrency:
            return None
        while self._later and self._later[0][0] <= now_s:
            self._ready.append(heapq.heappop(self._later)[1])
        if not self._ready:
            return None
        key = self._ready.popleft()
        self._out.add(key)
        waiting = self._keys[key][0]
        waiting.attempts += 1
        if waiting.first_attempt_s is None:
            waiting.first_attempt_s = now_s
        return waiting

    def next_due_s(self) -> float | None:
        """When the earliest of those that wait out a delay is due."""
        return self._later[0][0] if self._later else None

    def failed(self, waiting: Waiting, now_s: float, asked_s: float | None = None) -> float | None:
        """The attempt failed; the receiver asked to wait `asked_s`. The delay until the next one; None: it is given up,
        and its key waits until `done` says that it was put away."""
        first_s = now_s if waiting.first_attempt_s is None else waiting.first_attempt_s
        delay_s = self._policy.delay_s(waiting.attempts, now_s - first_s, asked_s)
        if delay_s is not None:
            self._out.remove(waiting.event.key)
            heapq.heappush(self._later, (now_s + delay_s, waiting.event.key))
        return delay_s

    def done(self, waiting: Waiting) -> None:
        """It was delivered, or put away: the next of its key may go."""
        key = waiting.event.key
        self._out.remove(key)
        queue = self._keys[key]
        queue.popleft()
        self._size -= 1
        if queue:
            self._ready.append(key)
        else:
            del self._keys[key]

    def forget_places(self) -> None:
        """The stream is another one: what waits is in no stream any more, and is delivered from memory."""
        for waiting in self:
            waiting.seq = None
