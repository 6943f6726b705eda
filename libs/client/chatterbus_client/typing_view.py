"""Who is writing where. Pure: the caller brings the time.

Promises: somebody is shown as writing from a notice on until `expires_in_ms` after the last one, the notice that they
stopped, or their message, whichever comes first. Bounded: beyond `writers_max` further ones are not shown.
"""

from chatterbus_contracts.frames.server import TypingNotice


class TypingView:
    """The writers of all threads, and when each is to be forgotten."""

    def __init__(self, writers_max: int) -> None:
        self._writers_max = writers_max
        self._ends: dict[tuple[str, str], float] = {}

    def writers(self, thread_id: str) -> frozenset[str]:
        """Who is writing in a thread."""
        return frozenset(user_id for thread, user_id in self._ends if thread == thread_id)

    @property
    def next_end(self) -> float | None:
        """When `expire` has something to do, if nothing else happens."""
        return min(self._ends.values(), default=None)

    def receive(self, notice: TypingNotice, now_s: float) -> bool:
        """Whether the notice changes who is writing."""
        key = (notice.thread_id, notice.user_id)
        if not notice.is_typing:
            return self._ends.pop(key, None) is not None
        is_new = key not in self._ends
        if is_new and len(self._ends) >= self._writers_max:
            return False
        self._ends[key] = now_s + notice.expires_in_ms / 1_000
        return is_new

    def said(self, thread_id: str, user_id: str) -> bool:
        """A message came; whether its sender was writing until now."""
        return self._ends.pop((thread_id, user_id), None) is not None

    def expire(self, now_s: float) -> set[str]:
        """Forget whose time is over; the threads in which somebody was."""
        over = [key for key, end_s in self._ends.items() if end_s <= now_s]
        for key in over:
            del self._ends[key]
        return {thread_id for thread_id, _ in over}

    def clear(self) -> set[str]:
        """Forget all; the threads in which somebody was."""
        threads = {thread_id for thread_id, _ in self._ends}
        self._ends.clear()
        return threads
