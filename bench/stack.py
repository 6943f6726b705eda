"""An embedded stack to measure: `chatterbus up`, ephemeral, on given cores, with the limits out of the way."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.cores import pin

START_TIMEOUT_S: Final = 60
LIMITS_OFF: Final = {
    "GATEWAY_RATE_FRAMES_PER_S": "1000000",
    "GATEWAY_RATE_BURST_FRAMES": "1000000",
    "GATEWAY_MAX_CONNECTIONS_PER_USER": "100000",
    "GATEWAY_MAX_CONNECTIONS_PER_ADDRESS": "100000",
    "GATEWAY_MAX_IN_FLIGHT_PER_CONNECTION": "100000",
}


@dataclass(frozen=True, slots=True)
class Stack:
    """Where it listens, and its processes by name."""

    url: str
    ws: str
    pids: dict[str, int]


@contextmanager
def stack(cores: set[int], log: Path) -> Iterator[Stack]:
    """A running stack. Its log goes to `log`."""
    with log.open("w") as sink:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).parent / "chatterbus"),
                "up",
                "--json",
                "--ephemeral",
                "--port",
                "0",
                "--log-level",
                "warning",
            ],
            env={**os.environ, **LIMITS_OFF},
            stdout=subprocess.PIPE,
            stderr=sink,
            text=True,
            preexec_fn=lambda: pin(cores),  # noqa: PLW1509 - nothing runs beside us yet
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the stack did not start: see {log}")
            ready = json.loads(line)
            yield Stack(ready["url"], ready["ws"], ready["pids"])
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(START_TIMEOUT_S)
