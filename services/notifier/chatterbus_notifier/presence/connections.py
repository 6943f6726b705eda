"""The connections of one gateway, slot by slot, and how much of what it told is known. Pure.

Promises: a connection takes one dictionary entry, and shares the text of its user's id with everything else that is
kept of the user. Decides nothing; roster.py does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

UNKNOWN: Final = -1  # version of a slot of which no snapshot has come


class SlotView:
    """One slot of one gateway: connection id -> user id, by state."""

    __slots__ = ("active", "away", "heard", "version")

    def __init__(self) -> None:
        self.active: dict[str, str] = {}
        self.away: dict[str, str] = {}
        self.version = UNKNOWN
        self.heard = UNKNOWN  # the highest version that the gateway was heard to speak of

    @property
    def count(self) -> int:
        """How many connections there are."""
        return len(self.active) + len(self.away)

    def agrees(self, version: int, count: int) -> bool:
        """Whether a gateway that is at `version` with `count` connections has nothing that is missing here."""
        return self.version > version or (self.version == version and self.count == count)


class GatewayView:
    """One process of a gateway."""

    __slots__ = (
        "doubts",
        "draining",
        "expected",
        "expires_at_s",
        "incarnation",
        "leased",
        "revision",
        "slots",
        "wanted",
    )

    def __init__(self, incarnation: int, slots: Iterable[int], expires_at_s: float) -> None:
        self.incarnation = incarnation
        self.expires_at_s = expires_at_s
        self.slots = {slot: SlotView() for slot in slots}
        self.wanted = set(self.slots)  # slots of which a snapshot is needed
        self.expected: dict[int, int] = {}  # connections per slot, as the lease has it
        self.doubts: dict[int, tuple[float, int, int]] = {}  # slot -> since when, and the [version, count] to be met
        self.draining = False
        self.leased = False
        self.revision = UNKNOWN  # of the lease that was seen last

    @property
    def is_known(self) -> bool:
        """Whether every slot had a snapshot."""
        return all(slot.version != UNKNOWN for slot in self.slots.values())
