"""docs/chaos.md says what was measured, and what was not."""

from pathlib import Path

from tests.chaos.figures import Figures, append, read
from tests.chaos.report import EXPECTED, document


def row(scenario: str, *, sent: int = 10) -> Figures:
    return Figures(scenario, "a fault", sent, sent, 0, 0, 1.5, "C1 C2", "calm", seed=7, at="2026-01-01 00:00")


def test_the_last_run_of_a_scenario_counts_and_rows_are_in_the_order_of_the_faults(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    for figures in (row("T10"), row("T2", sent=1), row("T2", sent=2), row("T8 cut")):
        append(figures, results)
    assert [(one.scenario, one.sent) for one in read(results)] == [("T2", 2), ("T8 cut", 10), ("T10", 10)]


def test_the_page_names_every_fault_that_was_not_run() -> None:
    page = document([row("T2")])
    assert "| T2 | a fault | 10 | 10 | 0 | 0 | 1.50 | C1 C2 | 2026-01-01 00:00, seed 7 |" in page
    assert "- T2:" not in page
    assert all(f"- {name}: " in page for name in EXPECTED if name != "T2")
