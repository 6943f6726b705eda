"""What this device wants of presence: whom it watches, and that it is away. Said anew on every connection.

Promises: the newest wish is told soon after it was made and soon after each connect, and told again, after a pause,
when the server refuses it for now; a wish that is refused for good is dropped, with a line in the log. Choices that
the server keeps (dnd, invisible) are not among the wishes.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from chatterbus_client.connection import Connection, ConnectionLost
from chatterbus_contracts.frames.client import SetPresence, WatchPresence
from chatterbus_contracts.frames.server import Error

log = logging.getLogger(__name__)

WATCH_REF: Final = "watch"
AWAY_REF: Final = "away"


class PresenceWishes:
    """One client's. Has a task while there is a connection."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._watch: WatchPresence | None = None
        self._untold: set[str] = set()  # refs of wishes that this connection has not heard
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.is_away = False

    @property
    def watched(self) -> Sequence[str]:
        """Whom this device watches."""
        return tuple(self._watch.user_ids) if self._watch is not None else ()

    def watch(self, frame: WatchPresence) -> None:
        """Watch these users from now on, and nobody else."""
        self._watch = frame.model_copy(update={"ref": WATCH_REF})
        self._tell(WATCH_REF)

    def opened(self, connection: Connection) -> None:
        """A new connection, which knows nothing yet."""
        self._untold.clear()
        if self._watch is not None and self._watch.user_ids:
            self._untold.add(WATCH_REF)
        if self.is_away:
            self._untold.add(AWAY_REF)
        self._moved.set()
        self._task = asyncio.create_task(self._run(connection))

    def lost(self) -> None:
        """The connection is gone."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def refused(self, frame: Error) -> None:
        """An error frame that may name a wish by its ref."""
        if frame.ref not in (WATCH_REF, AWAY_REF):
            return
        if not frame.retryable:
            log.warning("the server refuses %s for good: %s", frame.ref, frame.code)
            if frame.ref == WATCH_REF:
                self._watch = None
            return
        pause_s = self._pause_s if frame.retry_after_ms is None else frame.retry_after_ms / 1_000
        asyncio.get_running_loop().call_later(pause_s, self._tell, frame.ref)

    def _tell(self, ref: str) -> None:
        self._untold.add(ref)
        self._moved.set()

    async def _run(self, connection: Connection) -> None:
        try:
            while True:
                await self._moved.wait()
                self._moved.clear()
                for frame in self._frames():
                    await connection.turn()
                    await connection.send(frame)
        except ConnectionLost:
            return  # the next connection is told

    def _frames(self) -> list[SetPresence | WatchPresence]:
        frames: list[SetPresence | WatchPresence] = []
        if WATCH_REF in self._untold and self._watch is not None:
            frames.append(self._watch)
        if AWAY_REF in self._untold and self.is_away:
            frames.append(SetPresence(status="away", ref=AWAY_REF))
        self._untold.clear()
        return frames
