"""The scenarios, each with its sizes. In a run by hand each gets a stack of its own."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol

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


class Server(Protocol):
    """Ours or a peer. `pids` are the roots of all its processes."""

    @property
    def ws(self) -> str: ...
    @property
    def pids(self) -> dict[str, int]: ...


Figures = Coroutine[Any, Any, dict[str, Any]]

OF_ANY_SERVER: Final[dict[str, Callable[[Server, Terms], Figures]]] = {
    "latency": lambda server, terms: latency(
        server.ws, rate_per_s=100, pairs=10, seconds=terms.seconds, live=terms.live
    ),
    "throughput": lambda server, terms: throughput(
        server.ws,
        senders=20,
        threads=20,
        window=50,
        seconds=terms.seconds,
        live=terms.live,
        generators=terms.generators,
    ),
    "fanout": lambda server, terms: fanout(
        server.ws, members=500, window=4, seconds=terms.seconds, live=terms.live, generators=terms.generators
    ),
    "idle": lambda server, terms: idle(
        server.ws, server.pids, people=2_000, seconds=terms.seconds, live=terms.live, generators=terms.generators
    ),
}

SCENARIOS: Final[dict[str, Callable[[Stack, Terms], Figures]]] = {
    **OF_ANY_SERVER,
    "storm": lambda stack, terms: storm(stack.ws, people=1_000, members=10, missed=50, live=terms.live),
    "mixed": lambda stack, terms: mixed(
        stack.url, stack.ws, people=500, members=5, rate_per_s=200, seconds=terms.seconds, live=terms.live
    ),
    "audience": lambda stack, terms: audience(
        stack, people=10_000, threads_each=4, members=5, rate_per_s=1_000, seconds=terms.seconds
    ),
    "ledger": lambda stack, _terms: ledger(stack.ready["postgres"]),
}
