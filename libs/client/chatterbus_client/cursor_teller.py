"""Tells the server how far this user has read, no more often than it has to.

Promises: a mark goes out at once when none went out lately, else after `receipts_pause_s`, only the newest of each
thread: reading a thousand messages in a second costs a handful of frames. What was marked by itself waits that long, so
that a reader's own mark can make it needless. Nothing is lost by a cut: see cursors.
"""

import asyncio

from chatterbus_client.connection import Connection, ConnectionLost
from chatterbus_client.cursors import Cursors


class CursorTeller:
    """One client's. Has a task while there is a connection."""

    def __init__(self, cursors: Cursors, pause_s: float) -> None:
        self._cursors = cursors
        self._pause_s = pause_s
        self._marked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None

    def mark(self) -> None:
        """There is something new in the cursors."""
        self._marked.set()

    def mark_later(self) -> None:
        """There is something new that nobody waits for."""
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(self._pause_s, self._mark_now)

    def opened(self, connection: Connection) -> None:
        """A new connection: all that is not confirmed is told again."""
        self._cursors.tell_again()
        self._marked.set()
        self._task = asyncio.create_task(self._run(connection))

    def lost(self) -> None:
        """The connection is gone."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def _mark_now(self) -> None:
        self._later = None
        self._marked.set()

    async def _run(self, connection: Connection) -> None:
        try:
            while True:
                await self._marked.wait()
                self._marked.clear()
                for frame in self._cursors.untold():
                    await connection.turn()
                    await connection.send(frame)
                await asyncio.sleep(self._pause_s)
        except ConnectionLost:
            return  # the next connection tells it again
