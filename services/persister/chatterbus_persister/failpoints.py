"""Places where a test may kill or freeze the process: between fetching and announcing, the four gaps that crash safety
is about.

Promises: does nothing unless a directory is configured; then a file of the point's name is removed and the process is
killed with SIGKILL right there, once; where the file says `freeze`, it is stopped with SIGSTOP and goes on when it is
told to. Not for production: the setting says so.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

Failpoint = Literal["fetched", "applied", "committed", "announced"]
Reach = Callable[[Failpoint], None]

FREEZE: Final = "freeze"


def armed_by(directory: Path | None) -> Reach:
    """The function that the lane calls at each point."""
    if directory is None:
        return lambda _point: None

    def reach(point: Failpoint) -> None:
        trigger = directory / point
        if trigger.exists():
            signum = signal.SIGSTOP if trigger.read_text() == FREEZE else signal.SIGKILL
            trigger.unlink()
            os.kill(os.getpid(), signum)

    return reach
