"""Writes at the end of a turn of the event loop what the turn had for each connection.

Promises: a connection that gets several frames in a turn has one write. Nothing is kept beyond the turn.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

log = structlog.stdlib.get_logger(__name__)


class Flushed(Protocol):
    """A connection with something to write."""

    def flush(self) -> None:
        """Write it."""


class TurnWriter:
    """One per gateway."""

    __slots__ = ("_dirty", "_loop")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._dirty: list[Flushed] = []

    def add(self, connection: Flushed) -> None:
        """Flush this connection at the end of the turn; once per turn and connection."""
        if not self._dirty:
            self._loop.call_soon(self._flush)
        self._dirty.append(connection)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            try:
                connection.flush()
            except Exception:
                # One connection's fault must not keep the others from their frames.
                log.exception("write failed")
