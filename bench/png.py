"""Reports as a picture, for where a page can not go. Drawn without a display.

The drawing library is imported when a picture is asked for: the generator's processes must start fast.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from bench.plots import shown
from bench.summary import Row, Run, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN: Final = 11.0
ROW_IN: Final = 0.28
HEAD_IN: Final = 1.1
LINES_IN: Final = 3.2
DOTS_PER_IN: Final = 120
COLOURS: Final = ("#2f6fed", "#d9822b", "#1a7f46", "#8e5bd0", "#7a8594", "#c0392b")
BETTER: Final = "#1a7f46"
WORSE: Final = "#c0392b"
OVER_TIME: Final = {"throughput": ("stored", "stored messages/s"), "fanout": ("delivered", "deliveries/s")}
"""By scenario: the rate that is drawn, and its axis."""


def drawable(path: Path | None) -> Path | None:
    """The option --png, checked before anything is measured for it."""
    if path is not None and find_spec("matplotlib") is None:
        raise typer.BadParameter("drawing needs matplotlib: make install")
    return path


def picture_of_comparison(path: Path, about: Mapping[str, Any], summary: Summary, runs: Sequence[Run]) -> None:
    """How many times each peer, with least, median and most; below it the rates of every run over time."""
    rows = [(row, peer) for row in summary.rows for peer in summary.names[1:] if row.ratios.get(peer)]
    ratios_in = HEAD_IN + ROW_IN * max(1, len(rows))
    figure = _figure(ratios_in + LINES_IN)
    grid = figure.add_gridspec(2, len(OVER_TIME), height_ratios=[ratios_in, LINES_IN])
    _ratios(figure.add_subplot(grid[0, :]), rows)
    for place, (scenario, (rate, axis)) in enumerate(OVER_TIME.items()):
        series = {
            name: [run[name][scenario]["rates"].get(rate, []) for run in runs if scenario in run.get(name, {})]
            for name in summary.names
        }
        _lines(figure.add_subplot(grid[1, place]), axis, series)
    machine = about["machine"]
    figure.suptitle(f"Chatterbus and its peers: bench {about['command']}\n{machine['cpu']}, {machine['cores']} cores")
    figure.savefig(path)


def picture_of_run(path: Path, lines: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]) -> None:
    """The rates of each scenario that has some."""
    drawn = {name: series for name, series in lines.items() if series}
    figure = _figure(LINES_IN * max(1, len(drawn)))
    for place, (name, series) in enumerate(drawn.items()):
        axes = figure.add_subplot(len(drawn), 1, place + 1)
        _lines(axes, f"{name}, /s", {what: [points] for what, points in series.items()})
    figure.savefig(path)


def _figure(height_in: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH_IN, height_in), dpi=DOTS_PER_IN, layout="constrained")


def _ratios(axes: "Axes", rows: list[tuple[Row, str]]) -> None:
    """A dot for the median, a line from least to most, a tick where the goal is; the peer itself is at 1."""
    labels = []
    for place, (row, peer) in enumerate(rows):
        ratio, better = row.ratios[peer], BETTER
        assert ratio is not None
        if (ratio.middle > 1) != row.metric.more_is_better:
            better = WORSE
        axes.plot([ratio.least, ratio.most], [place, place], color=better, linewidth=2)
        axes.plot(ratio.middle, place, "o", color=better)
        axes.annotate(
            f"{shown(ratio.middle)}x", (ratio.most, place), textcoords="offset points", xytext=(6, -3), fontsize=8
        )
        if row.metric.goal_peer == peer:
            axes.plot(row.metric.goal, place, "|", color="black", markersize=12, zorder=3)
        labels.append(f"{row.metric.title} / {peer} ({'more' if row.metric.more_is_better else 'less'} is better)")
    axes.axvline(1, color="#a9b4c2", linewidth=1)
    axes.set_xscale("log", subs=[2, 5])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_title("ours / theirs: least, median, most over the runs; | is the goal", fontsize=9)


def _lines(axes: "Axes", title: str, series: Mapping[str, Sequence[Sequence[tuple[float, float]]]]) -> None:
    """A colour for each name, a line for each run."""
    for (name, runs), colour in zip(series.items(), COLOURS * len(series), strict=False):
        for number, points in enumerate(runs):
            x, y = [at_s for at_s, _ in points], [rate for _, rate in points]
            axes.plot(x, y, color=colour, linewidth=1.2, alpha=0.8, label=None if number else name)
    axes.set_ylim(bottom=0)
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("s", fontsize=8)
    axes.tick_params(labelsize=8)
    if axes.lines:
        axes.legend(fontsize=8)
