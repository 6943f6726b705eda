"""When to give a sign of life, and when to give up on the other side. Pure: time is an argument.

Promises
- Idle: after half a heartbeat in which nothing was sent, or nothing was heard, a ping is due; after two heartbeats in
  which nothing was heard the link is dead, whatever TCP believes.
- While an answer is awaited: a ping is due when nothing at all was heard for `doubt_s`, and the link is dead when
  nothing is heard for `patience_s` after a ping. Anything heard is a sign of life, so an answer that is late for
  reasons behind the gateway kills nothing: the gateway still answers the ping.
- After a standstill of this very process nothing is given up before `patience_s` more.
"""

from math import inf
from typing import Final, Literal

Due = Literal["ping", "dead"]

STANDSTILL_S: Final = 1.0  # a starved machine, a suspended one; less is the ordinary lateness of timers


class Heartbeat:
    """One connection's signs of life. `interval_s` is the server's heartbeat."""

    __slots__ = (
        "_awaiting_since",
        "_doubt_s",
        "_heard_at",
        "_interval_s",
        "_not_dead_before",
        "_patience_s",
        "_pinged_at",
        "_sent_at",
        "_unanswered_since",
    )

    def __init__(self, interval_s: float, now: float, *, doubt_s: float, patience_s: float) -> None:
        self._interval_s = interval_s
        self._doubt_s = doubt_s
        self._patience_s = patience_s
        self._heard_at = now
        self._sent_at = now
        self._pinged_at = now
        self._unanswered_since: float | None = None  # the oldest ping after which nothing was heard
        self._awaiting_since: float | None = None
        self._not_dead_before = -inf

    def heard(self, now: float) -> None:
        """Something arrived."""
        self._heard_at = now
        self._unanswered_since = None

    def sent(self, now: float) -> None:
        """Something was written."""
        self._sent_at = now

    def pinged(self, now: float) -> None:
        """A ping was written."""
        self._sent_at = now
        self._pinged_at = now
        if self._unanswered_since is None:
            self._unanswered_since = now

    def awaits(self, now: float, *, an_answer: bool) -> None:
        """Whether somebody waits for an answer from here on."""
        if not an_answer:
            self._awaiting_since = None
        elif self._awaiting_since is None:
            self._awaiting_since = now

    def woke(self, late_s: float, now: float) -> None:
        """We were to look so long ago. After a standstill of ours, what came meanwhile is still to be read."""
        if late_s >= STANDSTILL_S:
            self._not_dead_before = now + self._patience_s

    def due(self, now: float) -> Due | None:
        """What is to be done now."""
        if now >= self._dead_at:
            return "dead"
        return "ping" if now >= self._ping_at else None

    @property
    def next_at(self) -> float:
        """The earliest time at which something may be due."""
        return min(self._dead_at, self._ping_at)

    @property
    def _dead_at(self) -> float:
        dead_at = self._heard_at + 2 * self._interval_s
        if self._awaiting_since is not None and self._unanswered_since is not None:
            dead_at = min(dead_at, max(self._unanswered_since, self._awaiting_since) + self._patience_s)
        return max(dead_at, self._not_dead_before)

    @property
    def _ping_at(self) -> float:
        # The last ping counts, or a silent peer would be pinged in a tight loop.
        idle = max(self._pinged_at, min(self._heard_at, self._sent_at)) + self._interval_s / 2
        if self._awaiting_since is None or self._unanswered_since is not None:
            return idle
        return min(idle, max(self._heard_at, self._awaiting_since) + self._doubt_s)
