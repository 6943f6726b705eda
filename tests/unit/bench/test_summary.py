"""Ratios and goals are judged by medians over runs, and doubts are said."""

from typing import Any

from bench.html import page_of_comparison
from bench.metrics import METRICS, faults
from bench.report import percentiles_ms
from bench.spread import Spread, ratios, spread
from bench.summary import Summary, summarise


def figures(stored: float, **more: Any) -> dict[str, Any]:
    return {"throughput": {"stored_per_s": stored, **more}}


def summary(*runs: dict[str, Any]) -> Summary:
    return summarise("ours", runs)


def test_a_spread_leaves_out_runs_without_a_figure() -> None:
    assert spread([3.0, None, 1.0, 2.0]) == Spread(1.0, 2.0, 3.0, 3)
    assert spread([None]) is None


def test_a_ratio_pairs_the_values_of_the_same_run() -> None:
    assert ratios([10.0, 40.0, 5.0, 9.0], [5.0, 10.0, None, 0.0]) == Spread(2.0, 3.0, 4.0, 2)


def test_percentiles_are_of_the_sorted_values() -> None:
    assert percentiles_ms([value / 1000 for value in range(100, 0, -1)]) == {
        "p50_ms": 51.0,
        "p99_ms": 100.0,
        "max_ms": 100.0,
    }
    assert percentiles_ms([]) == {"p50_ms": None, "p99_ms": None, "max_ms": None}


def test_a_goal_is_met_by_the_median_of_the_ratios() -> None:
    runs = [{"ours": figures(ours), "node-ws": figures(100)} for ours in (900, 310, 100)]
    stored = summary(*runs).rows[0]
    assert stored.ratios["node-ws"] == Spread(1.0, 3.1, 9.0, 3)
    assert stored.met
    assert not summary(*runs[1:], runs[2]).rows[0].met


def test_a_goal_against_a_peer_that_was_not_measured_is_not_judged() -> None:
    assert summary({"ours": figures(900)}).rows[0].met is None


def test_a_goal_in_absolute_terms_needs_no_peer() -> None:
    memory = next(row for row in summary({"ours": {"idle": {"mb_per_1000": 12.5}}}).rows if row.metric.name == "memory")
    assert memory.met is False


def test_the_product_comes_first_whoever_ran_first() -> None:
    assert summary({"node-ws": figures(1), "ours": figures(1)}).names == ("ours", "node-ws")


def test_faults_say_their_scenario_and_zeros_are_left_out() -> None:
    run = {"throughput": {"lost": 0, "out_of_order": 2}, "fanout": {"out_of_order": 3, "doubled": 0}}
    assert faults(run) == {"throughput out_of_order": 2, "fanout out_of_order": 3}


def test_a_full_generator_and_busy_cores_are_doubts() -> None:
    found = summary(
        {"ours": figures(1, generator_core_share=0.95), "node-ws": figures(1, foreign_core_share=0.5)}
    ).doubts()
    assert len(found) == 2
    assert found[0].startswith("ours: the generator was the limit")
    assert found[1].startswith("node-ws: other programs were busy")


def test_every_metric_has_a_place_in_the_page() -> None:
    made = summary({"ours": figures(900), "node-ws": figures(100)}, {"ours": figures(800), "node-ws": figures(100)})
    about = {"command": "compare", "machine": {"cpu": "<cpu>", "cores": 2, "system": "x"}}
    page = page_of_comparison(about, made)
    assert all(metric.title in page for metric in METRICS)
    assert "<cpu>" not in page
    assert "8.5" in page
