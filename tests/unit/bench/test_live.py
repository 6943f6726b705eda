"""Rates are told while they are measured, and kept for the plot."""

import pytest

from bench.live import Live


async def test_each_tick_tells_and_keeps_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.live.TICK_S", 0.1)
    count = iter(range(0, 1000, 10))
    told: list[tuple[str, float]] = []
    live = Live(lambda what, rate: told.append((what, round(rate, 1))))
    await live.during(0.32, "stored", lambda: next(count))
    assert [("stored", rate) for _, rate in live.series["stored"]] == told
    assert 1 <= len(told) <= 4
    assert all(0 < rate <= 100 for _, rate in told)
