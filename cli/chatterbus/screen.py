"""What the person sees: stages with their seconds while starting, then the merged log.

Console mode writes to stdout, `--json` mode to stderr (stdout then holds the one ready line and nothing else). On a
terminal the running stages are one live status line; elsewhere each stage is one plain line when it is done.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from chatterbus import log_merge
from chatterbus.log_writer import LogWriter

REFRESH_S = 0.1


class Screen:
    """The one place that writes to the terminal during `up`. Use as an async context manager."""

    def __init__(self, *, json_output: bool, log_level: str) -> None:
        self._json = json_output
        self._level = log_level
        stream = sys.stderr if json_output else sys.stdout
        terminal = False if json_output else None  # None: ask the stream
        self._console = Console(file=stream, highlight=False, soft_wrap=True, force_terminal=terminal)
        self._colour = self._console.is_terminal and not self._console.no_color
        self._writer = LogWriter(stream.fileno())
        self._running: dict[str, float] = {}
        self._live: Live | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)  # no thread: see REFRESH_S
            self._live.start()
            self._refreshing = asyncio.create_task(self._refresh())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end_stages()
        self._writer.close()

    def end_stages(self) -> None:
        """The start is over: give the terminal to the log."""
        if self._refreshing:
            self._refreshing.cancel()
        if self._live:
            self._live.stop()
            self._live = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Show `name` as running; when it ends well, say how long it took."""
        self._running[name] = time.monotonic()
        try:
            yield
        except BaseException:
            del self._running[name]
            raise
        took_s = time.monotonic() - self._running.pop(name)
        self.show(Text.assemble(("✓ ", "green"), name, (f"  {took_s:.1f} s", "dim")))

    def log(self, source: str, line: str) -> None:
        """One line of a child's output (or of `up` itself, which has no level and is always shown)."""
        parsed = log_merge.parse(line)
        if not log_merge.is_shown(source, parsed, self._level):
            return
        now = datetime.now().astimezone()
        if self._json:
            self._write(log_merge.for_machines(source, parsed, now))
        else:
            self._write(log_merge.for_people(source, parsed, now, colour=self._colour))

    def show(self, content: RenderableType) -> None:
        """Something of our own making: a notice, a finished stage, the final panel."""
        if self._live:
            self._live.console.print(content)
            return
        with self._console.capture() as captured:
            self._console.print(content)
        text = captured.get().rstrip("\n")
        if self._json:
            self.log("up", text)
        else:
            self._write(text)

    def _write(self, line: str) -> None:
        if self._live:
            self._live.console.print(Text.from_ansi(line))
        else:
            self._writer.write(line)

    async def _refresh(self) -> None:
        spinner = Spinner("dots")
        while self._live:
            now = time.monotonic()
            stages = ", ".join(f"{name} {now - since:.1f} s" for name, since in self._running.items())
            spinner.update(text=stages or "starting")
            self._live.update(spinner, refresh=True)
            await asyncio.sleep(REFRESH_S)
