"""What a verified token says about its bearer.

Promises: pure, the time is an argument; the claims of one token give a Principal or a Refusal that names the claim
that is wrong, never its value. `exp` is required: a token that never ends could not be taken back.
"""

from collections.abc import Mapping
from typing import Any, Final

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import InvalidId, UserId, parse_user_id
from chatterbus_contracts.limits import NAME_MAX_CHARS
from chatterbus_gateway.principal import DEFAULT_USER_TYPE, Principal

CLOCK_SKEW_S: Final = 30.0  # an issuer's clock may be ahead of ours by this much: nbf and iat
EXP_LEEWAY_S: Final = 0.0  # none: a later clock only ends a token early, and sessions close at exp too
SCOPES_MAX: Final = 100
TIME_MAX: Final = 2**53

Claims = Mapping[str, Any]


def principal_of(claims: Claims, now_s: float, *, audience: str | None, issuer: str | None) -> Principal:
    """The bearer. Raises Refusal: TOKEN_EXPIRED, or AUTH_FAILED for anything else that is wrong."""
    expires_at = _time(claims, "exp")
    if expires_at is None:
        raise _wrong("exp", "is required")
    if now_s >= expires_at + EXP_LEEWAY_S:
        raise Refusal(ErrorCode.TOKEN_EXPIRED, "the token's exp has passed")
    for name in ("nbf", "iat"):
        starts_at = _time(claims, name)
        if starts_at is not None and starts_at > now_s + CLOCK_SKEW_S:
            raise _wrong(name, "lies in the future")
    _check_audience(claims, audience)
    if issuer is not None and claims.get("iss") != issuer:
        raise _wrong("iss", "is not the configured issuer")
    return Principal(
        user_id=_id(claims, "sub", None),
        user_type=_id(claims, "user_type", DEFAULT_USER_TYPE),
        name=_name(claims),
        scopes=_scopes(claims),
        expires_at=expires_at,
        issued_at=_time(claims, "iat"),
        token_id=_text(claims, "jti"),
    )


def _check_audience(claims: Claims, audience: str | None) -> None:
    if audience is None:
        return
    named = claims.get("aud")
    if audience not in (named if isinstance(named, list) else [named]):
        raise _wrong("aud", "does not name this service")


def _id(claims: Claims, name: str, default: str | None) -> UserId:
    value = claims.get(name, default)
    if not isinstance(value, str):
        raise _wrong(name, "must be a string")
    try:
        return parse_user_id(value)
    except InvalidId as error:
        raise _wrong(name, f"is {str(error).replace('userId', 'id')}") from None


def _name(claims: Claims) -> str | None:
    # For display only, and issuers copy it from people: too long a name is cut rather than its bearer shut out.
    value = _text(claims, "name")
    return (value.replace("\x00", "").strip()[:NAME_MAX_CHARS] or None) if value is not None else None


def _scopes(claims: Claims) -> frozenset[str]:
    value = claims.get("scope")
    words = value.split() if isinstance(value, str) else value
    if words is None:
        return frozenset()
    if not isinstance(words, list) or len(words) > SCOPES_MAX or not all(isinstance(word, str) for word in words):
        raise _wrong("scope", "must be words separated by spaces, or a list of them")
    return frozenset(words)


def _text(claims: Claims, name: str) -> str | None:
    value = claims.get(name)
    if not isinstance(value, str | None):
        raise _wrong(name, "must be a string")
    return value


def _time(claims: Claims, name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(name, "must be a number of seconds")
    if not 0 <= value <= TIME_MAX:  # NaN is in no range
        raise _wrong(name, "is out of range")
    return float(value)


def _wrong(claim: str, why: str) -> Refusal:
    return Refusal(ErrorCode.AUTH_FAILED, f"the token's {claim} {why}")
