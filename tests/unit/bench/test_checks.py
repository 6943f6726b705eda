"""Each scenario's checks fire on what they are for, and on nothing else: one loss, one duplicate, one swap."""

import pytest

from bench import fanout, latency, throughput
from bench.live import Live
from bench.metrics import faults
from tests.unit.bench.bad_server import Wrong, bad_server

FOLLOWERS = 3


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "WARM_UP_S", 0.05)
    monkeypatch.setattr(fanout, "WARM_UP_S", 0.05)
    for module in (throughput, fanout, latency):
        monkeypatch.setattr(module, "SETTLE_S", 0.6)


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (Wrong.NOTHING, {}),
        (Wrong.NOT_DELIVERED, {"throughput lost": 1}),
        (Wrong.DELIVERED_TWICE, {"throughput doubled": 1}),
        (Wrong.OVERTAKEN, {"throughput out_of_order": 1}),
        (Wrong.NOT_ANSWERED, {"throughput lost": 1, "throughput holes": 1}),
    ],
)
async def test_throughput_sees(wrong: Wrong, found: dict[str, int]) -> None:
    async with bad_server(wrong) as url:
        figures = await throughput.throughput(url, senders=1, threads=1, window=4, seconds=0.1, live=Live())
    assert faults({"throughput": figures}) == found


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (Wrong.NOTHING, {}),
        (Wrong.NOT_DELIVERED, {"fanout lost": FOLLOWERS}),
        (Wrong.DELIVERED_TWICE, {"fanout doubled": FOLLOWERS, "fanout out_of_order": FOLLOWERS}),
        (Wrong.OVERTAKEN, {"fanout out_of_order": FOLLOWERS}),
        (Wrong.NOT_ANSWERED, {"fanout unanswered": 1}),
    ],
)
async def test_fanout_sees(wrong: Wrong, found: dict[str, int]) -> None:
    async with bad_server(wrong) as url:
        figures = await fanout.fanout(url, members=FOLLOWERS, window=4, seconds=0.1, live=Live())
    assert faults({"fanout": figures}) == found


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (Wrong.NOTHING, {}),
        (Wrong.NOT_DELIVERED, {"latency lost": 1}),
        (Wrong.DELIVERED_TWICE, {"latency doubled": 1}),
        (Wrong.OVERTAKEN, {"latency out_of_order": 1}),
        (Wrong.NOT_ANSWERED, {"latency unacked": 1}),
    ],
)
async def test_latency_sees(wrong: Wrong, found: dict[str, int]) -> None:
    async with bad_server(wrong) as url:
        figures = await latency.latency(url, rate_per_s=100, pairs=1, seconds=0.1, live=Live())
    assert faults({"latency": figures}) == found
