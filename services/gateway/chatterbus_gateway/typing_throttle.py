"""How often a user's typing in a thread is passed on. Pure.

Promises: one notice per user and thread in `every_s`, except that the notice which ends typing passes at once,
once per start, and that a message, which ends typing too, makes the next start pass at once. Remembers nobody for
longer than that.
"""

from __future__ import annotations

from typing import Final

from chatterbus_contracts.ids import ThreadId, UserId

TYPING_EVERY_S: Final = 2.0  # clients forget a notice after 3 s


class TypingThrottle:
    """Who was typing where, and when it was last said."""

    __slots__ = ("_every_s", "_last", "_next_sweep_s")

    def __init__(self, every_s: float = TYPING_EVERY_S) -> None:
        self._every_s = every_s
        self._last: dict[tuple[UserId, ThreadId], tuple[float, bool]] = {}
        self._next_sweep_s = 0.0

    def __len__(self) -> int:
        return len(self._last)

    def admits(self, user_id: UserId, thread_id: ThreadId, is_typing: bool, now_s: float) -> bool:
        """Whether to pass this notice on."""
        if now_s >= self._next_sweep_s:
            self._sweep(now_s)
        key = (user_id, thread_id)
        last = self._last.get(key)
        if last is None or now_s - last[0] >= self._every_s:
            self._last[key] = (now_s, is_typing)
            return True
        at_s, was_typing = last
        if was_typing and not is_typing:
            self._last[key] = (at_s, False)
            return True
        return False

    def message_sent(self, user_id: UserId, thread_id: ThreadId) -> None:
        """Clients have forgotten that this user was typing."""
        self._last.pop((user_id, thread_id), None)

    def _sweep(self, now_s: float) -> None:
        self._next_sweep_s = now_s + self._every_s
        self._last = {key: last for key, last in self._last.items() if now_s - last[0] < self._every_s}
