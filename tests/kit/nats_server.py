"""A real nats-server on a port of its own, to be stopped, killed and started again by tests."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

BINARY: Final = Path(sys.executable).parent / "nats-server"
START_TIMEOUT_S: Final = 10.0
STOP_TIMEOUT_S: Final = 10.0


def free_port() -> int:
    """Below the range that outgoing connections are given theirs from: nobody gets it by chance before it is used."""
    while True:
        port = random.randrange(10_000, 32_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


class NatsServer:
    """Keeps its port and its store over restarts. `options` are further command line arguments of nats-server."""

    def __init__(self, store: Path, *options: str) -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._store = store
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when the server takes connections."""
        if self._process is not None:
            return
        with (self._store / "nats-server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [BINARY, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self._store), *self._options],
                stdout=log,
                stderr=log,
            )
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                    if probe.recv(4) == b"INFO":
                        return
            except OSError as error:
                if time.monotonic() > deadline_s or self._process.poll() is not None:
                    raise AssertionError(f"nats-server did not start, see {self._store}/nats-server.log") from error
            time.sleep(0.01)

    def stop(self) -> None:
        """In order: SIGTERM, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a crash: SIGKILL."""
        self._end(signal.SIGKILL)

    def signal(self, signum: int) -> None:
        """To freeze (SIGSTOP), thaw (SIGCONT) or retire (SIGUSR2, lame duck) the server."""
        if self._process is None:
            return
        self._process.send_signal(signum)
        if signum == signal.SIGSTOP:
            # The signal is sent, not yet felt: threads on another core still answer for a moment.
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def _end(self, signum: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if signum != signal.SIGKILL:
            process.send_signal(signal.SIGCONT)  # a frozen server would not see SIGTERM; a killed one must not thaw
        process.send_signal(signum)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_S)
