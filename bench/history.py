"""`python -m bench history`: a page of history anywhere in a long past, on an embedded stack of its own.

PostgreSQL fills the ledger, then pages are read at places chosen by chance: by the persister's own reads in a session
like its own, and over HTTP through gateway, queue and persister. Every page is checked. The full size, 10 M messages
with a thread of 1 M in it, takes 7 GB in the system's temporary folder, which are gone at the end.
"""

import time
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer
import uvloop
from rich.console import Console

from bench.cores import Usage, pin, set_of
from bench.crew import Watch
from bench.outcome import conclude
from bench.pages import Fetch, Http, Place, Reads, places, timed
from bench.past import Past, fill, size_bytes
from bench.records import RESULTS
from bench.report import percentiles_ms, progress, show
from bench.stack import LIMITS_OFF, Stack, stack

HTTP_TIMEOUT_S: Final = 30.0


def history(
    messages: Annotated[int, typer.Option(min=2, help="in the whole ledger")] = 1_000_000,
    thread: Annotated[int, typer.Option(min=1, help="of them in the long thread")] = 100_000,
    pages: Annotated[int, typer.Option(min=1, help="of each kind")] = 2_000,
    cores: Annotated[str, typer.Option(help="cores of the server side, comma-separated")] = "0",
    generator: Annotated[str, typer.Option(help="cores of who asks")] = "1",
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON, and nothing else")] = False,
    html: Annotated[Path | None, typer.Option(help="also write a report to this file")] = None,
    check: Annotated[bool, typer.Option("--check", help="end with 1 when the goal is not met")] = False,
) -> None:
    """Fill a ledger, then time pages of its history. For the full size: --messages 10000000 --thread 1000000."""
    if thread > messages:
        raise typer.BadParameter("the long thread has more messages than the ledger")
    console = Console(stderr=as_json)
    RESULTS.mkdir(exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    with stack(RESULTS / f"{stamp}-history.log", env=LIMITS_OFF, cores=set_of(cores)) as target:
        pin(set_of(generator))
        dsn = target.ready["postgres"]
        with progress(console) as bar:
            task = bar.add_task("filling", total=messages, rate="")
            began = time.perf_counter()
            past = fill(dsn, messages, thread, lambda there: bar.update(task, completed=there))
            filled_s = time.perf_counter() - began
            bar.update(task, description="reading", total=None)
            measured = uvloop.run(_measure(target, past, pages))
    figures = {
        "messages": messages,
        "of_the_long_thread": max(past.lengths.values()),
        "filled_after_s": round(filled_s, 1),
        "database_mb": round(measured.pop("bytes") / 1e6),
        **measured,
    }
    show(console, "history", figures)
    code = conclude(console, stamp, {"history": figures}, {}, html=html, as_json=as_json, check=check)
    if code:
        raise typer.Exit(code)


async def _measure(target: Stack, past: Past, pages: int) -> dict[str, Any]:
    dsn, pids = target.ready["postgres"], target.pids
    long, short = places(past, pages, long=True), places(past, pages, long=False)
    reads = await Reads.open(dsn)
    try:
        by_reads, wrong = await _figures(pids, reads.kinds(), long, short)
    finally:
        await reads.close()
    async with httpx.AsyncClient(base_url=target.url, timeout=HTTP_TIMEOUT_S) as client:
        by_http, wrong_by_http = await _figures(pids, Http(client).kinds(), long, short)
    return {
        "reads": by_reads,
        "http": by_http,
        "wrong_pages": wrong + wrong_by_http,
        "bytes": size_bytes(dsn),
    }


async def _figures(
    pids: dict[str, int], kinds: dict[str, Fetch], long: list[Place], short: list[Place]
) -> tuple[dict[str, Any], int]:
    """Each kind of page in the long thread, those before a place in short ones, and all together."""
    figures: dict[str, Any] = {}
    everything_s, wrongs = [], 0
    usage, watch = Usage(pids), Watch()
    usage.start()
    for name, fetch, at in (
        *((name, fetch, long) for name, fetch in kinds.items()),
        ("before, short threads", kinds["before"], short),
    ):
        taken_s, wrong = await timed(fetch, at)
        figures[name] = percentiles_ms(taken_s)
        everything_s += taken_s
        wrongs += wrong
    spent = watch.spent()
    busy_s = sum(usage.shares().values()) * spent.elapsed_s
    cpu_ms = {"server": busy_s, "who asks": spent.cpu_s}
    figures["all"] = percentiles_ms(everything_s)
    figures["cpu_ms_each"] = {name: round(cpu_s * 1000 / len(everything_s), 2) for name, cpu_s in cpu_ms.items()}
    return figures, wrongs
