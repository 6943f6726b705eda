"""Figures in the form in which they are printed and kept."""

from typing import Any

from rich.console import Console
from rich.table import Table


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


def show(console: Console, title: str, figures: dict[str, Any]) -> None:
    """A small table."""
    table = Table(title=title, show_header=False, title_justify="left")
    for name, value in figures.items():
        table.add_row(name, str(value))
    console.print(table)
