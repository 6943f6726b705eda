"""A new leader speaks of users it has not seen only when it can know."""

from __future__ import annotations

from itertools import count

from chatterbus_notifier.presence.takeover import Stage, Takeover


def test_gathering_ends_when_all_is_told_and_probation_after_the_life_of_a_lease() -> None:
    takeover, version = Takeover(100, patience_s=5, probation_s=15), count(50).__next__
    assert not takeover.advance(100, False, version)
    assert takeover.advance(100.5, True, version)
    assert takeover.stage is Stage.PROBATION
    assert takeover.floor == 0
    assert not takeover.advance(114.9, True, version)
    assert takeover.advance(115, True, version)
    assert takeover.stage is Stage.SETTLED
    assert takeover.floor == 50
    assert not takeover.advance(500, True, version)


def test_gathering_does_not_wait_for_ever() -> None:
    takeover = Takeover(100, patience_s=5, probation_s=15)
    assert takeover.advance(105, False, count().__next__)


def test_a_lost_link_gives_the_full_time_again() -> None:
    takeover, version = Takeover(100, patience_s=5, probation_s=15), count(1).__next__
    takeover.link_found(150, patience_s=5, probation_s=15)
    assert not takeover.advance(154, False, version)
    assert takeover.advance(155, False, version)
    assert not takeover.advance(164, False, version)
    assert takeover.advance(165, False, version)
