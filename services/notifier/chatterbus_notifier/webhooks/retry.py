"""When a failed delivery is tried again. Pure.

Promises: delays double from `first_s` up to `longest_s`, each shortened by a random share of up to `jitter`, so that
deliveries which failed together do not come back together; what a receiver asks for with Retry-After is kept, up to
`longest_s`; an event is given up when `retry_for_s` have passed since its first attempt, and tried once more just then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`random` returns a float in [0, 1)."""

    random: Callable[[], float]
    retry_for_s: float = 86_400
    first_s: float = 5
    longest_s: float = 3_600
    jitter: float = 0.2

    def delay_s(self, attempts: int, since_first_s: float, asked_s: float | None) -> float | None:
        """How long to wait after the attempt number `attempts` (1, 2, ...) failed, `since_first_s` after the first.
        None: not again."""
        left_s = self.retry_for_s - since_first_s
        if left_s <= 0:
            return None
        doubled_s = self.longest_s if attempts > 32 else min(self.first_s * 2 ** (attempts - 1), self.longest_s)
        wanted_s = max(doubled_s * (1 - self.jitter * self.random()), asked_s or 0)
        return min(wanted_s, self.longest_s, left_s)


def parse_retry_after(value: str, now_s: float) -> float | None:
    """Seconds to wait, of a Retry-After header (RFC 9110, 10.2.3: seconds or a date); None when it makes no sense.
    `now_s` is unix time."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), 10**9))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now_s)
