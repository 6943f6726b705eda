"""How long to wait before trying again.

Promises delays that grow from `initial_s` by `factor` up to `maximum_s`, each shortened by a random share of up to
`jitter`, so that processes which lost the same server do not come back in step. Knows no clock and never sleeps: the
caller waits.
"""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """A sequence of delays in seconds. `random` returns a float in [0, 1)."""

    __slots__ = ("_factor", "_initial_s", "_jitter", "_maximum_s", "_next_s", "_random")

    def __init__(
        self, initial_s: float, factor: float, maximum_s: float, jitter: float, random: Callable[[], float]
    ) -> None:
        if initial_s <= 0 or factor < 1 or maximum_s < initial_s or not 0 <= jitter <= 1:
            raise ValueError("needs 0 < initial_s <= maximum_s, factor >= 1 and jitter within 0..1")
        self._initial_s = initial_s
        self._factor = factor
        self._maximum_s = maximum_s
        self._jitter = jitter
        self._random = random
        self._next_s = initial_s

    def next_s(self) -> float:
        """The next delay; never above `maximum_s`, never below `(1 - jitter) * initial_s`."""
        delay_s = self._next_s
        self._next_s = min(self._next_s * self._factor, self._maximum_s)
        return delay_s * (1 - self._jitter * self._random())

    def reset(self) -> None:
        """Start again at `initial_s`; call it when an attempt has succeeded."""
        self._next_s = self._initial_s
