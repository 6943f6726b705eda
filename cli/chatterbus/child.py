"""What a child process is and when it is started again. Pure: no clock, no process.

A child that dies is started again for ever once it has been ready: a stack that half works is worse than one that
heals. Before it was ever ready, START_ATTEMPTS deaths end the start, because then it is misconfigured, not unlucky.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

START_ATTEMPTS = 4
"""Deaths before the first readiness that end the start: 0.2 + 0.4 + 0.8 s of patience, then the log is shown."""


class ReadyProbe(Protocol):
    """Says whether the child with this pid can do its work now; never raises, always answers within its deadline."""

    async def passes(self, pid: int) -> bool: ...


@dataclass(frozen=True)
class Account:
    """A system account a child runs as, when it may not run as the caller (PostgreSQL refuses root)."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class ChildSpec:
    """One process to keep alive. `env` is the whole environment, not an addition to the caller's."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)  # holds secrets
    ready: ReadyProbe | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    """Sent by the kernel when `up` itself is killed. Services are crash-safe, so nothing gentler is worth a wait."""
    start_deadline_s: float = 30.0
    stop_deadline_s: float = 10.0
    account: Account | None = None
    cwd: Path | None = None
    stuck: ReadyProbe | None = None
    """Passes when the child lives and only a new start helps. Asked from its first readiness on."""


@dataclass(frozen=True)
class Backoff:
    """The pause before the next start: `first_s`, doubled up to `max_s`, forgotten after `reset_after_s` of life."""

    first_s: float = 0.2
    max_s: float = 5.0
    reset_after_s: float = 30.0
    next_s: float = 0.2

    def after_death(self, lived_s: float) -> tuple[float, "Backoff"]:
        """The seconds to wait after a life of `lived_s`, and the backoff to use after the next one."""
        pause_s = self.first_s if lived_s >= self.reset_after_s else self.next_s
        return pause_s, replace(self, next_s=min(pause_s * 2, self.max_s))


def describe_exit(code: int) -> str:
    """'exited with code 1' or 'was killed by SIGKILL' (negative codes are signals, as subprocess reports them)."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
