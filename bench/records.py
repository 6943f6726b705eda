"""Where results are kept: bench/results/<time>.json and .html."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.html import page_of_comparison
from bench.png import picture_of_comparison
from bench.summary import Run, Summary

RESULTS: Final = Path(__file__).parent / "results"


def save(
    stamp: str, about: dict[str, Any], summary: Summary, runs: Sequence[Run], html: Path | None, png: Path | None
) -> str:
    """Returns the JSON text."""
    table = {
        row.metric.name: {
            "unit": row.metric.unit,
            "goal": row.metric.goal_text,
            "met": row.met,
            "values": {name: spread.as_json() if spread else None for name, spread in row.spreads.items()},
            "ratios": {name: spread.as_json() if spread else None for name, spread in row.ratios.items()},
        }
        for row in summary.rows
    }
    faults = {
        name: {kind: spread.as_json() for kind, spread in kinds.items()} for name, kinds in summary.faults.items()
    }
    result = {**about, "table": table, "faults": faults, "doubts": summary.doubts(), "runs": list(runs)}
    text = json.dumps(result, indent=2)
    (RESULTS / f"{stamp}-compare.json").write_text(text + "\n")
    page = page_of_comparison(about, summary)
    for path in (RESULTS / f"{stamp}-compare.html", *([html] if html else [])):
        path.write_text(page)
    if png:
        picture_of_comparison(png, about, summary, runs)
    return text
