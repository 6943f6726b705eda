"""Other processes on this machine: is one alive, what is it, who listens on a port.

Reads /proc on Linux and asks `ps` elsewhere (macOS). Answers None when the machine does not tell; never raises for it.
"""

import os
import platform
import subprocess
from pathlib import Path

LINUX = platform.system() == "Linux"
PROC = Path("/proc")
LISTEN = "0A"
PS_DEADLINE_S = 2.0


def is_alive(pid: int) -> bool:
    """True while the process can still run code: a zombie, dead but not yet collected by its parent, cannot."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    if not LINUX:
        return True
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def command_line(pid: int) -> str | None:
    """The process's command line, words joined by spaces, or None when it is gone or not ours to see."""
    if LINUX:
        try:
            raw = (PROC / str(pid) / "cmdline").read_bytes()
        except OSError:
            return None
        return " ".join(os.fsdecode(word) for word in raw.rstrip(b"\0").split(b"\0")) or None
    try:
        asked = subprocess.run(
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, timeout=PS_DEADLINE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() or None


def listener_on(port: int) -> str | None:
    """'pid 123 (command line)' of whoever listens on this TCP port, or None when that cannot be found."""
    inodes = {inode for table in ("tcp", "tcp6") for inode in _listening_inodes(PROC / "net" / table, port)}
    if not inodes:
        return None
    sockets = {f"socket:[{inode}]" for inode in inodes}
    for process in PROC.glob("[0-9]*"):
        if _holds_one_of(process / "fd", sockets):
            pid = int(process.name)
            return f"pid {pid} ({(command_line(pid) or 'unknown')[:120]})"
    return None


def _listening_inodes(table: Path, port: int) -> list[str]:
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return []
    wanted = f":{port:04X}"
    return [row[9] for row in rows if row[1].endswith(wanted) and row[3] == LISTEN]


def _holds_one_of(descriptors: Path, sockets: set[str]) -> bool:
    try:
        for descriptor in os.scandir(descriptors):
            if os.readlink(descriptor.path) in sockets:  # noqa: PTH115 - thousands of them: no Path for each
                return True
    except OSError:  # gone meanwhile, or another user's
        return False
    return False
