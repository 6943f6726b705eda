"""Places in a long past are the same for every run, and a page that is not what it must be is counted."""

from bench.metrics import faults, verdicts
from bench.pages import LIMIT, Place, places, timed
from bench.past import LONG, Past

PAST = Past({LONG: 300, "past-0": 60, "past-1": 40})


def test_a_page_ends_with_its_thread() -> None:
    first, last = Place("t", 3, 1), Place("t", 3, 3)
    assert (first.before, first.after) == ([], [2, 3])
    assert (last.before, last.after) == ([1, 2], [])


def test_a_page_in_the_middle_is_full() -> None:
    middle = Place("t", 1_000, 500)
    assert middle.before == list(range(500 - LIMIT, 500))
    assert middle.after == list(range(501, 501 + LIMIT))


def test_places_are_within_their_threads_and_the_same_again() -> None:
    for long in (True, False):
        chosen = places(PAST, 200, long=long)
        assert chosen == places(PAST, 200, long=long)
        assert {place.thread for place in chosen} == ({LONG} if long else {"past-0", "past-1"})
        assert all(1 <= place.seq <= PAST.lengths[place.thread] for place in chosen)


def test_a_ledger_of_one_thread_has_no_places_in_short_ones() -> None:
    assert places(Past({LONG: 10}), 5, long=False) == []


async def test_wrong_pages_are_counted_and_are_a_fault() -> None:
    async def fetch(place: Place) -> bool:
        return place.seq % 2 == 0

    taken_s, wrong = await timed(fetch, [Place("t", 9, seq) for seq in range(1, 10)])
    assert (len(taken_s), wrong) == (9, 5)
    assert faults({"history": {"wrong_pages": wrong}}) == {"history wrong_pages": 5}


def test_goals_that_need_no_peer_are_judged_by_the_figure() -> None:
    def judged(p99_ms: float, after_s: float) -> dict[str, bool]:
        found = verdicts(
            {"history": {"reads": {"all": {"p99_ms": p99_ms}}}, "storm": {"all_caught_up_after_s": after_s}}
        )
        return {metric.scenario: met for metric, _, met in found}

    assert judged(19.9, 4.9) == {"history": True, "storm": True}
    assert judged(20.1, 5.1) == {"history": False, "storm": False}
    assert verdicts({"latency": {}}) == []
