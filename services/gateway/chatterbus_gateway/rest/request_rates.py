"""How fast one user may ask over REST.

Promises: the same rate and burst as a connection has for frames, per user and gateway. At most USERS_MAX users are
remembered; the one heard of longest ago is forgotten first, and starts again with a full burst.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import UserId
from chatterbus_gateway.token_bucket import TokenBucket

USERS_MAX: Final = 50_000


class RequestRates:
    """One token bucket per user. `clock` is monotonic seconds."""

    def __init__(self, rate_per_s: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[UserId, TokenBucket] = OrderedDict()

    def take(self, user_id: UserId) -> None:
        """Count one request. Raises Refusal RATE_LIMITED."""
        now_s = self._clock()
        bucket = self._buckets.get(user_id)
        if bucket is None:
            bucket = self._buckets[user_id] = TokenBucket(self._rate_per_s, self._burst, now_s)
            if len(self._buckets) > USERS_MAX:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(user_id)
        wait_s = bucket.take(now_s)
        if wait_s > 0:
            raise Refusal(
                ErrorCode.RATE_LIMITED, "too many requests in a short time", retry_after_ms=math.ceil(wait_s * 1000)
            )
