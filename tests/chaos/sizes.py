"""How big a run is: what fits into `make test`, and what `make chaos` does."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, replace
from typing import Final, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Size:
    """`duration_s`: how long faults go on. `pick` chooses a scenario's own numbers."""

    name: str
    clients: int
    threads: int
    rate: float  # messages/s over all clients
    duration_s: float

    @property
    def is_full(self) -> bool:
        return self.name == "full"

    def pick(self, *, quick: T, full: T) -> T:
        """One of two by the size."""
        return full if self.is_full else quick

    def lasting(self, duration_s: float) -> Size:
        """The same for another time."""
        return replace(self, duration_s=duration_s)


QUICK: Final = Size("quick", clients=12, threads=4, rate=40, duration_s=8)
FULL: Final = Size("full", clients=60, threads=12, rate=100, duration_s=45)


def chosen() -> Size:
    """By CHATTERBUS_CHAOS (`full`, or quick); CHATTERBUS_CHAOS_DURATION_S changes how long."""
    size = FULL if os.environ.get("CHATTERBUS_CHAOS") == "full" else QUICK
    duration = os.environ.get("CHATTERBUS_CHAOS_DURATION_S")
    return size.lasting(float(duration)) if duration else size


def seed() -> int:
    """CHATTERBUS_CHAOS_SEED, or a new one. It is printed with every run."""
    given = os.environ.get("CHATTERBUS_CHAOS_SEED")
    return int(given) if given else random.SystemRandom().randrange(1_000_000)
