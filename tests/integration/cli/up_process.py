"""`chatterbus up --json` as a black box: started, spoken to with signals, and read by what it prints."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

READY_DEADLINE_S = 40.0
EXIT_DEADLINE_S = 40.0


class UpProcess:
    """One `up` with the stand-in services in `fakes`."""

    def __init__(self, fakes: Path, *options: str, env: dict[str, str] | None = None) -> None:
        self._argv = (sys.executable, "-c", "from chatterbus.main import app; app()", "up", "--json", *options)
        self._env = {**os.environ, "PYTHONPATH": str(fakes), "FAKES_REPORT_TO": str(fakes), **(env or {})}
        self._log = fakes / f"up-{id(self)}.log"
        self._process: Process | None = None
        self.ready: dict[str, Any] = {}

    async def start(self) -> "UpProcess":
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv, env=self._env, stdout=asyncio.subprocess.PIPE, stderr=log
            )
        return self

    async def until_ready(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(READY_DEADLINE_S):
            line = await self._process.stdout.readline()
        assert line, f"`up` ended before it was ready:\n{self.log()}"
        self.ready = json.loads(line)
        return self.ready

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def exit_code(self) -> int:
        assert self._process is not None
        async with asyncio.timeout(EXIT_DEADLINE_S):
            return await self._process.wait()

    async def rest_of_stdout(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(EXIT_DEADLINE_S):
            return await self._process.stdout.read()

    async def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return await self.exit_code()

    def log(self) -> str:
        return self._log.read_text()

    def current_pids(self) -> dict[str, int]:
        """As of now, restarts included."""
        running = json.loads(Path(self.ready["childrenFile"]).read_text())
        return {name: child["pid"] for name, child in running.items()}

    async def end(self) -> None:
        """For teardown: whatever state it is in, see that it is gone."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self.exit_code()
