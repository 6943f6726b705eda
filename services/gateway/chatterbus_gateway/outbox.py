"""What a connection's socket does not take yet. Pure.

Promises: two lanes, each bounded in bytes. Durable frames (messages, receipts, acks, answers) leave in the order they
came, and a frame that does not fit is refused, which ends the connection: its client resumes by rev. Ephemeral frames
(typing, presence, unread counts) are coalesced by key, leave after durable ones, and the oldest are dropped first.
Typing that waits is dropped when a durable frame comes behind it: it would leave after the message that ended it.
Frames are shared bytes and never copied here. An idle connection has no outbox at all.
"""

from __future__ import annotations

from collections import deque
from typing import Final

DURABLE_MAX_BYTES: Final = 2 * 1024 * 1024  # minutes of a busy thread; more is cheaper to resume by rev
EPHEMERAL_MAX_BYTES: Final = 64 * 1024  # everybody typing in every thread at once
TYPING: Final = "typing/"  # how the keys of typing notices begin; no id holds a slash


class Outbox:
    """One blocked connection's backlog."""

    __slots__ = (
        "_durable",
        "_ephemeral",
        "_typing",
        "dropped",
        "durable_bytes",
        "durable_max",
        "ephemeral_bytes",
        "ephemeral_max",
    )

    def __init__(self, durable_max: int = DURABLE_MAX_BYTES, ephemeral_max: int = EPHEMERAL_MAX_BYTES) -> None:
        self._durable: deque[bytes] = deque()
        self._ephemeral: dict[str, bytes] = {}
        self._typing: set[str] = set()  # which of the keys are of typing notices
        self.durable_bytes = 0
        self.ephemeral_bytes = 0
        self.durable_max = durable_max
        self.ephemeral_max = ephemeral_max
        self.dropped = 0  # ephemeral frames that nothing newer of their key replaced

    def __bool__(self) -> bool:
        return bool(self._durable or self._ephemeral)

    def add_durable(self, frames: bytes) -> bool:
        """False when it does not fit: the connection is a slow consumer."""
        if self.durable_bytes + len(frames) > self.durable_max:
            return False
        self._durable.append(frames)
        self.durable_bytes += len(frames)
        if self._typing:
            self._drop_typing()
        return True

    def add_ephemeral(self, key: str, frame: bytes) -> int:
        """Keep the latest frame of a key; returns how many other frames were dropped for it (itself included)."""
        replaced = self._ephemeral.pop(key, None)
        if replaced is not None:
            self.ephemeral_bytes -= len(replaced)
        if len(frame) > self.ephemeral_max:
            self.dropped += 1
            return 1
        self._ephemeral[key] = frame
        self.ephemeral_bytes += len(frame)
        if key.startswith(TYPING):
            self._typing.add(key)
        dropped = 0
        while self.ephemeral_bytes > self.ephemeral_max:
            oldest = next(iter(self._ephemeral))
            self.ephemeral_bytes -= len(self._ephemeral.pop(oldest))
            self._typing.discard(oldest)
            dropped += 1
        self.dropped += dropped
        return dropped

    def _drop_typing(self) -> None:
        for key in self._typing:
            self.ephemeral_bytes -= len(self._ephemeral.pop(key))
        self._typing.clear()

    def take(self, max_bytes: int) -> list[bytes]:
        """The next frames to write: at least one if there is any, else at most `max_bytes` of them."""
        frames: list[bytes] = []
        size = 0
        durable = self._durable
        while durable and (not frames or size + len(durable[0]) <= max_bytes):
            frame = durable.popleft()
            frames.append(frame)
            size += len(frame)
        self.durable_bytes -= size
        if durable:
            return frames
        while self._ephemeral:
            key = next(iter(self._ephemeral))
            if frames and size + len(self._ephemeral[key]) > max_bytes:
                break
            frame = self._ephemeral.pop(key)
            self._typing.discard(key)
            self.ephemeral_bytes -= len(frame)
            frames.append(frame)
            size += len(frame)
        return frames
