"""What clients did and saw in a run under faults, and what the system holds at its end. Pure data.

A value is "<client>-<counter>", sent once or many times, and stored at most once. `info` is an attempt whose fate the
client does not know: the value may be stored or not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Attempt:
    """A client's send and what came of it. `order` counts a client's sends of a thread; `seq` is the ack's."""

    value: str
    client: str
    thread: str
    order: int
    outcome: Literal["invoke", "ok", "fail", "info"]
    at_s: float
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What an observer saw, in its own order: an event with its rev, or a notice that repairs (`resync`, `reset`)."""

    observer: str
    thread: str
    order: int
    kind: Literal["event", "resync", "reset"]
    at_s: float
    rev: int = 0
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as the system holds it at the end."""

    value: str
    thread: str
    seq: int
    rev: int
    id: str
    sender: str


@dataclass(slots=True)
class History:
    """All of a run. `members`: who may see a thread; `polled`: what a reader that polled `rev > r` saw, by thread;
    `views`: what each observer's view of a thread holds at the end, as values in seq order."""

    attempts: list[Attempt] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    members: dict[str, frozenset[str]] = field(default_factory=dict)
    polled: dict[str, list[int]] = field(default_factory=dict)
    views: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    @property
    def sent(self) -> set[str]:
        """Values that somebody tried to send."""
        return {attempt.value for attempt in self.attempts}

    @property
    def acked(self) -> dict[str, list[int]]:
        """Values that were acked, with the seq of every ack."""
        acks: dict[str, list[int]] = {}
        for attempt in self.attempts:
            if attempt.outcome == "ok" and attempt.seq is not None:
                acks.setdefault(attempt.value, []).append(attempt.seq)
        return acks

    def write(self, path: Path) -> None:
        """As lines of JSON, to look into after a failure."""
        with path.open("w") as lines:
            for line in self._lines():
                lines.write(line + "\n")

    def _lines(self) -> Iterator[str]:
        for name in ("attempts", "observations", "stored"):
            for item in getattr(self, name):
                yield json.dumps({"what": name, **asdict(item)})
