"""When to give a sign of life, and when to give up on the other side. Pure: time is an argument.

Promises: after half a heartbeat in which nothing was sent, or nothing was heard, a ping is due; after two heartbeats in
which nothing was heard the link is dead, whatever TCP believes.
"""

from typing import Literal

Due = Literal["ping", "dead"]


class Heartbeat:
    """One connection's signs of life. `interval_s` is the server's heartbeat."""

    __slots__ = ("_heard_at", "_interval_s", "_pinged_at", "_sent_at")

    def __init__(self, interval_s: float, now: float) -> None:
        self._interval_s = interval_s
        self._heard_at = now
        self._sent_at = now
        self._pinged_at = now

    def heard(self, now: float) -> None:
        """Something arrived."""
        self._heard_at = now

    def sent(self, now: float) -> None:
        """Something was written."""
        self._sent_at = now

    def pinged(self, now: float) -> None:
        """A ping was written."""
        self._sent_at = now
        self._pinged_at = now

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
        return self._heard_at + 2 * self._interval_s

    @property
    def _ping_at(self) -> float:
        # The last ping counts, or a silent peer would be pinged in a tight loop.
        return max(self._pinged_at, min(self._heard_at, self._sent_at)) + self._interval_s / 2
