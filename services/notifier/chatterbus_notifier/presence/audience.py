"""Who wants to know, inside the notifier, that users come and go."""

from __future__ import annotations

from typing import Protocol

from chatterbus_contracts.ids import ConnectionId, UserId


class Audience(Protocol):
    """Called in the read loop: must be quick, and must not wait or raise.

    Every connection is told once, of a user with none before or with some; `user_left` follows when none is left, at
    once (the debounce of presence is for other people). A new leader tells of all that it finds.
    """

    def connection_joined(self, user_id: UserId, connection_id: ConnectionId) -> None: ...

    def user_left(self, user_id: UserId) -> None: ...
