"""Who is connected where. Pure: events and times in, effects out.

Promises: changes of a slot are applied in the order of their versions, each once; a hole, a count that is not right, or
a lease that for `settle_s` speaks of more than is known makes the slot wanted (`SnapshotWanted`, `wanted`), until a
snapshot has come that covers it. A newer incarnation of a gateway voids everything of the older one, and an older one
never wins. A lease that was not renewed for `lease_ttl_s` of our own clock ends all its connections; none ends while
the link is lost, and each has the full time again when it is found. A user's devices are merged: active when any is.
What one event does to a user is told once. A change costs what it names; a tick costs the number of gateways.
Does not promise to hear of every change: that is what leases and snapshots are for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from chatterbus_contracts.ids import ConnectionId, GatewayId, UserId
from chatterbus_contracts.presence import (
    LEASE_REFRESH_S,
    LEASE_TTL_S,
    ConnectedDevice,
    Connections,
    ConnectionsChanged,
    Lease,
    SlotConnections,
)
from chatterbus_notifier.presence.connections import UNKNOWN, GatewayView, SlotView

Devices = Literal["active", "away"]

REMEMBERED_TTLS: Final = 20  # how long, in lifetimes of a lease, an incarnation that ended can not come back older


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what is waited for, in seconds. `missing_lease_s`: a lease that is in the bucket no more is void by then
    (it was deleted, or is too old), unless it is written again: a bucket in memory can be lost."""

    lease_ttl_s: float = LEASE_TTL_S
    missing_lease_s: float = LEASE_REFRESH_S + 3
    settle_s: float = 1.0


class ConnectionJoined(NamedTuple):
    """A connection that was not there before, or that may have missed what its user was told."""

    user_id: UserId
    connection_id: ConnectionId


class DevicesChanged(NamedTuple):
    """What a user's devices come to now; None: there is none. `moving`: then they are about to come back."""

    user_id: UserId
    devices: Devices | None
    moving: bool


class UserLeft(NamedTuple):
    """The user has no connection any more."""

    user_id: UserId


class SnapshotWanted(NamedTuple):
    """The gateway is to be asked, see `Roster.wanted`. Told once, until nothing is wanted of it."""

    gateway_id: GatewayId


RosterEffect = ConnectionJoined | DevicesChanged | UserLeft | SnapshotWanted


class _Ended(NamedTuple):
    """A gateway whose lease was not renewed: its incarnation, the revision its lease had, and when that was."""

    incarnation: int
    revision: int
    at_s: float


class _Step:
    """What one event touches: users as they were before it, and connections that are new."""

    __slots__ = ("asks", "before", "joined", "moving")

    def __init__(self) -> None:
        self.before: dict[str, Devices | None] = {}
        self.moving: dict[str, bool] = {}
        self.joined: list[tuple[SlotView, str, str]] = []
        self.asks: list[GatewayId] = []


