"""Checking tokens.

Promises: `verify` gives the Principal of a token that was signed with a configured key, for us, and is valid now; for
any other text whatsoever it raises Refusal. The token's header chooses among the configured keys and never how a key
is used (see token_keys). No token, nor any part of one, reaches a log or an error text.
"""

import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Self

import jwt
from jwt.exceptions import InvalidTokenError
from pydantic_core import from_json

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.frames.client import TOKEN_MAX_CHARS
from chatterbus_gateway.jwks import FETCH_AT_MOST_EVERY_S, PublishedKeys
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.settings import GatewaySettings
from chatterbus_gateway.token_claims import principal_of
from chatterbus_gateway.token_keys import ALL_ALGORITHMS, PUBLISHED_ALGORITHMS, TokenKey, pem_key, secret_key

_SIGNATURES: Final = jwt.PyJWS(algorithms=sorted(ALL_ALGORITHMS), options={"enforce_minimum_key_length": True})


class _Header(NamedTuple):
    algorithm: str
    kid: str | None


class TokenVerifier:
    """Verifies with fixed keys and, if there is an issuer that publishes them, its keys. `clock` is unix seconds."""

    def __init__(
        self,
        keys: tuple[TokenKey, ...],
        published: PublishedKeys | None = None,
        *,
        audience: str | None = None,
        issuer: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fixed = keys
        self._published = published
        self._audience = audience
        self._issuer = issuer
        self._clock = clock

    @classmethod
    def from_settings(cls, settings: GatewaySettings) -> Self:
        """A verifier for what is configured; UnusableKey if a key is none."""
        keys: list[TokenKey] = []
        if settings.gateway_jwt_secret is not None:
            keys.append(secret_key(settings.gateway_jwt_secret.get_secret_value().encode()))
        if settings.gateway_jwt_public_key is not None:
            keys.append(pem_key(settings.gateway_jwt_public_key))
        url = settings.gateway_jwks_url
        published = PublishedKeys(url, settings.gateway_jwks_timeout_s) if url is not None else None
        return cls(tuple(keys), published, audience=settings.gateway_jwt_audience, issuer=settings.gateway_jwt_issuer)

    async def verify(self, token: str) -> Principal:
        """The bearer, after fetching the issuer's keys when that is needed. Raises Refusal: AUTH_FAILED,
        TOKEN_EXPIRED, or STORE_UNAVAILABLE while no key could be fetched at all (then the token may well be good)."""
        header = _header_of(token)
        if self._needs_fetch(header) and self._published is not None:
            await self._published.refresh()
        return self._checked(token, header)

    def verify_now(self, token: str) -> Principal | None:
        """As `verify`, without waiting; None when keys must be fetched first."""
        header = _header_of(token)
        return None if self._needs_fetch(header) else self._checked(token, header)

    async def warm_up(self) -> None:
        """Fetch the issuer's keys before the first token comes. A failure is logged; tokens will try again."""
        if self._published is not None:
            await self._published.refresh()

    async def close(self) -> None:
        if self._published is not None:
            await self._published.close()

    def _needs_fetch(self, header: _Header) -> bool:
        published = self._published
        if published is None or header.algorithm not in PUBLISHED_ALGORITHMS:
            return False
        known = any(key.fits(*header) for key in published.keys)
        return (published.stale or not known) and published.may_fetch

    def _candidates(self, header: _Header) -> list[TokenKey]:
        keys = self._fixed + (self._published.keys if self._published is not None else ())
        return [key for key in keys if key.fits(*header)]

    def _checked(self, token: str, header: _Header) -> Principal:
        candidates = self._candidates(header)
        if not candidates:
            raise self._no_key()
        payload = _payload_of(token, header, candidates)
        return principal_of(_object(payload, "payload"), self._clock(), audience=self._audience, issuer=self._issuer)

    def _no_key(self) -> Refusal:
        if self._published is not None and not self._published.keys:
            return Refusal(
                ErrorCode.STORE_UNAVAILABLE,
                "the keys to check tokens with cannot be fetched",
                retry_after_ms=int(FETCH_AT_MOST_EVERY_S * 1000),
            )
        return Refusal(ErrorCode.AUTH_FAILED, "no configured key fits the token's alg and kid")


def _header_of(token: str) -> _Header:
    if len(token) > TOKEN_MAX_CHARS:
        raise Refusal(ErrorCode.AUTH_FAILED, f"the token is longer than {TOKEN_MAX_CHARS} characters")
    try:
        header = _SIGNATURES.get_unverified_header(token)
    except (InvalidTokenError, ValueError, RecursionError):
        raise _malformed() from None
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or not isinstance(kid, str | None):
        raise _malformed()
    return _Header(algorithm, kid)


def _payload_of(token: str, header: _Header, keys: list[TokenKey]) -> bytes:
    for key in keys:
        try:
            payload: bytes = _SIGNATURES.decode(token, key=key.key, algorithms=[header.algorithm])
        except jwt.InvalidSignatureError:
            continue  # key sets may hold several keys without ids
        except (jwt.PyJWTError, ValueError, TypeError):
            raise _malformed() from None
        return payload
    raise Refusal(ErrorCode.AUTH_FAILED, "the token's signature is wrong")


def _object(payload: bytes, what: str) -> dict[str, Any]:
    try:
        value = from_json(payload, allow_inf_nan=False)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Refusal(ErrorCode.AUTH_FAILED, f"the token's {what} is not a JSON object")
    return value


def _malformed() -> Refusal:
    return Refusal(ErrorCode.AUTH_FAILED, "the token is malformed")
