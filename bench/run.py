"""`python -m bench [latency|throughput|fanout|...]`: run scenarios on an embedded stack and print the figures.

The server side (gateway, persister, notifier, NATS, PostgreSQL) runs on core 0, the generator on core 1; `--cores`
gives the server others. Figures also go to bench/results/<time>.json. Ends with 1 when a message was lost, doubled or
out of order.
"""

import time
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from rich.console import Console

from bench.cores import Usage, pin, set_of
from bench.live import Live
from bench.outcome import conclude
from bench.png import drawable, picture_of_run
from bench.records import RESULTS
from bench.report import progress, show, teller
from bench.scenarios import SCENARIOS, Terms
from bench.stack import LIMITS_OFF, Stack, stack


def measure(target: Stack, name: str, terms: Terms) -> dict[str, Any]:
    """One scenario, with the CPU of each process while it ran."""
    usage = Usage(target.pids)
    usage.start()
    figures = uvloop.run(SCENARIOS[name](target, terms))
    return {**figures, "core_share": usage.shares()}


def run(
    scenarios: Annotated[list[str] | None, typer.Argument(help=f"of {', '.join(SCENARIOS)}; default: all")] = None,
    seconds: Annotated[float, typer.Option(help="how long each scenario is measured")] = 10.0,
    cores: Annotated[str, typer.Option(help="cores of the server side, comma-separated")] = "0",
    generator: Annotated[str, typer.Option(help="cores of the generator")] = "1",
    generators: Annotated[int, typer.Option(min=1, help="its processes, in throughput, fanout and idle")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON, and nothing else")] = False,
    html: Annotated[Path | None, typer.Option(help="also write a report to this file")] = None,
    png: Annotated[
        Path | None, typer.Option(callback=drawable, help="also draw the rates over time into this file")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="end with 1 when a goal is not met")] = False,
) -> None:
    """Measure an embedded stack from outside. With `compare` as the first word: beside its peers."""
    chosen = scenarios or list(SCENARIOS)
    if unknown := [name for name in chosen if name not in SCENARIOS]:
        raise typer.BadParameter(f"no such scenario: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    console = Console(stderr=as_json)
    RESULTS.mkdir(exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    results: dict[str, Any] = {}
    lines: dict[str, Any] = {}
    for name in chosen:
        with progress(console) as bar:
            task = bar.add_task(f"{name}: starting a stack", total=None, rate="")
            log = RESULTS / f"{stamp}-{name}.log"
            with stack(log, env=LIMITS_OFF, cores=set_of(cores)) as target:
                pin(set_of(generator))
                bar.update(task, description=name)
                live = Live(teller(bar, task))
                results[name] = measure(target, name, Terms(seconds, live, generators))
                lines[name] = live.series
        show(console, name, results[name])
    if png:
        picture_of_run(png, lines)
    code = conclude(console, stamp, results, lines, html=html, as_json=as_json, check=check)
    if code:
        raise typer.Exit(code)
