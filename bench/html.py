"""Reports as one page without anything to fetch. Pure."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from bench.plots import bars, lines, shown, with_range
from bench.spread import Spread
from bench.summary import Row, Summary

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2430; --quiet: #66707f; --faint: #dfe3e8; --page: #fff;
        --ours: #2f6fed; --theirs: #a9b4c2; --third: #d9822b; --good: #1a7f46; --bad: #c0392b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --quiet: #97a1b0; --faint: #333b47; --page: #14181f;
          --ours: #6ea0ff; --theirs: #5d6878; --third: #f0a95c; --good: #59c98b; --bad: #f0857a; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
       max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; } .wide { overflow-x: auto; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--faint); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; }
td.words { text-align: left; white-space: normal; }
td { font-variant-numeric: tabular-nums; } small, .quiet { color: var(--quiet); fill: var(--quiet); }
.good { color: var(--good); } .bad { color: var(--bad); }
svg { max-width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
"""


def page(title: str, parts: Sequence[str]) -> str:
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>\n<h1>{escape(title)}</h1>\n{chr(10).join(parts)}\n</body></html>\n"
    )


def page_of_comparison(about: Mapping[str, Any], summary: Summary) -> str:
    """The table with ratios, what went wrong, and a plot for each metric."""
    machine = about["machine"]
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}"
    ours = summary.names[0] if summary.names else ""
    plots = [
        f"<h2>{escape(row.metric.title)} <small>{row.metric.unit}, "
        f"{'more' if row.metric.more_is_better else 'less'} is better</small></h2>\n"
        + bars(row.metric.title, row.values, ours)
        for row in summary.rows
    ]
    return page(
        "Chatterbus and its peers",
        [
            f"<p><code>python -m bench {escape(about['command'])}</code><br><small>{escape(where)}</small></p>",
            "<p>Median, and below it least to most. A ratio is ours divided by theirs, run by run.</p>",
            _doubts(summary),
            _comparison_table(summary),
            _faults_table(summary),
            *plots,
        ],
    )


def page_of_run(results: Mapping[str, Mapping[str, Any]], series: Mapping[str, Mapping[str, Any]]) -> str:
    """For each scenario its figures, and its rates while it ran."""
    parts = []
    for name, figures in results.items():
        rows = "".join(
            f"<tr><td>{escape(key)}</td><td>{escape(str(value))}</td></tr>" for key, value in figures.items()
        )
        plot = lines(name, series[name]) if series.get(name) else ""
        parts.append(f"<h2>{escape(name)}</h2>\n{plot}\n<div class='wide'><table>{rows}</table></div>")
    return page("Chatterbus measured", parts)


def _comparison_table(summary: Summary) -> str:
    peers = summary.names[1:]
    head = "".join(f"<th>{escape(name)}</th>" for name in summary.names)
    head += "".join(f"<th>/ {escape(name)}</th>" for name in peers)
    body = "".join(_row(row, summary.names, peers) for row in summary.rows)
    return f"<div class='wide'><table><tr><th></th>{head}<th>goal</th></tr>{body}</table></div>"


def _row(row: Row, names: Sequence[str], peers: Sequence[str]) -> str:
    cells = "".join(f"<td>{_spread(row.spreads[name])}</td>" for name in names)
    cells += "".join(f"<td>{_spread(row.ratios.get(name))}</td>" for name in peers)
    kind, word = {True: ("good", "met"), False: ("bad", "not met"), None: ("quiet", "not judged")}[row.met]
    goal = f"{escape(row.metric.goal_text)}<br><small class='{kind}'>{word}</small>"
    return f"<tr><td>{escape(row.metric.title)} <small>{row.metric.unit}</small></td>{cells}<td>{goal}</td></tr>"


def _spread(value: Spread | None) -> str:
    if value is None:
        return "–"
    return f"{shown(value.middle)}<br><small>{shown(value.least)} … {shown(value.most)}</small>"


def _faults_table(summary: Summary) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td class='words'>"
        + (", ".join(f"{escape(kind)}: {with_range(there)}" for kind, there in kinds.items()) or "none")
        + "</td></tr>"
        for name, kinds in summary.faults.items()
    )
    return (
        "<h2>Lost, doubled, out of order <small>messages of one run (fan-out: deliveries)</small></h2>"
        f"<table>{rows}</table>"
    )


def _doubts(summary: Summary) -> str:
    return "".join(f"<p class='bad'>{escape(doubt)}</p>" for doubt in summary.doubts())
