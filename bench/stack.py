"""A whole system as a black box: `chatterbus up --json`, to be measured and tested from outside.

Promises: what it started is gone when the block ends; its log is kept where the caller said.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.cores import pin

STOP_TIMEOUT_S: Final = 60
LIMITS_OFF: Final = {
    "GATEWAY_RATE_FRAMES_PER_S": "1000000",
    "GATEWAY_RATE_BURST_FRAMES": "1000000",
    "GATEWAY_MAX_CONNECTIONS_PER_USER": "100000",
    "GATEWAY_MAX_CONNECTIONS_PER_ADDRESS": "100000",
    "GATEWAY_MAX_IN_FLIGHT_PER_CONNECTION": "100000",
}


@dataclass(frozen=True, slots=True)
class Stack:
    """Where it listens, and the line that `up` printed."""

    url: str
    ws: str
    ready: dict[str, Any]

    @property
    def pids(self) -> dict[str, int]:
        """Its processes by name, as of now (restarts included)."""
        running = json.loads(Path(self.ready["childrenFile"]).read_text())
        return {name: child["pid"] for name, child in running.items()}


@contextmanager
def stack(
    log: Path,
    *options: str,
    env: Mapping[str, str] | None = None,
    cores: set[int] | None = None,
    data_dir: Path | None = None,
) -> Iterator[Stack]:
    """A running stack on free ports: an empty one, or the one that is kept in `data_dir`. `cores` pins all of it."""
    where = ("--ephemeral",) if data_dir is None else ("--data-dir", str(data_dir))
    command = (str(Path(sys.executable).parent / "chatterbus"), "up", "--json", "--port", "0", *where)
    with log.open("w") as sink:
        process = subprocess.Popen(
            [*command, "--log-level", "warning", *options],
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=sink,
            text=True,
            preexec_fn=(lambda: pin(cores)) if cores else None,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the stack did not start: see {log}")
            ready = json.loads(line)
            yield Stack(ready["url"], ready["ws"], ready)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_TIMEOUT_S)
