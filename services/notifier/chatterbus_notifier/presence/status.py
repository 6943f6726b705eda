"""How users are seen: merge, choice and debounce. Pure: events and times in, effects out.

Promises: a user with an active device is online, else with one that is away away, else, `offline_debounce_s` after the
last one went (`moving_grace_s` when it was about to move), offline, last seen when it went. `dnd` shows instead of
online and away. Choosing `invisible` does to what others see exactly what the loss of all devices does, at the same
times; while it is chosen, devices that come and go do nothing; choosing something else is like a device that comes.
Nothing is shown of a user before it is known what was chosen (`Load`, answered by `loaded`), so that no failure shows
an invisible one. The user's own devices are told the truth. Who has no device and is shown offline is forgotten here:
`Persist` hands over what must outlive that. A change costs a user's own record and a place in the list of the visible.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from chatterbus_contracts.envelopes import EVERYWHERE
from chatterbus_contracts.ids import ConnectionId, UserId
from chatterbus_contracts.states import PublicStatus, Status
from chatterbus_notifier.presence.roster import Devices, DevicesChanged

Choice = Literal["online", "dnd", "invisible"]

DUE_AT_ONCE: Final = 500  # users that go offline in one tick; the rest in the next, so that others are served between


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds before a user without devices is shown offline."""

    offline_debounce_s: float
    moving_grace_s: float


class Load(NamedTuple):
    """What did the user choose, and when was it last seen? To be answered by `loaded`."""

    user_id: UserId


class PublicChange(NamedTuple):
    """What those who may see the user are told. `last_seen_ms`, unix time, is of one who is offline."""

    user_id: UserId
    status: PublicStatus
    last_seen_ms: int | None
    version: int


class OwnNotice(NamedTuple):
    """What the user's own connections are told: all, or the one that is the target."""

    user_id: UserId
    target: str
    status: Status
    version: int


class Persist(NamedTuple):
    """To be kept of a user. `choice` is the one known here."""

    user_id: UserId
    choice: Choice
    last_seen_ms: int | None
    version: int


StatusEffect = Load | PublicChange | OwnNotice | Persist


class _Seen:
    """A user with devices, or one who had some a moment ago."""

    __slots__ = ("choice", "devices", "due_s", "last_seen_ms", "shown", "version")

    def __init__(self, choice: Choice, last_seen_ms: int | None, version: int) -> None:
        self.choice: Choice = choice
        self.devices: Devices | None = None
        self.shown: PublicStatus = "offline"
        self.version = version  # of what is shown
        self.last_seen_ms = last_seen_ms
        self.due_s: float | None = None  # when it will be shown offline

    @property
    def look(self) -> PublicStatus | None:
        """What there is to be seen right now; None: nothing."""
        if self.devices is None or self.choice == "invisible":
            return None
        if self.choice == "dnd":
            return "dnd"
        return "online" if self.devices == "active" else "away"

    @property
    def own(self) -> Status | None:
        """What the user's own devices are told; None: there is none."""
        if self.devices is not None and self.choice == "invisible":
            return "invisible"
        return self.look


class _Arrival:
    """A user who came, as long as the choice is not known."""

    __slots__ = ("choice", "devices", "left_ms")

    def __init__(self, devices: Devices | None) -> None:
        self.devices = devices
        self.choice: Choice | None = None  # made meanwhile
        self.left_ms: int | None = None


