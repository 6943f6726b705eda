"""How much of its time the ledger is at work, for those who should leave it the machine.

Promises: `since_last` is the share, 0 to 1, of the time since it was asked last; a batch that is still at work counts
as far as it is. One worker, one asker.
"""

import time
from collections.abc import Callable


class Occupation:
    """`began` and `ended` around each batch."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_s: float | None = None
        self._worked_s = 0.0
        self._asked_s = clock()

    def began(self) -> None:
        """A batch is at hand."""
        self._began_s = self._clock()

    def ended(self) -> None:
        """It is done, for good or ill."""
        if self._began_s is not None:
            self._worked_s += self._clock() - self._began_s
            self._began_s = None

    def since_last(self) -> float:
        """The share since the last call."""
        now_s = self._clock()
        if self._began_s is not None:
            self._worked_s += now_s - self._began_s
            self._began_s = now_s
        elapsed_s, self._asked_s = now_s - self._asked_s, now_s
        worked_s, self._worked_s = self._worked_s, 0.0
        return min(1.0, worked_s / elapsed_s) if elapsed_s > 0 else 0.0
