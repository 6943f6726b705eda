"""Places where a test may kill the process: between fetching and announcing, the four gaps that crash safety is about.

Promises: does nothing unless a directory is configured; then a file of the point's name is removed and the process is
killed with SIGKILL right there, once. Not for production: the setting says so.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Literal

Failpoint = Literal["fetched", "applied", "committed", "announced"]
Reach = Callable[[Failpoint], None]


def armed_by(directory: Path | None) -> Reach:
    """The function that the lane calls at each point."""
    if directory is None:
        return lambda _point: None

    def reach(point: Failpoint) -> None:
        trigger = directory / point
        if trigger.exists():
            trigger.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    return reach
