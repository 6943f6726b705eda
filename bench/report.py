"""Figures in the form in which they are printed and kept."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.live import Tell
from bench.metrics import flat
from bench.plots import shown, with_range
from bench.spread import Spread
from bench.summary import Summary

VERDICTS = {True: "[green]met[/]", False: "[red]not met[/]", None: "[dim]not judged[/]"}


def percentiles_ms(values_s: list[float]) -> dict[str, float | None]:
    """p50, p99 and the worst, in milliseconds; None without values."""
    if not values_s:
        return {"p50_ms": None, "p99_ms": None, "max_ms": None}
    ordered = sorted(values_s)
    return {
        "p50_ms": round(ordered[len(ordered) // 2] * 1000, 2),
        "p99_ms": round(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1000, 2),
        "max_ms": round(ordered[-1] * 1000, 2),
    }


def progress(console: Console) -> Progress:
    """A line for each task: what it does, for how long, and the rate of the last half second."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[rate]}"),
        console=console,
    )


def teller(bar: Progress, task: TaskID) -> Tell:
    """Puts a rate at the end of the task's line."""
    return lambda what, rate: bar.update(task, rate=f"{rate:,.0f} {what}/s")


def show(console: Console, title: str, figures: dict[str, Any]) -> None:
    """A small table."""
    table = Table(title=title, show_header=False, title_justify="left")
    for name, value in flat(figures).items():
        table.add_row(name, str(value))
    console.print(table)


def show_summary(console: Console, summary: Summary) -> None:
    """Least, median and most of each contender, ratios, goals, faults, and what casts doubt on the figures."""
    for row in summary.rows:
        title = f"{row.metric.title}, {row.metric.unit}; wanted: {row.metric.goal_text}, {VERDICTS[row.met]}"
        table = Table(title=title, title_justify="left", title_style="bold")
        for heading in ("", "least", "median", "most", "ours / theirs", "least", "most"):
            table.add_column(heading, justify="right" if heading else "left", min_width=0 if heading else 10)
        for name in summary.names:
            value, ratio = _three(row.spreads[name]), _three(row.ratios.get(name))
            table.add_row(name, *value, ratio[1], ratio[0], ratio[2])
        console.print(table)
    for name, kinds in summary.faults.items():
        found = ", ".join(f"{kind} {with_range(there)}" for kind, there in kinds.items())
        console.print(f"{name}: {found or 'nothing lost, doubled or out of order'}")
    for doubt in summary.doubts():
        console.print(f"[red]{doubt}[/]")


def _three(value: Spread | None) -> tuple[str, str, str]:
    return (shown(value.least), shown(value.middle), shown(value.most)) if value else ("", "–", "")
