"""Which tokens were taken back before their time. Pure.

Promises: a token whose jti was revoked is covered, and so is every token of a revoked user that was issued until then;
one without iat counts as issued before everything. What is older than `kept_s` is forgotten, so that the memory is
bounded by what was revoked within it: `kept_s` must be no less than the longest life of a token.
"""

from __future__ import annotations

from chatterbus_contracts.ids import UserId
from chatterbus_gateway.principal import Principal


class Revocations:
    """Times in unix seconds."""

    def __init__(self, kept_s: float) -> None:
        self._kept_s = kept_s
        self._tokens: dict[str, float] = {}  # revoked at, in that order
        self._users: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._tokens) + len(self._users)

    def revoke_token(self, token_id: str, at_s: float) -> None:
        """This one token."""
        _note(self._tokens, token_id, at_s, self._kept_s)

    def revoke_user(self, user_id: UserId, at_s: float) -> None:
        """All that were issued to the user until then."""
        _note(self._users, user_id, max(at_s, self._users.get(user_id, at_s)), self._kept_s)

    def covers(self, principal: Principal) -> bool:
        """Whether the principal's token is revoked. Who has no token (development mode) has none to lose."""
        if principal.dev:
            return False
        if principal.token_id is not None and principal.token_id in self._tokens:
            return True
        revoked_s = self._users.get(principal.user_id)
        return revoked_s is not None and (principal.issued_at or 0.0) <= revoked_s


def _note(times: dict[str, float], key: str, at_s: float, kept_s: float) -> None:
    times.pop(key, None)
    times[key] = at_s
    for oldest in list(times):
        if times[oldest] >= at_s - kept_s:
            break
        del times[oldest]
