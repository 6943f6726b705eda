"""Several processes of the generator measure and check as one does."""

import asyncio
from functools import partial

import pytest

from bench import fanout, throughput
from bench.crew import Seat, Spent, core_share, crew
from bench.live import Live
from bench.metrics import faults
from bench.throughput import holes
from tests.unit.bench.bad_server import Wrong, bad_server


class Part:
    def __init__(self, seat: Seat, *, word: str) -> None:
        self._seat = seat
        self._word = word
        self._go = asyncio.Event()

    async def told(self, number: int) -> tuple[int, str, int]:
        return self._seat.place, self._word, number

    async def place(self) -> int:
        return self._seat.place

    async def wait(self) -> None:
        await self._go.wait()

    async def go(self) -> None:
        self._go.set()

    async def break_at_second(self) -> None:
        if not self._seat.first:
            raise ValueError("no")


@pytest.mark.parametrize("size", [1, 2])
async def test_every_seat_answers_in_its_place(size: int) -> None:
    async with crew(size, partial(Part, word="x")) as parts:
        assert await parts.each(Part.told, 7) == [(place, "x", 7) for place in range(size)]
        assert await parts.sum(Part.place) == size - 1


async def test_a_step_may_be_asked_for_while_another_runs() -> None:
    async with crew(2, partial(Part, word="x")) as parts:
        waiting = asyncio.create_task(parts.each(Part.wait))
        await parts.each(Part.go)
        await waiting


async def test_a_failure_on_one_seat_fails_the_scenario() -> None:
    async with crew(2, partial(Part, word="x")) as parts:
        with pytest.raises(RuntimeError, match="ValueError: no"):
            await parts.each(Part.break_at_second)


def test_seats_share_what_is_numbered_without_gap_or_overlap() -> None:
    numbers = [number for place in range(3) for number in Seat(place, 3).numbers(10)]
    assert sorted(numbers) == list(range(10))


def test_a_generator_is_as_full_as_its_fullest_process_or_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {1}, raising=False)
    assert core_share([Spent(2.0, 1.0), Spent(2.0, 0.8)]) == 0.9
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1}, raising=False)
    assert core_share([Spent(2.0, 1.0), Spent(2.0, 0.8)]) == 0.5


def test_holes_are_looked_for_in_what_all_processes_saw_of_a_thread() -> None:
    assert holes([{0: {1, 3}, 1: {1, 2}}, {0: {2, 5}}]) == 1


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (Wrong.NOTHING, {}),
        (Wrong.DELIVERED_TWICE, {"throughput doubled": 2}),
        (Wrong.OVERTAKEN, {"throughput out_of_order": 2}),
    ],
)
async def test_throughput_of_two_processes_sees(
    wrong: Wrong, found: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throughput, "WARM_UP_S", 0.05)
    async with bad_server(wrong) as url:
        figures = await throughput.throughput(
            url, senders=2, threads=2, window=4, seconds=0.2, live=Live(), generators=2
        )
    assert faults({"throughput": figures}) == found
    assert figures["generators"] == 2
    assert figures["acked"] > 0


@pytest.mark.parametrize(
    ("wrong", "found"),
    [(Wrong.NOTHING, {}), (Wrong.DELIVERED_TWICE, {"fanout doubled": 3, "fanout out_of_order": 3})],
)
async def test_fanout_of_two_processes_sees(
    wrong: Wrong, found: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "WARM_UP_S", 0.05)
    async with bad_server(wrong) as url:
        figures = await fanout.fanout(url, members=3, window=4, seconds=0.2, live=Live(), generators=2)
    assert faults({"fanout": figures}) == found
