"""`python -m bench compare`: Chatterbus and its peers, one after the other, on the same cores, by the same generator.

Every run measures every contender, in an order that turns from run to run, each on an empty database: idle connections,
100 messages a second, as many as it stores, one thread of 500. The report has the least, the median and the most.
"""

import os
import platform
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import psycopg
import typer
import uvloop
from rich.console import Console
from rich.progress import Progress, TaskID

from bench import contenders
from bench.contenders import PRODUCT, Contender
from bench.cores import Usage, busy_s, cpu_s, pin
from bench.live import Live
from bench.png import drawable
from bench.records import RESULTS, save
from bench.report import progress, show_summary, teller
from bench.scenarios import OF_ANY_SERVER, Terms
from bench.summary import Run, summarise


class Cores(StrEnum):
    """Where the server side and the generator run."""

    ONE = "one"
    TWO = "two"


PLACES: Final[dict[Cores, tuple[set[int], set[int]]]] = {Cores.ONE: ({0}, {1}), Cores.TWO: ({0, 1}, {0, 1})}

MEASURED: Final = ("idle", "latency", "throughput", "fanout")
"""In this order: memory while it is fresh, and what is slow before the database is large."""
IDLE_MAX_S: Final = 2.0  # memory does not change any more


def compare(
    runs: Annotated[int, typer.Option(min=1, help="how often each contender is measured")] = 5,
    cores: Annotated[Cores, typer.Option(help="one: servers on core 0, generator on core 1; two: both on both")] = (
        Cores.ONE
    ),
    seconds: Annotated[float, typer.Option(help="how long each scenario is measured")] = 10.0,
    generators: Annotated[int, typer.Option(min=1, help="processes of the generator")] = 1,
    only: Annotated[list[str] | None, typer.Option(help=f"of {', '.join(contenders.NAMES)}; default: all")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON, and nothing else")] = False,
    check: Annotated[bool, typer.Option("--check", help="end with 1 when a goal is not met")] = False,
    html: Annotated[Path | None, typer.Option(help="write the report to this file too")] = None,
    png: Annotated[Path | None, typer.Option(callback=drawable, help="write its plots to this file")] = None,
) -> None:
    """Measure Chatterbus beside small servers as people write them. Ends with 1 when it lost or mixed up a message."""
    console = Console(stderr=as_json)
    names = _installed(console, only or list(contenders.NAMES))
    RESULTS.mkdir(exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    servers, generator = PLACES[cores]
    pin(generator)
    done: list[Run] = []
    for number in range(runs):
        turned = names[number % len(names) :] + names[: number % len(names)]
        with progress(console) as bar:
            done.append(
                {
                    name: _measure(name, RESULTS / f"{stamp}-{name}.log", servers, generator, seconds, generators, bar)
                    for name in turned
                }
            )
        console.log(f"run {number + 1} of {runs} done")
    summary = summarise(PRODUCT, done)
    show_summary(console, summary)
    machine = {"cpu": _cpu(), "cores": os.cpu_count(), "system": platform.platform(), "load": os.getloadavg()}
    command = f"compare --runs {runs} --cores {cores} --seconds {seconds:g} --generators {generators}"
    about = {"command": command, "machine": machine}
    text = save(stamp, about, summary, done, html, png)
    if as_json:
        print(text)
    unmet = [row.metric.title for row in summary.rows if row.met is False]
    if summary.faults.get(PRODUCT) or (check and unmet):
        raise typer.Exit(1)


def _installed(console: Console, names: list[str]) -> list[str]:
    """Those that can run here; the others are named."""
    if unknown := [name for name in names if name not in contenders.NAMES]:
        raise typer.BadParameter(f"no such contender: {', '.join(unknown)}")
    ready = []
    for name in names:
        peer = contenders.KINDS.get(name)
        if peer and (reason := peer.missing()):
            console.log(f"{name} is left out: {reason}")
            continue
        if peer:
            peer.install()
        ready.append(name)
    return ready


def _measure(
    name: str, log: Path, servers: set[int], generator: set[int], seconds: float, generators: int, bar: Progress
) -> dict[str, Any]:
    """Every scenario on one start of the contender."""
    cores = servers | generator
    task = bar.add_task(f"{name}: starting", total=None, rate="")
    figures: dict[str, Any] = {}
    with contenders.running(name, log, servers) as contender:
        for scenario in MEASURED:
            bar.update(task, description=f"{name}: {scenario}")
            live = Live(teller(bar, task))
            usage = Usage(contender.pids)
            usage.start()
            busy, own = busy_s(cores), cpu_s(os.getpid())  # with the generator's processes, once they have ended
            terms = Terms(min(seconds, IDLE_MAX_S) if scenario == "idle" else seconds, live, generators)
            measured = uvloop.run(OF_ANY_SERVER[scenario](contender, terms))
            shares, elapsed_s = usage.shares(), time.monotonic() - usage.started_at
            generated = (cpu_s(os.getpid()) - own) / elapsed_s
            foreign = (busy_s(cores) - busy) / elapsed_s - sum(shares.values()) - generated
            figures[scenario] = {
                **measured,
                "core_share": shares,
                "foreign_core_share": round(max(0.0, foreign), 3),
                "rates": live.series,
            }
        _check_stored(figures["throughput"], contender)
        if name != PRODUCT:
            del figures["throughput"]["holes"]  # their numbers run over all threads
    _finish(bar, task, name)
    return figures


def _check_stored(figures: dict[str, Any], contender: Contender) -> None:
    """What was acked is in the database, once."""
    with psycopg.connect(contender.dsn) as connection:
        row = connection.execute(contender.stored.encode()).fetchone()
    assert row is not None
    rows, different = row
    figures["lost"] += max(0, figures["acked"] - different)
    figures["doubled"] += rows - different


def _finish(bar: Progress, task: TaskID, name: str) -> None:
    bar.update(task, description=name, total=1, completed=1, rate="")


def _cpu() -> str:
    try:
        rows = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((row.partition(":")[2].strip() for row in rows if row.startswith("model name")), platform.processor())
