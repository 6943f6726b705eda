"""Whether a connection's person is there: active, or away. Pure.

Promises: away when nothing came for `away_after_s` but what programs send by themselves (QUIET_FRAMES), active again
with the first frame that is more than that; who says `away` itself is away until it says otherwise, whatever it sends
meanwhile. Each turn is told once. The time of a frame costs one attribute; that a connection went quiet is found at
the wheel's next visit.
"""

from __future__ import annotations

import math
from typing import Final, Protocol

from chatterbus_contracts.frames.client import Auth, ClientFrame, Ping, SendDelivered, Subscribe, WatchPresence

QUIET_FRAMES: Final[frozenset[type[ClientFrame]]] = frozenset({Ping, Auth, SendDelivered, Subscribe, WatchPresence})


class Told(Protocol):
    """The part of Effects that is needed here."""

    def set_away(self, *, away: bool) -> None: ...


class Activity:
    """Of one authenticated connection. Whoever sets `active_s` (monotonic) calls `wake` if `is_away`."""

    __slots__ = ("_declared_away", "_told", "active_s", "is_away")

    def __init__(self, told: Told, now_s: float) -> None:
        self.active_s = now_s
        self.is_away = False
        self._declared_away = False
        self._told = told

    def declare(self, *, away: bool) -> None:
        """The client says how it is."""
        self._declared_away = away
        self._turn(away=away)

    def wake(self) -> None:
        """A frame came."""
        self._turn(away=self._declared_away)

    def due_s(self, now_s: float, away_after_s: float) -> float:
        """Go away if it is time; when to be asked again at the latest."""
        if self.is_away:
            return math.inf
        due_s = self.active_s + away_after_s
        if now_s < due_s:
            return due_s
        self._turn(away=True)
        return math.inf

    def _turn(self, *, away: bool) -> None:
        if away != self.is_away:
            self.is_away = away
            self._told.set_away(away=away)
