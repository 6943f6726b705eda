from __future__ import annotations

import pytest

from chatterbus_runtime.backoff import Backoff


def test_delays_grow_to_the_maximum_and_start_again_after_reset() -> None:
    backoff = Backoff(0.25, 2, 2, jitter=0.5, random=lambda: 0)
    assert [backoff.next_s() for _ in range(5)] == [0.25, 0.5, 1, 2, 2]
    backoff.reset()
    assert backoff.next_s() == 0.25


def test_jitter_shortens_by_at_most_its_share() -> None:
    assert Backoff(1, 2, 8, jitter=0.5, random=lambda: 1).next_s() == 0.5


@pytest.mark.parametrize("arguments", [(0, 2, 1, 0), (1, 0.5, 1, 0), (2, 2, 1, 0), (1, 2, 2, 1.5)])
def test_nonsense_is_refused(arguments: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError):
        Backoff(*arguments, random=lambda: 0)
