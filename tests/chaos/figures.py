"""What a run under a fault came to: a row of docs/chaos.md."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

RESULTS: Final = Path(os.environ.get("CHATTERBUS_CHAOS_RESULTS", Path(__file__).parent / "results.jsonl"))


@dataclass(frozen=True, slots=True)
class Figures:
    """`invariants`: the checkers that were asked and found nothing. `worst_stall_s`: the longest time between a send
    and its ack, None where nothing is acked. `notes`: what else was measured, in words."""

    scenario: str
    fault: str
    sent: int
    acked: int
    lost: int
    duplicated: int
    worst_stall_s: float | None
    invariants: str
    notes: str = ""
    seed: int | None = None
    size: str = "full"
    took_s: float | None = None
    at: str = field(default_factory=lambda: time.strftime("%Y-%m-%d %H:%M", time.gmtime()))


def append(figures: Figures, path: Path = RESULTS) -> None:
    """One line of JSON."""
    with path.open("a") as lines:
        lines.write(json.dumps(asdict(figures)) + "\n")


def read(path: Path = RESULTS) -> list[Figures]:
    """The last run of each scenario, in the order of their names."""
    if not path.exists():
        return []
    rows = [Figures(**json.loads(line)) for line in path.read_text().splitlines() if line.strip()]
    latest = {row.scenario: row for row in rows}
    return [latest[name] for name in sorted(latest, key=_place)]


def _place(scenario: str) -> tuple[int, str]:
    digits = "".join(mark for mark in scenario.split()[0] if mark.isdigit())
    return (int(digits) if digits else 1_000, scenario)
