"""The chat's terminal: lines in, lines out, and the line being written stays whole while others come in between.

Promises: on a terminal the input line can be edited (readline) and is drawn again below whatever is printed; from a
pipe or a file lines are read as they are, and nothing but text is written. The reader is a thread, for no other way
reads terminals, pipes and files alike; at most LINES_AHEAD lines are read ahead. The terminal is left as it was found.
"""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from rich.console import Console
from rich.text import Text

if sys.platform != "win32":  # elsewhere the line can be written, and is not drawn again
    import readline
    import termios

LINES_AHEAD: Final = 64
READ_BYTES: Final = 65_536
PROMPT: Final = "> "
ERASE_LINE: Final = "\r\x1b[K"
ERASE_LINE_ABOVE: Final = "\x1b[1A" + ERASE_LINE


class Terminal:
    """Standard input and output as a chat needs them."""

    def __init__(self) -> None:
        self.interactive = sys.stdin.isatty() and sys.stdout.isatty()
        self._console = Console(highlight=False, soft_wrap=True)
        self._reading = False
        self._lines: asyncio.Queue[str | None] = asyncio.Queue(LINES_AHEAD)

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Leave the terminal as it is now: a chat ends while readline waits for a key."""
        if sys.platform == "win32" or not self.interactive:
            yield
            return
        before = termios.tcgetattr(sys.stdin.fileno())
        try:
            yield
        finally:
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)
            if self._reading:
                self._reading = False
                sys.stdout.write("\n")

    async def lines(self) -> AsyncIterator[str]:
        """Lines as they are written, until the end of input."""
        read = self._read_terminal if self.interactive else self._read_stream
        loop = asyncio.get_running_loop()
        threading.Thread(target=read, args=(loop,), name="stdin", daemon=True).start()
        while (line := await self._lines.get()) is not None:
            yield line

    def show(self, *lines: Text) -> None:
        """Print lines above the one being written."""
        if self._reading:
            sys.stdout.write(ERASE_LINE)
        for line in lines:
            self._console.print(line)
        if self._reading:
            sys.stdout.write(PROMPT + self.being_written)
        sys.stdout.flush()

    @property
    def being_written(self) -> str:
        """The line that is not finished yet."""
        if sys.platform == "win32" or not self._reading:
            return ""
        return readline.get_line_buffer()

    def _read_terminal(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(EOFError, RuntimeError):  # RuntimeError: the chat is over
            while True:
                self._reading = True
                line = input(PROMPT)
                self._reading = False
                # It comes back with its mark once it is stored.
                sys.stdout.write(ERASE_LINE_ABOVE)
                sys.stdout.flush()
                self._give(loop, line)
        self._reading = False
        self._end(loop)

    def _read_stream(self, loop: asyncio.AbstractEventLoop) -> None:
        rest = b""
        with suppress(OSError, RuntimeError):
            # Not sys.stdin: a thread that waits in its lock would stop the interpreter from ending.
            while data := os.read(0, READ_BYTES):
                *whole, rest = (rest + data).split(b"\n")
                for line in whole:
                    self._give(loop, line.decode(errors="replace"))
            if rest:
                self._give(loop, rest.decode(errors="replace"))
        self._end(loop)

    def _give(self, loop: asyncio.AbstractEventLoop, line: str | None) -> None:
        if loop.is_closed():
            raise RuntimeError("the chat is over")
        asyncio.run_coroutine_threadsafe(self._lines.put(line), loop).result()

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):
            self._give(loop, None)
