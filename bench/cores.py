"""Which process runs where, and how busy it was."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from chatterbus.orphan import die_with_parent


def pin(cores: set[int]) -> None:
    """This process, and all that it starts from now on, run on these cores only. No-op where the system can not."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def pinned_child(cores: set[int], orphan_signal: signal.Signals) -> Callable[[], None]:
    """What a new child calls before it becomes another program: on these cores, and not longer there than we are."""
    mortal = die_with_parent(orphan_signal)

    def arrange() -> None:
        pin(cores)
        if mortal:
            mortal()

    return arrange


def set_of(text: str) -> set[int]:
    """`0,1` as on the command line."""
    return {int(core) for core in text.split(",")}


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and its dead children, from /proc; 0 where that is not there."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123 - a pseudo file
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def rss_bytes(pid: int) -> int:
    """Resident memory of a process, from /proc; 0 where that is not there."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as statm:  # noqa: PTH123 - a pseudo file
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def busy_s(cores: set[int]) -> float:
    """CPU seconds used on these cores by anybody, from /proc/stat; 0 where that is not there."""
    try:
        with open("/proc/stat", encoding="ascii") as stat:  # noqa: PTH123 - a pseudo file
            rows = {row[0]: [int(field) for field in row[1:9]] for row in map(str.split, stat) if row[0][3:].isdigit()}
    except OSError:
        return 0.0
    idle, waiting = 3, 4
    ticks = sum(sum(fields) - fields[idle] - fields[waiting] for core in cores if (fields := rows.get(f"cpu{core}")))
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_bytes(pid: int) -> int:
    """Memory of a process with its part of what it shares (PostgreSQL's backends share most); resident where that is
    not told."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:  # noqa: PTH123 - a pseudo file
            return next(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return rss_bytes(pid)


def tree_of(pid: int) -> list[int]:
    """The process and its descendants (PostgreSQL's backends are its children)."""
    found = [pid]
    for parent in found:
        for task in os.listdir(f"/proc/{parent}/task") if os.path.isdir(f"/proc/{parent}/task") else []:  # noqa: PTH208, PTH112
            try:
                with open(f"/proc/{parent}/task/{task}/children", encoding="ascii") as children:  # noqa: PTH123
                    found.extend(int(child) for child in children.read().split())
            except OSError:
                continue
    return found


@dataclass(slots=True)
class Usage:
    """CPU used by named process trees over a stretch of time."""

    pids: dict[str, int]
    started_at: float = 0.0
    before: dict[str, float] | None = None

    def start(self) -> None:
        self.started_at = time.monotonic()
        self.before = self._now()

    def shares(self) -> dict[str, float]:
        """Share of one core per name since `start`, 1.0 is a whole core."""
        if self.before is None:
            raise RuntimeError("not started")
        elapsed_s = time.monotonic() - self.started_at
        return {name: round((used - self.before[name]) / elapsed_s, 3) for name, used in self._now().items()}

    def _now(self) -> dict[str, float]:
        return {name: sum(cpu_s(child) for child in tree_of(pid)) for name, pid in self.pids.items()}