class StatusBook:
    """`now_s` is of the roster's monotonic clock, `now_ms` unix time; `next_version` is the shard's."""

    def __init__(self, delays: Delays, next_version: Callable[[], int]) -> None:
        self._delays = delays
        self._next_version = next_version
        self._users: dict[str, _Seen] = {}
        self._arrivals: dict[str, _Arrival] = {}
        self._visible: list[str] = []  # in order
        self._due: list[tuple[float, str]] = []  # a heap; an entry that is not its user's due_s is void
        self._link_is_lost = False
        self._not_before_s = 0.0

    # --- what is known -----------------------------------------------------------------------------------------------

    @property
    def is_loading(self) -> bool:
        """Whether there are users with devices of whom the choice is not known yet."""
        return bool(self._arrivals)

    def awaits(self, user_id: UserId) -> bool:
        """Whether `loaded` is awaited for this user."""
        return user_id in self._arrivals

    def public(self, user_id: UserId) -> PublicChange | None:
        """How the user is seen; None: not known here, which for one not awaited means offline."""
        user = self._users.get(user_id)
        if user is None:
            return None
        last_seen_ms = user.last_seen_ms if user.shown == "offline" else None
        return PublicChange(user_id, user.shown, last_seen_ms, user.version)

    def visible(self, after: UserId | None, limit: int) -> list[UserId]:
        """Ids of users who are not shown offline, in order, behind `after`."""
        start = 0 if after is None else bisect_right(self._visible, after)
        return [UserId(user_id) for user_id in self._visible[start : start + limit]]

    def unsaved(self) -> Iterator[Persist]:
        """Of those who are gone and not shown offline yet: when they were last seen. Version 0, as nobody was told."""
        for user_id, user in self._users.items():
            if user.due_s is not None:
                yield Persist(UserId(user_id), user.choice, user.last_seen_ms, 0)

    # --- events ------------------------------------------------------------------------------------------------------

    def joined(self, user_id: UserId, connection_id: ConnectionId) -> list[StatusEffect]:
        """Another connection of a user: it is told how its user is seen, unless all will be (`devices_changed`)."""
        user = self._users.get(user_id)
        if user is None or user.own is None:
            return []
        return [OwnNotice(user_id, connection_id, user.own, self._next_version())]

    def devices_changed(self, change: DevicesChanged, now_s: float, now_ms: int) -> list[StatusEffect]:
        """What a user's devices come to is another than before."""
        user = self._users.get(change.user_id)
        if user is None:
            return self._arrived(change, now_ms)
        look, own = user.look, user.own
        user.devices = change.devices
        delay_s = self._delays.moving_grace_s if change.moving else self._delays.offline_debounce_s
        return self._settle(change.user_id, user, look, own, delay_s, now_s, now_ms)

    def _arrived(self, change: DevicesChanged, now_ms: int) -> list[StatusEffect]:
        arrival = self._arrivals.get(change.user_id)
        if arrival is None:
            self._arrivals[change.user_id] = _Arrival(change.devices)
            return [Load(change.user_id)]
        arrival.devices = change.devices
        arrival.left_ms = now_ms if change.devices is None else None
        return []

    def loaded(
        self, user_id: UserId, choice: Choice, last_seen_ms: int | None, version: int, now_s: float, now_ms: int
    ) -> list[StatusEffect]:
        """The answer to Load: what was kept of the user."""
        arrival = self._arrivals.pop(user_id, None)
        if arrival is None:
            return []
        user = _Seen(arrival.choice or choice, last_seen_ms, version)
        if arrival.devices is None:
            return self._came_and_went(user_id, user, arrival.left_ms)
        self._users[user_id] = user
        user.devices = arrival.devices
        return self._settle(user_id, user, None, None, self._delays.offline_debounce_s, now_s, now_ms)

    def _came_and_went(self, user_id: UserId, user: _Seen, left_ms: int | None) -> list[StatusEffect]:
        if user.choice == "invisible":
            return []
        version = self._next_version()
        return [
            PublicChange(user_id, "offline", left_ms, version),
            Persist(user_id, user.choice, left_ms, version),
        ]

    def choose(self, user_id: UserId, choice: Choice, now_s: float, now_ms: int) -> tuple[Status, list[StatusEffect]]:
        """The user wants to be seen so; what the user's own devices are to be told."""
        if user_id in self._arrivals:
            self._arrivals[user_id].choice = choice
        user = self._users.get(user_id)
        if user is None:
            return choice, []
        look, own = user.look, user.own
        user.choice = choice
        effects = self._settle(user_id, user, look, own, self._delays.offline_debounce_s, now_s, now_ms)
        return user.own or choice, effects

    def link_lost(self) -> None:
        """Devices that come are not heard of: nobody goes offline."""
        self._link_is_lost = True

    def link_found(self, now_s: float) -> None:
        """Who had gone has the debounce once more, to be heard of at another gateway."""
        self._link_is_lost = False
        self._not_before_s = now_s + self._delays.offline_debounce_s

    def tick(self, now_s: float) -> list[StatusEffect]:
        """Time has passed. Does at most DUE_AT_ONCE users: call again while `is_due`."""
        effects: list[StatusEffect] = []
        for _ in range(DUE_AT_ONCE):
            if not self.is_due(now_s):
                break
            due_s, user_id = heapq.heappop(self._due)
            user = self._users.get(user_id)
            if user is not None and user.due_s == due_s:
                if now_s < self._not_before_s:
                    self._vanish(user_id, user, self._not_before_s)
                else:
                    effects += self._gone(UserId(user_id), user)
        return effects

    def is_due(self, now_s: float) -> bool:
        """Whether a tick has something to do."""
        return bool(self._due) and self._due[0][0] <= now_s and not self._link_is_lost

    # --- appearance --------------------------------------------------------------------------------------------------

    def _settle(
        self,
        user_id: UserId,
        user: _Seen,
        look: PublicStatus | None,
        own: Status | None,
        delay_s: float,
        now_s: float,
        now_ms: int,
    ) -> list[StatusEffect]:
        """After something changed: `look` and `own` are from before."""
        effects: list[StatusEffect] = []
        if user.look is not None:
            user.due_s = None
            if user.look != user.shown:
                effects.append(self._show(user_id, user, user.look))
        elif look is not None:
            user.last_seen_ms = now_ms
            self._vanish(user_id, user, now_s + delay_s)
        elif user.devices is None and user.due_s is None:
            del self._users[user_id]
        if user.own is not None and user.own != own:
            effects.append(OwnNotice(user_id, EVERYWHERE, user.own, self._next_version()))
        return effects

    def _vanish(self, user_id: str, user: _Seen, due_s: float) -> None:
        user.due_s = due_s
        heapq.heappush(self._due, (due_s, user_id))

    def _gone(self, user_id: UserId, user: _Seen) -> list[StatusEffect]:
        user.due_s = None
        if user.devices is None:
            del self._users[user_id]
        change = self._show(user_id, user, "offline")
        return [change, Persist(user_id, user.choice, user.last_seen_ms, user.version)]

    def _show(self, user_id: UserId, user: _Seen, status: PublicStatus) -> PublicChange:
        if user.shown == "offline":
            insort(self._visible, user_id)
        elif status == "offline":
            del self._visible[bisect_left(self._visible, user_id)]
        user.shown, user.version = status, self._next_version()
        return PublicChange(user_id, status, user.last_seen_ms if status == "offline" else None, user.version)
