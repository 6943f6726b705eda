"""What a receiver of connections makes of them: the smallest one that keeps the contract of presence.py."""

from __future__ import annotations

from chatterbus_contracts.presence import ConnectedDevice, Connections, ConnectionsChanged, Lease
from chatterbus_contracts.subjects import USER_SLOTS


class ConnectionsReceiver:
    """Of one gateway. `doubted`: slots to ask the gateway about."""

    def __init__(self) -> None:
        self.incarnation = -1
        self.versions: list[int] = []
        self.slots: list[dict[str, ConnectedDevice]] = []
        self.doubted: set[int] = set()
        self.moving: dict[str, bool] = {}  # of those that left

    @property
    def devices(self) -> dict[str, tuple[str, str]]:
        """User and state, by connection."""
        return {
            connection_id: (device.user_id, device.state)
            for slot in self.slots
            for connection_id, device in slot.items()
        }

    @property
    def states(self) -> dict[str, str]:
        """By user; for tests that give each user one connection."""
        return dict(self.devices.values())

    def apply(self, change: ConnectionsChanged) -> None:
        if not self._is_of_now(change.incarnation):
            return
        slot = self.slots[change.slot]
        if change.version <= self.versions[change.slot]:
            return
        if change.version != self.versions[change.slot] + 1:
            self.doubted.add(change.slot)
            return
        self.versions[change.slot] = change.version
        slot.update((device.connection_id, device) for device in change.here)
        for left in change.left:
            slot.pop(left.connection_id, None)
            self.moving[left.connection_id] = left.moving
        if len(slot) != change.count:
            self.doubted.add(change.slot)

    def compare(self, lease: Lease) -> None:
        if self._is_of_now(lease.incarnation):
            known = [(version, len(slot)) for version, slot in zip(self.versions, self.slots, strict=True)]
            self.doubted.update(n for n in range(USER_SLOTS) if known[n] != lease.slots[n])

    def replace(self, answer: Connections) -> None:
        if self._is_of_now(answer.incarnation):
            for slot in answer.slots:
                self.versions[slot.slot] = slot.version
                self.slots[slot.slot] = {device.connection_id: device for device in slot.connections}
                self.doubted.discard(slot.slot)

    def _is_of_now(self, incarnation: int) -> bool:
        if incarnation > self.incarnation:
            self.incarnation = incarnation
            self.versions = [0] * USER_SLOTS
            self.slots = [{} for _ in range(USER_SLOTS)]
            self.doubted = set()
        return incarnation == self.incarnation