class Roster:
    """Keeps `slots` of users. Every `now_s` is of one monotonic clock."""

    def __init__(self, slots: Iterable[int], patience: Patience) -> None:
        self._slots: Final = tuple(slots)
        self._patience = patience
        self._views: dict[GatewayId, GatewayView] = {}
        self._ended: dict[GatewayId, _Ended] = {}
        self._active: dict[str, int] = {}  # user -> connections in this state; no entry for none
        self._away: dict[str, int] = {}
        self._link_is_lost = False
        self._missing_counts_from_s = 0.0

    # --- what is known -----------------------------------------------------------------------------------------------

    @property
    def gateways(self) -> list[GatewayId]:
        """Those with a lease."""
        return [gateway_id for gateway_id, view in self._views.items() if view.leased]

    @property
    def is_known(self) -> bool:
        """Whether all gateways that were heard of have told who is there."""
        return all(view.is_known for view in self._views.values())

    def devices(self, user_id: str) -> Devices | None:
        """The merge over the user's connections."""
        if user_id in self._active:
            return "active"
        return "away" if user_id in self._away else None

    def wanted(self, gateway_id: GatewayId) -> list[tuple[int, int]]:
        """Slots the gateway is to be asked for, each with about how many connections; none when it is gone."""
        view = self._views.get(gateway_id)
        if view is None:
            return []
        return [(slot, max(view.expected.get(slot, 0), view.slots[slot].count)) for slot in sorted(view.wanted)]

    # --- events ------------------------------------------------------------------------------------------------------

    def change(self, change: ConnectionsChanged, now_s: float) -> list[RosterEffect]:
        """A gateway said what changed in a slot."""
        if change.slot not in self._slots:
            return []
        step = _Step()
        view = self._view(change.gateway_id, change.incarnation, now_s, step)
        if view is not None:
            slot = view.slots[change.slot]
            slot.heard = max(slot.heard, change.version)
            self._repeat(slot, change.here, step)
            if change.version > slot.version:
                self._follow(view, slot, change, step)
        return self._told(step)

    def _repeat(self, slot: SlotView, here: Iterable[ConnectedDevice], step: _Step) -> None:
        # Also of a change behind a hole: the connections are known, and nothing else says that they missed something.
        for device in here:
            user = slot.active.get(device.connection_id) or slot.away.get(device.connection_id)
            if device.again and user == device.user_id:
                step.joined.append((slot, device.connection_id, user))

    def _follow(self, view: GatewayView, slot: SlotView, change: ConnectionsChanged, step: _Step) -> None:
        # Without a snapshot nothing is built on, not even number 1: it may be a late copy from before an expiry.
        if slot.version == UNKNOWN or change.version != slot.version + 1:
            self._want(change.gateway_id, view, (change.slot,), step)
            return
        for device in change.here:
            self._put(slot, device, step)
        for gone in change.left:
            self._remove(slot, gone.connection_id, gone.moving, step)
        slot.version = change.version
        if slot.count != change.count:
            self._want(change.gateway_id, view, (change.slot,), step)

    def lease(self, lease: Lease, revision: int, now_s: float) -> list[RosterEffect]:
        """A lease is in the bucket, at `revision`: one that was seen before renews nothing."""
        step = _Step()
        ended = self._ended.get(lease.gateway_id)
        if ended is not None and (ended.incarnation, ended.revision) == (lease.incarnation, revision):
            return []  # it is still in the bucket, and dead
        view = self._view(lease.gateway_id, lease.incarnation, now_s, step)
        if view is not None and view.revision != revision:
            view.revision, view.leased, view.draining = revision, True, lease.draining
            view.expires_at_s = now_s + self._patience.lease_ttl_s
            for number in self._slots:
                if number < len(lease.slots):
                    self._compare(view, number, *lease.slots[number], now_s)
        return self._told(step)

    def _compare(self, view: GatewayView, number: int, version: int, count: int, now_s: float) -> None:
        slot = view.slots[number]
        view.expected[number] = count
        slot.heard = max(slot.heard, version)
        if number not in view.wanted and not slot.agrees(version, count):
            view.doubts.setdefault(number, (now_s, version, count))

    def lease_missing(self, gateway_id: GatewayId, now_s: float) -> None:
        """The gateway's lease is not in the bucket."""
        view = self._views.get(gateway_id)
        if view is not None and view.leased and not self._link_is_lost and now_s >= self._missing_counts_from_s:
            view.expires_at_s = min(view.expires_at_s, now_s + self._patience.missing_lease_s)

    def snapshot(self, answer: Connections, now_s: float) -> list[RosterEffect]:
        """A gateway said who is connected. Of a gateway that is not known (any more) it is void."""
        step = _Step()
        if answer.gateway_id in self._views:
            view = self._view(answer.gateway_id, answer.incarnation, now_s, step)
            if view is not None:
                for told in answer.slots:
                    self._replace(view, told, step)
        return self._told(step)

    def _replace(self, view: GatewayView, told: SlotConnections, step: _Step) -> None:
        slot = view.slots.get(told.slot)
        if slot is None or told.version < slot.version:
            return
        stays = set()
        for device in told.connections:
            stays.add(device.connection_id)
            self._put(slot, device, step)
        for connection_id in [*slot.active, *slot.away]:
            if connection_id not in stays:
                self._remove(slot, connection_id, view.draining, step)
        slot.version = told.version
        view.doubts.pop(told.slot, None)
        if told.version >= slot.heard:
            view.wanted.discard(told.slot)

    def link_lost(self) -> None:
        """Nothing is heard from now on."""
        self._link_is_lost = True

    def link_found(self, now_s: float) -> list[RosterEffect]:
        """Something may have been missed: everybody is asked, and everybody has time to answer."""
        step = _Step()
        self._link_is_lost = False
        self._missing_counts_from_s = now_s + self._patience.lease_ttl_s
        for gateway_id, view in self._views.items():
            view.expires_at_s = now_s + self._patience.lease_ttl_s
            view.doubts.clear()
            self._want(gateway_id, view, self._slots, step)
        return self._told(step)

    def tick(self, now_s: float) -> list[RosterEffect]:
        """Time has passed: leases end, and doubts that have not cleared are asked about."""
        step = _Step()
        if self._link_is_lost:
            return []
        for gateway_id, view in list(self._views.items()):
            if now_s >= view.expires_at_s:
                self._end(gateway_id, view, now_s, step)
            elif view.doubts:
                self._resolve(gateway_id, view, now_s, step)
        for gateway_id, ended in list(self._ended.items()):
            if now_s - ended.at_s > REMEMBERED_TTLS * self._patience.lease_ttl_s:
                del self._ended[gateway_id]
        return self._told(step)

    # --- gateways ----------------------------------------------------------------------------------------------------

    def _view(self, gateway_id: GatewayId, incarnation: int, now_s: float, step: _Step) -> GatewayView | None:
        """The gateway's view, made anew for a newer incarnation; None when what is said is of an older one."""
        view = self._views.get(gateway_id)
        last = view or self._ended.get(gateway_id)
        known = UNKNOWN if last is None else last.incarnation
        if incarnation < known:
            return None
        if view is None or incarnation > known:
            if view is not None:
                self._clear(view, step)
            self._ended.pop(gateway_id, None)
            view = self._views[gateway_id] = GatewayView(incarnation, self._slots, now_s + self._patience.lease_ttl_s)
            step.asks.append(gateway_id)
        return view

    def _end(self, gateway_id: GatewayId, view: GatewayView, now_s: float, step: _Step) -> None:
        del self._views[gateway_id]
        self._ended[gateway_id] = _Ended(view.incarnation, view.revision, now_s)
        self._clear(view, step)

    def _clear(self, view: GatewayView, step: _Step) -> None:
        for slot in view.slots.values():
            for connection_id in [*slot.active, *slot.away]:
                self._remove(slot, connection_id, view.draining, step)

    def _resolve(self, gateway_id: GatewayId, view: GatewayView, now_s: float, step: _Step) -> None:
        for number, (since_s, version, count) in list(view.doubts.items()):
            if view.slots[number].agrees(version, count):
                del view.doubts[number]
            elif now_s - since_s >= self._patience.settle_s:
                del view.doubts[number]
                self._want(gateway_id, view, (number,), step)

    def _want(self, gateway_id: GatewayId, view: GatewayView, slots: Iterable[int], step: _Step) -> None:
        if not view.wanted:
            step.asks.append(gateway_id)
        view.wanted.update(slots)

    # --- connections -------------------------------------------------------------------------------------------------

    def _put(self, slot: SlotView, device: ConnectedDevice, step: _Step) -> None:
        connection_id = device.connection_id
        user = slot.active.get(connection_id) or slot.away.get(connection_id)
        if user is not None and user != device.user_id:
            self._remove(slot, connection_id, False, step)
            user = None
        is_active = device.state == "active"
        if user is not None and (connection_id in slot.active) is is_active:
            return
        if user is None:
            user = sys.intern(device.user_id)
            step.before.setdefault(user, self.devices(user))
            step.joined.append((slot, connection_id, user))
        else:
            step.before.setdefault(user, self.devices(user))
            self._forget(slot, connection_id, user)
        kept, counts = (slot.active, self._active) if is_active else (slot.away, self._away)
        kept[connection_id] = user
        counts[user] = counts.get(user, 0) + 1

    def _remove(self, slot: SlotView, connection_id: str, moving: bool, step: _Step) -> None:
        user = slot.active.get(connection_id) or slot.away.get(connection_id)
        if user is not None:
            step.before.setdefault(user, self.devices(user))
            step.moving[user] = moving
            self._forget(slot, connection_id, user)

    def _forget(self, slot: SlotView, connection_id: str, user: str) -> None:
        kept, counts = (slot.active, self._active) if connection_id in slot.active else (slot.away, self._away)
        del kept[connection_id]
        if counts[user] == 1:
            del counts[user]
        else:
            counts[user] -= 1

    def _told(self, step: _Step) -> list[RosterEffect]:
        effects: list[RosterEffect] = [
            ConnectionJoined(UserId(user), ConnectionId(connection_id))
            for slot, connection_id, user in step.joined
            if connection_id in slot.active or connection_id in slot.away
        ]
        for user, before in step.before.items():
            after = self.devices(user)
            if after != before:
                effects.append(DevicesChanged(UserId(user), after, step.moving.get(user, False)))
                if after is None:
                    effects.append(UserLeft(UserId(user)))
        effects.extend(SnapshotWanted(gateway_id) for gateway_id in dict.fromkeys(step.asks))
        return effects
