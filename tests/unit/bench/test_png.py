"""Pictures are made of whatever a comparison has, gaps included."""

from pathlib import Path
from typing import Any

from bench.png import picture_of_comparison, picture_of_run
from bench.summary import summarise

SIGNATURE = b"\x89PNG\r\n"
ABOUT = {"command": "compare", "machine": {"cpu": "a cpu", "cores": 2}}


def throughput(stored: float) -> dict[str, Any]:
    return {"throughput": {"stored_per_s": stored, "rates": {"stored": [(0.5, stored), (1.0, stored * 1.1)]}}}


def test_a_comparison_is_drawn(tmp_path: Path) -> None:
    runs = [{"ours": throughput(900), "node-ws": throughput(300)}, {"ours": throughput(800), "node-ws": {}}]
    picture_of_comparison(tmp_path / "c.png", ABOUT, summarise("ours", runs), runs)
    assert (tmp_path / "c.png").read_bytes().startswith(SIGNATURE)


def test_one_contender_alone_has_no_ratios_and_is_drawn(tmp_path: Path) -> None:
    runs = [{"ours": throughput(900)}]
    picture_of_comparison(tmp_path / "c.png", ABOUT, summarise("ours", runs), runs)
    assert (tmp_path / "c.png").read_bytes().startswith(SIGNATURE)


def test_the_rates_of_a_run_are_drawn_and_scenarios_without_any_are_left_out(tmp_path: Path) -> None:
    picture_of_run(tmp_path / "r.png", {"fanout": {"delivered": [(0.5, 10.0)]}, "ledger": {}})
    picture_of_run(tmp_path / "n.png", {"ledger": {}})
    assert (tmp_path / "r.png").read_bytes().startswith(SIGNATURE)
    assert (tmp_path / "n.png").read_bytes().startswith(SIGNATURE)
