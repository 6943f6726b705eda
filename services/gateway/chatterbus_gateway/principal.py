"""Whom a connection or a request speaks for.

Promises: a Principal is made in two places only, from a verified token or, in development mode, from what the client
says of itself (`dev` is True then), and read back for the ticket it bought; every id in it has been parsed. Does not
promise that the token is still valid when it is used: `expires_at` says until when.
"""

from dataclasses import dataclass
from typing import Final

from chatterbus_contracts.ids import UserId

CHAT_ADMIN: Final = "chat:admin"  # may act for others
CHAT_SYSTEM: Final = "chat:system"  # may send messages of type system

DEFAULT_USER_TYPE: Final = "user"


@dataclass(frozen=True, slots=True)
class Principal:
    """`expires_at` in unix seconds, None for ever (development mode only). `issued_at` is the token's iat, `token_id`
    its jti, where it has them."""

    user_id: UserId
    user_type: str = DEFAULT_USER_TYPE
    name: str | None = None
    scopes: frozenset[str] = frozenset()
    expires_at: float | None = None
    issued_at: float | None = None
    token_id: str | None = None
    dev: bool = False

    @property
    def is_admin(self) -> bool:
        return CHAT_ADMIN in self.scopes

    @property
    def may_send_system(self) -> bool:
        return CHAT_SYSTEM in self.scopes or self.is_admin
