"""The scenarios of a run by hand, each with the sizes it has there. Each gets a stack of its own."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from bench.audience import audience
from bench.fanout import fanout
from bench.idle import idle
from bench.latency import latency
from bench.ledger import ledger
from bench.live import Live
from bench.mixed import mixed
from bench.stack import Stack
from bench.storm import storm
from bench.throughput import throughput

Scenario = Callable[[Stack, float, Live], Coroutine[Any, Any, dict[str, Any]]]

SCENARIOS: Final[dict[str, Scenario]] = {
    "latency": lambda stack, seconds, live: latency(stack.ws, rate_per_s=100, pairs=10, seconds=seconds, live=live),
    "throughput": lambda stack, seconds, live: throughput(
        stack.ws, senders=20, threads=20, window=50, seconds=seconds, live=live
    ),
    "fanout": lambda stack, seconds, live: fanout(stack.ws, members=500, window=4, seconds=seconds, live=live),
    "idle": lambda stack, seconds, live: idle(stack.ws, stack.pids, people=2_000, seconds=seconds, live=live),
    "storm": lambda stack, _seconds, live: storm(stack.ws, people=1_000, members=10, missed=50, live=live),
    "mixed": lambda stack, seconds, live: mixed(
        stack.url, stack.ws, people=500, members=5, rate_per_s=200, seconds=seconds, live=live
    ),
    "audience": lambda stack, seconds, _live: audience(
        stack, people=10_000, threads_each=4, members=5, rate_per_s=1_000, seconds=seconds
    ),
    "ledger": lambda stack, _seconds, _live: ledger(stack.ready["postgres"]),
}
