"""Writes the merged log without ever making the stack wait for its reader.

A terminal stopped with Ctrl-S, or a parent that does not read our stderr, blocks a write for ever. If that blocked the
event loop, the children's pipes would fill and chat would stop. So a thread writes, from a bounded queue; when it is
full, lines are dropped and counted, and the count is written when the reader is back.
"""

import os
import queue
import threading

QUEUE_LINES = 10_000
CLOSE_DEADLINE_S = 2.0


class LogWriter:
    """Lines to a file descriptor. Safe to call from one thread; a reader that went away silences it."""

    def __init__(self, descriptor: int, queue_lines: int = QUEUE_LINES) -> None:
        self._descriptor = descriptor
        self._lines: queue.Queue[str | None] = queue.Queue(queue_lines)
        self._dropped = 0
        self._thread = threading.Thread(target=self._drain, name="log-writer", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        try:
            if self._dropped:
                self._lines.put_nowait(f"({self._dropped} log lines dropped: the reader was too slow)")
                self._dropped = 0
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Write what is queued, for at most CLOSE_DEADLINE_S."""
        try:
            self._lines.put(None, timeout=CLOSE_DEADLINE_S)
        except queue.Full:
            return
        self._thread.join(CLOSE_DEADLINE_S)

    def _drain(self) -> None:
        while (line := self._lines.get()) is not None:
            # os.write, not a file object: its lock would be held for ever at exit by a blocked daemon thread.
            rest = (line + "\n").encode("utf-8", "replace")
            try:
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            except OSError:  # the reader is gone; the stack goes on
                self._descriptor = os.open(os.devnull, os.O_WRONLY)
