"""Says in the log how far a rebuild has come: at its beginning, every few seconds, and at its end."""

import time
from collections.abc import Callable
from typing import Final

import structlog

log = structlog.get_logger(__name__)

SAY_EVERY_S: Final = 5.0


class Progress:
    """Of one rebuild, as this process sees it. Says nothing of a rebuild that finds no message."""

    def __init__(self, what: str, reason: str | None = None, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._reason = reason
        self._clock_s = clock_s
        self._started_s = self._said_at_s = clock_s()
        self._about = 0
        self.count = 0

    def begun(self, messages_about: int) -> None:
        """There is something to do."""
        self._about = messages_about
        log.warning(self._what, reason=self._reason or "it was begun before", messages_about=messages_about)

    def add(self, count: int) -> None:
        """`count` more messages are done."""
        self.count += count
        now_s = self._clock_s()
        if now_s - self._said_at_s >= SAY_EVERY_S:
            self._said_at_s = now_s
            log.info(self._what, messages=self.count, messages_about=self._about)

    def finished(self) -> None:
        """All is done."""
        log.info(f"{self._what}: done", messages=self.count, seconds=round(self._clock_s() - self._started_s, 1))
