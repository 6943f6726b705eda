"""How many files are on their way at the same time. Pure.

Promises: at most `at_once`, up and down together, and at most `per_user` of one user, so that nobody who sends a byte
now and then keeps the others from theirs; one more is refused at once and may be tried again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import UserId

RETRY_AFTER_MS: Final = 1_000


class Transfers:
    """One per gateway."""

    def __init__(self, at_once: int, per_user: int) -> None:
        self._at_once = at_once
        self._per_user = per_user
        self._running = 0
        self._of_user: Counter[UserId] = Counter()

    def __len__(self) -> int:
        return self._running

    def begin(self, user_id: UserId) -> None:
        """Raises Refusal TOO_MANY_IN_FLIGHT. Each `begin` has its `end`."""
        if self._running >= self._at_once or self._of_user[user_id] >= self._per_user:
            raise Refusal(
                ErrorCode.TOO_MANY_IN_FLIGHT, "too many files are on their way", retry_after_ms=RETRY_AFTER_MS
            )
        self._running += 1
        self._of_user[user_id] += 1

    def end(self, user_id: UserId) -> None:
        """It is through."""
        self._running -= 1
        self._of_user[user_id] -= 1
        if not self._of_user[user_id]:
            del self._of_user[user_id]

    @contextmanager
    def one(self, user_id: UserId) -> Iterator[None]:
        """From `begin` to `end`."""
        self.begin(user_id)
        try:
            yield
        finally:
            self.end(user_id)
