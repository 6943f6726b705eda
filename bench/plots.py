"""Small plots as SVG text. Pure. Colours are the page's variables, so that they follow light and dark."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from bench.spread import Spread, spread

WIDTH: Final = 640
LABEL: Final = 110
VALUE: Final = 90
ROW: Final = 30
BAR: Final = 16
LINE_HEIGHT: Final = 150
MARGIN: Final = 8
LINE_COLOURS: Final = ("var(--ours)", "var(--theirs)", "var(--third)")


def shown(value: float) -> str:
    """Three digits that matter; thousands with commas."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def with_range(value: Spread) -> str:
    return f"{shown(value.middle)} ({shown(value.least)} … {shown(value.most)})"


def bars(title: str, rows: Mapping[str, Sequence[float | None]], ours: str) -> str:
    """A bar to the median of each row, a line from its least to its most, and a dot for each run."""
    spreads = {name: spread(values) for name, values in rows.items()}
    top = max((each.most for each in spreads.values() if each), default=0) or 1
    scale = (WIDTH - LABEL - VALUE) / top
    parts = []
    for place, (name, each) in enumerate(spreads.items()):
        middle = place * ROW + ROW / 2
        parts.append(f'<text x="{LABEL - 8}" y="{middle + 4}" text-anchor="end">{escape(name)}</text>')
        if each is None:
            parts.append(f'<text x="{LABEL}" y="{middle + 4}" class="quiet">no figure</text>')
            continue
        colour = "ours" if name == ours else "theirs"
        parts.append(
            f'<rect x="{LABEL}" y="{middle - BAR / 2}" width="{each.middle * scale:.1f}" height="{BAR}" rx="2" '
            f'fill="var(--{colour})"/>'
            f'<line x1="{LABEL + each.least * scale:.1f}" x2="{LABEL + each.most * scale:.1f}" y1="{middle}" '
            f'y2="{middle}" stroke="var(--ink)" stroke-width="1.5"/>'
        )
        parts.extend(
            f'<circle cx="{LABEL + value * scale:.1f}" cy="{middle}" r="2.5" fill="var(--ink)"/>'
            for value in rows[name]
            if value is not None
        )
        parts.append(
            f'<text x="{LABEL + each.most * scale + 8:.1f}" y="{middle + 4}" class="number">{shown(each.middle)}</text>'
        )
    return _svg(title, len(spreads) * ROW, parts)


def lines(title: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Rates over seconds, from 0; one line for each name."""
    points = [point for each in series.values() for point in each]
    last, top = max((x for x, _ in points), default=1) or 1, max((y for _, y in points), default=1) or 1
    width, height = WIDTH - LABEL - MARGIN, LINE_HEIGHT - 2 * MARGIN
    parts = [
        f'<line x1="{LABEL}" x2="{WIDTH - MARGIN}" y1="{y}" y2="{y}" stroke="var(--faint)"/>'
        for y in (MARGIN, MARGIN + height)
    ]
    parts.append(f'<text x="{LABEL - 8}" y="{MARGIN + 4}" text-anchor="end" class="number">{shown(top)}</text>')
    parts.append(f'<text x="{LABEL - 8}" y="{MARGIN + height + 4}" text-anchor="end" class="number">0</text>')
    for place, (name, each) in enumerate(series.items()):
        colour = LINE_COLOURS[place % len(LINE_COLOURS)]
        path = " ".join(f"{LABEL + x / last * width:.1f},{MARGIN + height - y / top * height:.1f}" for x, y in each)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(
            f'<text x="{LABEL + 4 + place * 130}" y="{LINE_HEIGHT + 12}" fill="{colour}">{escape(name)}/s</text>'
        )
    parts.append(
        f'<text x="{WIDTH - MARGIN}" y="{LINE_HEIGHT + 12}" text-anchor="end" class="quiet">{last:.0f} s</text>'
    )
    return _svg(title, LINE_HEIGHT + 20, parts)


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )
