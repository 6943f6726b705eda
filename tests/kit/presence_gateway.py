"""A gateway as far as the notifier's roster can tell: connections, numbered changes, leases, snapshots. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

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


@dataclass
class ScriptedGateway:
    """Every call that changes something returns the change it would publish."""

    gateway_id: GatewayId
    incarnation: int = 1
    draining: bool = False
    connections: dict[str, ConnectedDevice] = field(default_factory=dict)
    versions: list[int] = field(default_factory=lambda: [0] * USER_SLOTS)

    def join(self, user: str, connection_id: str, state: Literal["active", "away"] = "active") -> ConnectionsChanged:
        """A connection is there, or is in another state."""
        device = ConnectedDevice(connection_id=connection_id, user_id=UserId(user), state=state)
        self.connections[connection_id] = device
        return self._changed(slot_of(user), here=[device])

    def leave(self, connection_id: str, *, moving: bool = False) -> ConnectionsChanged:
        """A connection is gone."""
        device = self.connections.pop(connection_id)
        left = DeviceLeft(connection_id=connection_id, user_id=device.user_id, moving=moving)
        return self._changed(slot_of(device.user_id), left=[left])

    def restart(self) -> None:
        """Another process, with nobody."""
        self.incarnation += 1
        self.draining = False
        self.connections.clear()
        self.versions = [0] * USER_SLOTS

    def lease(self) -> Lease:
        slots = [(version, self._count(slot)) for slot, version in enumerate(self.versions)]
        return Lease(gateway_id=self.gateway_id, incarnation=self.incarnation, draining=self.draining, slots=slots)

    def snapshot(self, slots: list[int]) -> Connections:
        told = [
            SlotConnections(
                slot=slot,
                version=self.versions[slot],
                connections=[device for device in self.connections.values() if slot_of(device.user_id) == slot],
            )
            for slot in slots
        ]
        return Connections(gateway_id=self.gateway_id, incarnation=self.incarnation, slots=told)

    def _count(self, slot: int) -> int:
        return sum(slot_of(device.user_id) == slot for device in self.connections.values())

    def _changed(
        self, slot: int, here: list[ConnectedDevice] | None = None, left: list[DeviceLeft] | None = None
    ) -> ConnectionsChanged:
        self.versions[slot] += 1
        return ConnectionsChanged(
            gateway_id=self.gateway_id,
            incarnation=self.incarnation,
            slot=slot,
            version=self.versions[slot],
            count=self._count(slot),
            here=here or [],
            left=left or [],
        )
