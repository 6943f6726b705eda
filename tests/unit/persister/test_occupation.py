"""How much of its time the ledger was at work."""

from chatterbus_persister.occupation import Occupation


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_the_share_is_of_the_time_since_the_last_question() -> None:
    clock = Clock()
    occupation = Occupation(clock)
    occupation.began()
    clock.now_s = 3.0
    occupation.ended()
    clock.now_s = 4.0
    assert occupation.since_last() == 0.75
    clock.now_s = 6.0
    assert occupation.since_last() == 0.0


def test_a_batch_that_is_at_work_counts_as_far_as_it_is() -> None:
    clock = Clock()
    occupation = Occupation(clock)
    clock.now_s = 1.0
    occupation.began()
    clock.now_s = 2.0
    assert occupation.since_last() == 0.5
    clock.now_s = 3.0
    occupation.ended()
    clock.now_s = 4.0
    assert occupation.since_last() == 0.5


def test_two_questions_at_once_are_answered() -> None:
    occupation = Occupation(Clock())
    assert occupation.since_last() == 0.0
