"""What a new leader may say of users it has not seen. Pure.

A leader starts with nothing: who is not there may be offline, or at a gateway that has not answered yet, or on the way
to another one. Promises that a change of leaders blinks nobody:
- `gathering`, until all gateways have told who is there, or for `patience_s`: nothing is told of by itself, and
  questions about users who are not known to be visible wait.
- `probation`, until `probation_s` after the start (the lifetime of a lease, so that a gateway that died with the last
  leader is found out, and not less than the time a moving user has): users who were not seen are answered as they
  were kept, with the version of then. A gateway that knows them as online since has a higher one, and believes itself.
- `settled`: who was not seen is offline, with a version above all of the last leader's (`floor`).
At the end of each of the first two the gateways are told to ask again (PRESENCE_RESET).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum


class Stage(Enum):
    """How far it is."""

    GATHERING = "gathering"
    PROBATION = "probation"
    SETTLED = "settled"


class Takeover:
    """Begins at `now_s`, monotonic."""

    def __init__(self, now_s: float, patience_s: float, probation_s: float) -> None:
        self._patient_until_s = now_s + patience_s
        self._probation_until_s = now_s + probation_s
        self.stage = Stage.GATHERING
        self.floor = 0  # lowest version of a user who is offline

    @property
    def is_gathering(self) -> bool:
        return self.stage is Stage.GATHERING

    def advance(self, now_s: float, is_complete: bool, next_version: Callable[[], int]) -> bool:
        """Whether another stage begins now. `is_complete`: all gateways have told who is there."""
        if self.stage is Stage.GATHERING and (is_complete or now_s >= self._patient_until_s):
            self.stage = Stage.PROBATION
            return True
        if self.stage is Stage.PROBATION and now_s >= self._probation_until_s:
            self.stage = Stage.SETTLED
            self.floor = next_version()
            return True
        return False

    def link_found(self, now_s: float, patience_s: float, probation_s: float) -> None:
        """Nothing was heard for a while: what has not ended has its full time again."""
        self._patient_until_s = now_s + patience_s
        self._probation_until_s = max(self._probation_until_s, now_s + probation_s)
