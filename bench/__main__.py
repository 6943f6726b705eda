"""`python -m bench [latency|throughput|fanout|audience ...]`: run scenarios on an embedded stack and print the figures.

The server side (gateway, persister, notifier, NATS, PostgreSQL) runs on core 0, the generator on core 1; `--cores`
gives the server others. Figures also go to bench/results/<time>.json.
"""

import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from rich.console import Console

from bench.audience import audience
from bench.cores import Usage, pin
from bench.fanout import fanout
from bench.latency import latency
from bench.ledger import ledger
from bench.report import show
from bench.stack import LIMITS_OFF, Stack, stack
from bench.throughput import throughput

RESULTS = Path(__file__).parent / "results"

SCENARIOS: dict[str, Callable[[Stack, float], Awaitable[dict[str, Any]]]] = {
    "latency": lambda stack, seconds: latency(stack.ws, rate_per_s=100, pairs=10, seconds=seconds),
    "throughput": lambda stack, seconds: throughput(stack.ws, senders=20, threads=20, window=50, seconds=seconds),
    "fanout": lambda stack, seconds: fanout(stack.ws, members=500, window=4, seconds=seconds),
    "audience": lambda stack, seconds: audience(
        stack, people=10_000, threads_each=4, members=5, rate_per_s=1_000, seconds=seconds
    ),
    "ledger": lambda stack, _seconds: ledger(stack.ready["postgres"]),
}


def measure(target: Stack, name: str, seconds: float) -> dict[str, Any]:
    """One scenario, with the CPU of each process while it ran."""
    usage = Usage(target.pids)
    usage.start()
    figures = uvloop.run(SCENARIOS[name](target, seconds))  # type: ignore[arg-type]
    return figures | {"core_share": usage.shares()}


def main(
    scenarios: Annotated[list[str] | None, typer.Argument(help=f"of {', '.join(SCENARIOS)}; default: all")] = None,
    seconds: Annotated[float, typer.Option(help="how long each scenario is measured")] = 10.0,
    cores: Annotated[str, typer.Option(help="cores of the server side, comma-separated")] = "0",
    generator: Annotated[str, typer.Option(help="cores of the generator")] = "1",
) -> None:
    """Measure the hot path."""
    console = Console()
    RESULTS.mkdir(exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    chosen = scenarios or list(SCENARIOS)
    if unknown := [name for name in chosen if name not in SCENARIOS]:
        raise typer.BadParameter(f"no such scenario: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    results: dict[str, Any] = {}
    for name in chosen:
        with (
            console.status(f"{name}: starting a stack"),
            stack(
                RESULTS / f"{stamp}-{name}.log", env=LIMITS_OFF, cores={int(core) for core in cores.split(",")}
            ) as target,
        ):
            pin({int(core) for core in generator.split(",")})
            console.log(f"{name}: measuring {seconds:g} s")
            results[name] = measure(target, name, seconds)
        show(console, name, results[name])
    (RESULTS / f"{stamp}.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    typer.run(main)
