"""How fast a connection may speak. Pure: time is a parameter.

Promises: over any stretch of t seconds at most `burst + rate * t` takes succeed, and a refused take says how long to
wait. A clock that jumps back gives nothing away.
"""

from __future__ import annotations


class TokenBucket:
    """`rate` takes a second on the long run, `burst` at once."""

    __slots__ = ("_at_s", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float, now_s: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at_s = now_s

    def take(self, now_s: float) -> float:
        """0.0 and one token less, or the seconds until there is one."""
        tokens = self._tokens
        if now_s > self._at_s:
            tokens += (now_s - self._at_s) * self.rate
            if tokens > self.burst:
                tokens = self.burst
            self._at_s = now_s
        if tokens >= 1.0:
            self._tokens = tokens - 1.0
            return 0.0
        self._tokens = tokens
        return (1.0 - tokens) / self.rate
