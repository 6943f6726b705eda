"""The order checker must fire on one loss, one duplicate, one swap, and on nothing else."""

import random

import pytest

from bench.order import OrderChecker, inversions, together

CLEAN = {"doubled": 0, "out_of_order": 0, "stored_out_of_order": 0, "seen_out_of_order": 0, "unseen": 0}


def checker(positions: dict[int, int], seen: list[int]) -> OrderChecker:
    made = OrderChecker()
    for number, position in positions.items():
        made.answered(number, position)
    for number in seen:
        made.seen(number)
    return made


def test_what_comes_back_once_and_in_order_is_clean() -> None:
    assert checker({0: 5, 1: 7, 2: 8}, [0, 1, 2]).figures() == CLEAN


def test_acks_may_come_in_any_order_when_history_has_the_order_of_sending() -> None:
    assert checker({2: 8, 0: 5, 1: 7}, [0, 1, 2]).figures() == CLEAN


def test_a_message_that_was_sent_later_and_stored_earlier_is_out_of_order() -> None:
    assert checker({0: 7, 1: 5}, [0, 1]).figures() == CLEAN | {"out_of_order": 1, "stored_out_of_order": 1}


def test_a_message_that_was_sent_later_and_seen_earlier_is_out_of_order() -> None:
    assert checker({0: 5, 1: 7}, [1, 0]).figures() == CLEAN | {"out_of_order": 1, "seen_out_of_order": 1}


@pytest.mark.parametrize(
    ("positions", "seen"), [({0: 5, 1: 5}, [0, 1]), ({0: 5, 1: 7}, [0, 1, 1])], ids=["one place", "seen again"]
)
def test_one_duplicate_is_counted(positions: dict[int, int], seen: list[int]) -> None:
    assert checker(positions, seen).figures() == CLEAN | {"doubled": 1}


def test_an_answer_that_comes_again_is_counted() -> None:
    again = checker({0: 5}, [0])
    again.answered(0, 5)
    assert again.figures() == CLEAN | {"doubled": 1}


def test_what_was_answered_and_never_delivered_is_unseen() -> None:
    assert checker({0: 5, 1: 7}, [0]).figures() == CLEAN | {"unseen": 1}


def test_inversions_are_those_below_a_value_before_them() -> None:
    shuffled = random.Random(7).sample(range(200), 200)
    slow = sum(any(before > value for before in shuffled[:place]) for place, value in enumerate(shuffled))
    assert inversions(shuffled) == slow
    assert inversions([]) == 0


def test_senders_are_summed() -> None:
    swapped = checker({0: 7, 1: 5}, [0, 1])
    assert together([swapped, swapped])["out_of_order"] == 2
