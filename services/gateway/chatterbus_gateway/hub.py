"""Who is connected to this gateway.

Promises: every open connection is in the index of connections, every authenticated one in that of its user, every
accepted one counts for its address until it is gone; after all are gone the indexes are empty. The caps refuse before
anything is indexed.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import UserId
from chatterbus_gateway.policy import SocketPolicy

C = TypeVar("C", bound=Hashable)


class Hub(Generic[C]):
    """The indexes. `C` is a connection."""

    __slots__ = ("_addresses", "_connections", "_policy", "_users")

    def __init__(self, policy: SocketPolicy) -> None:
        self._policy = policy
        self._connections: dict[C, None] = {}
        self._addresses: dict[str, int] = {}
        self._users: dict[UserId, tuple[C, ...]] = {}  # most have one: a set would be four times as large

    def __len__(self) -> int:
        """Open connections."""
        return len(self._connections)

    @property
    def connections(self) -> list[C]:
        """All that are open, oldest first."""
        return list(self._connections)

    @property
    def users(self) -> int:
        """Users with at least one authenticated connection."""
        return len(self._users)

    @property
    def addresses(self) -> int:
        """Addresses with at least one connection."""
        return len(self._addresses)

    def of_user(self, user_id: UserId) -> tuple[C, ...]:
        """A user's authenticated connections, as of now."""
        return self._users.get(user_id, ())

    def has_room(self, address: str) -> bool:
        """Whether another connection from this address may be accepted."""
        return (
            len(self._connections) < self._policy.connections_total
            and self._addresses.get(address, 0) < self._policy.connections_per_address
        )

    def add(self, connection: C, address: str) -> None:
        """A connection was accepted."""
        self._connections[connection] = None
        self._addresses[address] = self._addresses.get(address, 0) + 1

    def authenticate(self, connection: C, user_id: UserId) -> None:
        """The connection is this user's. Raises Refusal TOO_MANY_CONNECTIONS."""
        known = self._users.get(user_id, ())
        if connection not in known:
            if known and len(known) >= self._policy.connections_per_user:
                raise Refusal(ErrorCode.TOO_MANY_CONNECTIONS, f"a user has {len(known)} connections at most")
            self._users[user_id] = (*known, connection)

    def remove(self, connection: C, address: str, user_id: UserId | None) -> None:
        """The connection is gone."""
        if connection not in self._connections:
            return
        del self._connections[connection]
        left = self._addresses[address] - 1
        if left:
            self._addresses[address] = left
        else:
            del self._addresses[address]
        if user_id is not None and (known := self._users.pop(user_id, ())) and known != (connection,):
            self._users[user_id] = tuple(other for other in known if other is not connection)
