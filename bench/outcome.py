"""The end of a run by hand: kept, printed, judged."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.html import page_of_run
from bench.metrics import faults, generator_limited, verdicts
from bench.plots import shown
from bench.records import RESULTS
from bench.report import VERDICTS


def conclude(
    console: Console,
    stamp: str,
    results: Mapping[str, Mapping[str, Any]],
    lines: Mapping[str, Any],
    *,
    html: Path | None,
    as_json: bool,
    check: bool,
) -> int:
    """The exit code: 1 when a message was lost, doubled or out of order, or a goal was not met and `check` asks."""
    text = json.dumps(results, indent=2)
    (RESULTS / f"{stamp}.json").write_text(text + "\n")
    if html:
        html.write_text(page_of_run(results, lines))
    if as_json:
        print(text)
    judged = verdicts(results)
    for metric, value, met in judged:
        console.print(f"{metric.title}: {shown(value)} {metric.unit}, wanted {metric.goal_text}: {VERDICTS[met]}")
    for name in generator_limited(results):
        console.print(f"[red]{name}: the generator was the limit, so the server may do more[/]")
    wrong = faults(results) | {name: each["faults"] for name, each in results.items() if each.get("faults")}
    if wrong:
        console.print(f"[red]not as promised: {wrong}[/]")
    return int(bool(wrong) or (check and not all(met for _, _, met in judged)))
