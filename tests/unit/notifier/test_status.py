"""What others see of a user, and when; above all that choosing to be invisible looks like leaving."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Literal

import pytest

from chatterbus_contracts.envelopes import EVERYWHERE
from chatterbus_contracts.ids import ConnectionId, UserId
from chatterbus_notifier.presence.roster import Devices, DevicesChanged
from chatterbus_notifier.presence.status import (
    Choice,
    Delays,
    Load,
    OwnNotice,
    Persist,
    PublicChange,
    StatusBook,
    StatusEffect,
)

ALICE = UserId("alice")
BASE_MS = 1_700_000_000_000


class Stand:
    """A book with its kept records; time moves in steps of a tenth of a second."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.book = StatusBook(Delays(offline_debounce_s=5, moving_grace_s=15), count(1).__next__)
        self.kept: dict[str, tuple[Choice, int | None, int]] = {}
        self.answers_loads = True
        self.public: list[tuple[float, str, int | None]] = []  # after how many seconds, status, last seen
        self.own: list[str] = []
        self.versions: list[int] = []

    @property
    def now_ms(self) -> int:
        return BASE_MS + round((self.now_s - 100) * 1000)

    def devices(self, devices: Devices | None, *, moving: bool = False, user: UserId = ALICE) -> None:
        self.take(self.book.devices_changed(DevicesChanged(user, devices, moving), self.now_s, self.now_ms))

    def choose(self, choice: Choice, user: UserId = ALICE) -> str:
        kept = self.kept.get(user, ("online", None, 0))
        self.kept[user] = (choice, kept[1], kept[2])
        status, effects = self.book.choose(user, choice, self.now_s, self.now_ms)
        self.take(effects)
        return status

    def after(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.now_s = round(self.now_s + 0.1, 1)
            self.take(self.book.tick(self.now_s))

    def load(self, user: UserId = ALICE) -> None:
        self.take(self.book.loaded(user, *self.kept.get(user, ("online", None, 0)), self.now_s, self.now_ms))

    def take(self, effects: list[StatusEffect]) -> None:
        for effect in effects:
            if isinstance(effect, Load):
                if self.answers_loads:
                    self.load(effect.user_id)
            elif isinstance(effect, Persist):
                self.kept[effect.user_id] = (effect.choice, effect.last_seen_ms, effect.version)
            elif isinstance(effect, OwnNotice):
                self.versions.append(effect.version)
                self.own.append(effect.status)
            else:
                self.versions.append(effect.version)
                self.public.append((round(self.now_s - 100, 1), effect.status, effect.last_seen_ms))


def test_coming_is_told_at_once_and_going_after_the_debounce_with_when_it_was() -> None:
    stand = Stand()
    stand.devices("active")
    stand.after(10)
    stand.devices(None)
    stand.after(4.9)
    assert stand.public == [(0, "online", None)]
    stand.after(0.1)
    assert stand.public[1:] == [(15, "offline", BASE_MS + 10_000)]


def test_who_comes_back_within_the_debounce_has_not_been_away() -> None:
    stand = Stand()
    stand.devices("active")
    stand.devices(None)
    stand.after(4.9)
    stand.devices("active")
    stand.after(30)
    assert stand.public == [(0, "online", None)]


def test_who_is_moving_has_the_longer_grace() -> None:
    stand = Stand()
    stand.devices("active")
    stand.devices(None, moving=True)
    stand.after(14.9)
    assert len(stand.public) == 1
    stand.after(0.1)
    assert stand.public[1:] == [(15, "offline", BASE_MS)]


def test_away_is_told_as_it_happens() -> None:
    stand = Stand()
    stand.devices("away")
    stand.after(1)
    stand.devices("active")
    stand.after(1)
    stand.devices("away")
    assert [status for _, status, _ in stand.public] == ["away", "online", "away"]


def test_dnd_shows_while_there_is_a_device_and_the_debounce_holds_it() -> None:
    stand = Stand()
    stand.devices("active")
    assert stand.choose("dnd") == "dnd"
    stand.devices("away")
    stand.devices(None)
    stand.after(5)
    stand.devices("away")
    assert [status for _, status, _ in stand.public] == ["online", "dnd", "offline", "dnd"]


def test_nothing_is_told_before_the_choice_is_known() -> None:
    stand = Stand()
    stand.answers_loads = False
    stand.kept[ALICE] = ("invisible", 7, 3)
    stand.devices("active")
    stand.after(60)
    assert stand.public == []
    assert stand.book.awaits(ALICE)
    assert stand.book.public(ALICE) is None
    stand.load()
    assert stand.public == []
    assert stand.book.public(ALICE) == PublicChange(ALICE, "offline", 7, 3)
    assert stand.own == ["invisible"]


def test_who_leaves_before_the_choice_is_known_was_seen_then() -> None:
    stand = Stand()
    stand.answers_loads = False
    stand.devices("active")
    stand.after(2)
    stand.devices(None)
    stand.after(2)
    stand.load()
    assert stand.public == [(4, "offline", BASE_MS + 2_000)]
    assert stand.kept[ALICE][:2] == ("online", BASE_MS + 2_000)


def test_a_choice_made_before_the_kept_one_is_known_holds() -> None:
    stand = Stand()
    stand.answers_loads = False
    stand.devices("active")
    stand.choose("invisible")
    stand.kept[ALICE] = ("online", None, 0)  # an answer from before
    stand.load()
    assert stand.public == []


@pytest.mark.parametrize("before", ["active", "away"])
@pytest.mark.parametrize("dnd", [False, True])
def test_choosing_invisible_shows_the_frames_and_times_of_a_disconnect(
    before: Literal["active", "away"], dnd: bool
) -> None:
    def observed(vanish: Callable[[Stand], None], noise: Callable[[Stand], None]) -> tuple[object, object]:
        stand = Stand()
        stand.devices(before)
        if dnd:
            stand.choose("dnd")
        stand.after(3)
        vanish(stand)
        for _ in range(20):
            stand.after(1)
            noise(stand)
        told = stand.book.public(ALICE)
        kept = stand.kept[ALICE]
        seen_at = kept[1] if told is None else told.last_seen_ms
        return stand.public, (seen_at, stand.book.visible(None, 10))

    def noise(stand: Stand) -> None:
        """What an invisible user's devices may do."""
        stand.devices(None, moving=True)
        stand.devices("away")
        stand.devices("active")

    disconnected = observed(lambda stand: stand.devices(None), lambda _: None)
    assert observed(lambda stand: void(stand.choose("invisible")), lambda _: None) == disconnected
    assert observed(lambda stand: void(stand.choose("invisible")), noise) == disconnected


def test_choosing_online_again_looks_like_a_connect() -> None:
    stand = Stand()
    stand.devices("active")
    stand.choose("invisible")
    stand.after(20)
    assert stand.choose("online") == "online"
    assert stand.public[-1] == (20, "online", None)


def test_choosing_online_within_the_debounce_looks_like_nothing() -> None:
    stand = Stand()
    stand.devices("active")
    stand.choose("invisible")
    stand.after(4)
    stand.choose("online")
    stand.after(20)
    assert stand.public == [(0, "online", None)]


def test_a_connect_while_invisible_shows_nothing_and_keeps_last_seen() -> None:
    stand = Stand()
    stand.devices("active")
    stand.choose("invisible")
    stand.after(10)
    stand.devices(None)
    stand.after(10)
    stand.devices("active")
    stand.after(10)
    stand.devices(None)
    stand.after(10)
    assert [status for _, status, _ in stand.public] == ["online", "offline"]
    assert stand.kept[ALICE][:2] == ("invisible", BASE_MS)


def test_own_devices_are_told_the_truth() -> None:
    stand = Stand()
    stand.devices("active")
    stand.choose("invisible")
    stand.choose("dnd")
    stand.choose("online")
    stand.devices("away")
    assert stand.own == ["online", "invisible", "dnd", "online", "away"]


def test_a_further_connection_alone_is_told_how_its_user_is_seen() -> None:
    stand = Stand()
    assert stand.book.joined(ALICE, ConnectionId("c1")) == []  # all are told when it is known
    stand.devices("active")
    stand.choose("invisible")
    (notice,) = stand.book.joined(ALICE, ConnectionId("c2"))
    assert isinstance(notice, OwnNotice)
    assert (notice.target, notice.status) == ("c2", "invisible")
    assert notice.target != EVERYWHERE


def test_versions_only_grow() -> None:
    stand = Stand()
    for _ in range(5):
        stand.devices("active")
        stand.choose("dnd")
        stand.devices(None)
        stand.after(6)
        stand.choose("online")
    assert stand.versions == sorted(set(stand.versions))


def test_who_is_offline_takes_no_memory() -> None:
    stand = Stand()
    stand.devices("active")
    stand.devices(None)
    stand.after(6)
    assert stand.book.public(ALICE) is None
    assert stand.book.visible(None, 10) == []
    assert not stand.book.is_due(10_000)


def test_the_visible_are_listed_in_order_behind_a_user() -> None:
    stand = Stand()
    for name in ("dora", "alice", "carl", "bob"):
        stand.devices("active", user=UserId(name))
    stand.choose("invisible", UserId("carl"))
    stand.after(6)
    assert stand.book.visible(None, 2) == ["alice", "bob"]
    assert stand.book.visible(UserId("bob"), 2) == ["dora"]


def test_nobody_goes_offline_while_the_link_is_lost_and_then_the_debounce_starts_again() -> None:
    stand = Stand()
    stand.devices("active")
    stand.devices(None)
    stand.after(1)
    stand.book.link_lost()
    stand.after(60)
    stand.book.link_found(stand.now_s)
    stand.after(4.9)
    assert len(stand.public) == 1
    stand.after(0.1)
    assert stand.public[1:] == [(66, "offline", BASE_MS)]


def test_at_the_end_last_seen_is_handed_over_for_those_who_are_not_shown_offline_yet() -> None:
    stand = Stand()
    stand.devices("active")
    stand.devices("active", user=UserId("bob"))
    stand.after(1)
    stand.devices(None)
    assert list(stand.book.unsaved()) == [Persist(ALICE, "online", BASE_MS + 1_000, 0)]


def void(_: object) -> None:
    """For a lambda that is called for its effect."""
