"""The notifier as operators start it, its log read line by line."""

from __future__ import annotations

import asyncio
import json
import os
import sys


class Process:
    """A service started as operators do, its log read line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, object]] = []

    async def logged(self, event: str, timeout_s: float = 10) -> dict[str, object]:
        assert self.process.stdout is not None
        async with asyncio.timeout(timeout_s):
            while line := await self.process.stdout.readline():
                self.lines.append(json.loads(line))
                if self.lines[-1]["event"] == event:
                    return self.lines[-1]
        raise AssertionError(f"ended without {event!r}: {self.lines}")


async def start(**environment: str) -> Process:
    return Process(
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "chatterbus_notifier",
            env={**os.environ, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    )
