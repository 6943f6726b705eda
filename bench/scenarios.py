"""The scenarios of a run by hand, each with the sizes it has there. Each gets a stack of its own."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for any scenario. `generators`: processes of the generator, where the scenario can use several."""

    seconds: float
    live: Live
    generators: int = 1


Scenario = Callable[[Stack, Terms], Coroutine[Any, Any, dict[str, Any]]]

SCENARIOS: Final[dict[str, Scenario]] = {
    "latency": lambda stack, terms: latency(stack.ws, rate_per_s=100, pairs=10, seconds=terms.seconds, live=terms.live),
    "throughput": lambda stack, terms: throughput(
        stack.ws,
        senders=20,
        threads=20,
        window=50,
        seconds=terms.seconds,
        live=terms.live,
        generators=terms.generators,
    ),
    "fanout": lambda stack, terms: fanout(
        stack.ws, members=500, window=4, seconds=terms.seconds, live=terms.live, generators=terms.generators
    ),
    "idle": lambda stack, terms: idle(
        stack.ws, stack.pids, people=2_000, seconds=terms.seconds, live=terms.live, generators=terms.generators
    ),
    "storm": lambda stack, terms: storm(stack.ws, people=1_000, members=10, missed=50, live=terms.live),
    "mixed": lambda stack, terms: mixed(
        stack.url, stack.ws, people=500, members=5, rate_per_s=200, seconds=terms.seconds, live=terms.live
    ),
    "audience": lambda stack, terms: audience(
        stack, people=10_000, threads_each=4, members=5, rate_per_s=1_000, seconds=terms.seconds
    ),
    "ledger": lambda stack, _terms: ledger(stack.ready["postgres"]),
}
