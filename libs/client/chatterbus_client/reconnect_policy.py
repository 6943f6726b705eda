"""Whether and when to come back after a connection was lost. Pure: time and chance are arguments.

Promises: delays grow 1, 2, 4, 8, 16, 30 s with full jitter (anything from 0 to that), so that thousands who lost the
same gateway do not return in step; a gateway's `reconnect {afterMs}` is honoured to the millisecond and never counts as
a failure; a close code of the class "do not reconnect" ends the client, save that an expired token is renewed once.
Source of full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from chatterbus_contracts.errors import CLOSES, CloseCode

NO_RETURN: Final = range(4500, 5000)


@dataclass(frozen=True, slots=True)
class Again:
    """Connect again after `delay_s`, with a new token if `fresh_token`."""

    delay_s: float
    fresh_token: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """Do not come back; `reason` is for people."""

    code: int
    reason: str


def comes_back(code: int | None) -> bool:
    """Whether a close with this code (None: no close frame came) is followed by a reconnect."""
    if code is None:
        return True
    row = CLOSES.get(CloseCode(code)) if code in CloseCode.__members__.values() else None
    return row.reconnect if row is not None else code not in NO_RETURN


class ReconnectPolicy:
    """The sequence of delays of one client. `random` returns a float in [0, 1)."""

    __slots__ = (
        "_attempts",
        "_can_renew",
        "_initial_s",
        "_maximum_s",
        "_not_before",
        "_opened_at",
        "_random",
        "_renewed",
        "_stable_after_s",
    )

    def __init__(
        self,
        random: Callable[[], float],
        *,
        can_renew_token: bool,
        initial_s: float = 1.0,
        maximum_s: float = 30.0,
        stable_after_s: float = 10.0,
    ) -> None:
        self._random = random
        self._can_renew = can_renew_token
        self._initial_s = initial_s
        self._maximum_s = maximum_s
        self._stable_after_s = stable_after_s
        self._attempts = 0
        self._renewed = False
        self._opened_at: float | None = None
        self._not_before: float | None = None

    def opened(self, now: float) -> None:
        """The server accepted our auth."""
        self._opened_at = now
        self._renewed = False

    def told_to_return(self, after_ms: int, now: float) -> None:
        """A `reconnect` frame came."""
        self._not_before = now + after_ms / 1000

    def lost(self, code: int | None, now: float) -> Again | Stop:
        """The connection ended with this close code, or was never made (None)."""
        opened_at, self._opened_at = self._opened_at, None
        not_before, self._not_before = self._not_before, None
        if opened_at is not None and now - opened_at >= self._stable_after_s:
            self._attempts = 0
        if code == CloseCode.TOKEN_EXPIRED and self._can_renew and not self._renewed:
            self._renewed = True
            return Again(self._next_delay_s(), fresh_token=True)
        if not_before is not None:
            return Again(max(0.0, not_before - now))
        if not comes_back(code):
            return Stop(code or 0, _reason(code))
        return Again(self._next_delay_s())

    def _next_delay_s(self) -> float:
        bound_s = min(self._initial_s * 2.0**self._attempts, self._maximum_s)
        self._attempts = min(self._attempts + 1, 32)  # 2**32 s is beyond any maximum, and below what a float holds
        return bound_s * self._random()


def _reason(code: int | None) -> str:
    if code is not None and code in CloseCode.__members__.values():
        row = CLOSES[CloseCode(code)]
        return f"{row.when}; {row.client}"
    return f"the server closed with code {code}, which means: do not come back"
