"""Children do not outlive `up`, even when it is killed with SIGKILL.

Linux only: the kernel signals a child when its parent dies (PR_SET_PDEATHSIG). macOS has nothing like it: there the
next `up` on the same data directory finds what was left running in children.json and stops it (leftovers.py).
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def die_with_parent(orphan_signal: signal.Signals) -> Callable[[], None] | None:
    """What the new child calls between fork and exec (after any change of user, which would clear the setting)."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork: a child of a threaded process must not import
    parent = os.getpid()

    def arrange() -> None:
        prctl(PR_SET_PDEATHSIG, int(orphan_signal), 0, 0, 0)
        if os.getppid() != parent:  # the parent died between fork and prctl
            os._exit(1)

    return arrange
