"""How fast this connection may speak, so that the gateway never has to say RATE_LIMITED. Pure: time is an argument.

Promises: over any stretch of t seconds at most `burst + rate * t` frames are allowed. What must go out anyway (a ping,
an auth) is spent without asking and is missing later. Built from the limits that the server names, with a margin, since
frames that leave evenly may arrive bunched; without them there is no limit.
"""

from collections.abc import Mapping
from math import inf
from typing import Self

MARGIN = 0.8


class Pace:
    """A token bucket of frames: `rate` a second, `burst` at once."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    @classmethod
    def of_limits(cls, limits: Mapping[str, int], now: float) -> Self:
        """From auth_success."""
        rate, burst = limits.get("frames_per_second", 0), limits.get("frames_burst", 0)
        if rate <= 0 or burst <= 0:
            return cls(inf, inf, now)
        return cls(rate * MARGIN, max(1.0, burst * MARGIN), now)

    def allowance(self, now: float) -> int:
        """How many frames may go now."""
        self._refill(now)
        return int(min(max(self._tokens, 0.0), 1e9))

    def wait_s(self, now: float) -> float:
        """How long until one may go."""
        self._refill(now)
        return 0.0 if self._tokens >= 1.0 else (1.0 - self._tokens) / self._rate

    def spend(self, now: float) -> None:
        """One frame went."""
        self._refill(now)
        self._tokens -= 1.0

    def exhaust(self, now: float) -> None:
        """The gateway said RATE_LIMITED: it has less patience left than we thought."""
        self._refill(now)
        if self._rate < inf:
            self._tokens = min(self._tokens, 0.0)

    def _refill(self, now: float) -> None:
        if self._rate < inf:
            self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)
