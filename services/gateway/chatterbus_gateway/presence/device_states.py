"""Who is connected to this gateway, slot by slot, and what of it was not told yet. Pure.

Promises: who applies all changes of an incarnation in order has exactly these connections, each in its last state; who
missed one sees it by the version or the count of the next, or by the lease. What a connection does between two `take`s
is told as one: its last state, or that it left, also when nobody ever heard that it came. A version is taken by every
change that is handed out, and by nothing else, so that versions and counts never speak of what was not handed out.
Overflow: a slot gathers GATHERED_MAX connections at most; `put` and `remove` say when it is full, and the caller takes
what there is.
Does not know time, nor whether a change arrived.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from chatterbus_contracts.ids import GatewayId, UserId
from chatterbus_contracts.presence import (
    ConnectedDevice,
    Connections,
    ConnectionsChanged,
    DeviceLeft,
    Lease,
    SlotConnections,
)
from chatterbus_contracts.subjects import USER_SLOTS, slot_of

GATHERED_MAX: Final = 1_000  # of the longest ids, that is a quarter of what a NATS message holds

_STATES: Final[dict[bool, Literal["active", "away"]]] = {False: "active", True: "away"}


class SlotStates:
    """One slot."""

    __slots__ = ("changed", "devices", "left", "version")

    def __init__(self) -> None:
        self.version = 0
        self.devices: dict[str, tuple[UserId, bool]] = {}  # by connection: whose it is, and whether it is away
        self.changed: dict[str, bool] = {}  # not told yet: who is there, and whether it may have missed something
        self.left: dict[str, DeviceLeft] = {}  # not told yet: who is not

    @property
    def is_full(self) -> bool:
        return len(self.changed) + len(self.left) >= GATHERED_MAX

    def device(self, connection_id: str, *, again: bool = False) -> ConnectedDevice:
        user_id, away = self.devices[connection_id]
        return ConnectedDevice(connection_id=connection_id, user_id=user_id, state=_STATES[away], again=again)


class DeviceStates:
    """All of a gateway. `incarnation` may grow while it runs: what was told before is void then, and is asked for."""

    def __init__(self, gateway_id: GatewayId, incarnation: int) -> None:
        self.gateway_id = gateway_id
        self.incarnation = incarnation
        self._slots = [SlotStates() for _ in range(USER_SLOTS)]
        self._untold: dict[int, None] = {}

    def __len__(self) -> int:
        """Connections."""
        return sum(len(slot.devices) for slot in self._slots)

    def put(self, connection_id: str, user_id: UserId, *, away: bool) -> bool:
        """A connection is there, in this state; whether its slot is full of untold changes."""
        number = slot_of(user_id)
        slot = self._slots[number]
        if slot.devices.get(connection_id) == (user_id, away):
            return False
        slot.devices[connection_id] = (user_id, away)
        slot.left.pop(connection_id, None)
        slot.changed.setdefault(connection_id, False)
        self._untold[number] = None
        return slot.is_full

    def repeat(self, connection_id: str, user_id: UserId) -> bool:
        """A connection may have missed what its user was told; whether its slot is full of untold changes."""
        number = slot_of(user_id)
        slot = self._slots[number]
        if connection_id not in slot.devices:
            return False
        slot.changed[connection_id] = True
        self._untold[number] = None
        return slot.is_full

    @property
    def connections(self) -> list[tuple[str, UserId]]:
        """All connections, with whose they are."""
        return [(name, user_id) for slot in self._slots for name, (user_id, _) in slot.devices.items()]

    def remove(self, connection_id: str, user_id: UserId, *, moving: bool) -> bool:
        """A connection is gone; whether its slot is full of untold changes."""
        number = slot_of(user_id)
        slot = self._slots[number]
        if slot.devices.pop(connection_id, None) is None:
            return False
        slot.changed.pop(connection_id, None)
        slot.left[connection_id] = DeviceLeft(connection_id=connection_id, user_id=user_id, moving=moving)
        self._untold[number] = None
        return slot.is_full

    def take(self) -> list[ConnectionsChanged]:
        """What is to be told now, a change for each slot where something happened."""
        untold, self._untold = self._untold, {}
        return [self._take_slot(number) for number in untold]

    def _take_slot(self, number: int) -> ConnectionsChanged:
        slot = self._slots[number]
        slot.version += 1
        changed = ConnectionsChanged(
            gateway_id=self.gateway_id,
            incarnation=self.incarnation,
            slot=number,
            version=slot.version,
            count=len(slot.devices),
            here=[slot.device(connection_id, again=again) for connection_id, again in slot.changed.items()],
            left=list(slot.left.values()),
        )
        slot.changed = {}
        slot.left = {}
        return changed

    def lease(self, *, draining: bool) -> Lease:
        """All versions and counts. The caller has taken what there was to take."""
        return Lease(
            gateway_id=self.gateway_id,
            incarnation=self.incarnation,
            draining=draining,
            slots=[(slot.version, len(slot.devices)) for slot in self._slots],
        )

    def snapshot(self, slots: Iterable[int]) -> Connections:
        """Everybody in these slots, each slot once. The caller has taken what there was to take."""
        return Connections(
            gateway_id=self.gateway_id,
            incarnation=self.incarnation,
            slots=[self._snapshot_slot(number) for number in dict.fromkeys(slots)],
        )

    def _snapshot_slot(self, number: int) -> SlotConnections:
        slot = self._slots[number]
        return SlotConnections(
            slot=number,
            version=slot.version,
            connections=[slot.device(connection_id) for connection_id in slot.devices],
        )

    def outlive(self, incarnation: int) -> None:
        """Another process of this gateway id had this incarnation: ours is higher from now on."""
        self.incarnation = max(self.incarnation, incarnation + 1)
