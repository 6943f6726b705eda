"""Questions to a gateway are cut so that the answer fits."""

from __future__ import annotations

from chatterbus_notifier.presence.snapshots import first_batch


def test_slots_are_asked_together_up_to_the_bound() -> None:
    assert first_batch([(0, 1_000), (2, 1_500), (4, 500), (6, 1)], most=3_000) == [0, 2, 4]


def test_a_slot_that_is_larger_goes_alone() -> None:
    assert first_batch([(0, 9_000), (2, 1)], most=3_000) == [0]
    assert first_batch([(0, 1), (2, 9_000)], most=3_000) == [0]
