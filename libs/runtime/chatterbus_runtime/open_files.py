"""How many sockets a process may have.

Promises: as many as its supervisor allows at all. Engines and service managers often start a process with a soft limit
of 1,024 open files, which is for programs that use select(), and leave the hard one high; every connection is a file.
"""

import resource
from typing import Final

ENOUGH: Final = 1 << 20  # some systems say "no limit" and then refuse that


def allow_many() -> int:
    """Lift the soft limit of open files to the hard one; what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS has a lower limit of its own
        return soft
    return wanted
