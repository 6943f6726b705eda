"""Keys that tokens are verified with.

Promises: a key is bound to the algorithms of its own type when it is loaded, so a token can never choose how it is
checked: an RSA key is never taken for an HMAC secret, `none` is in no table, and a symmetric key out of a published
key set is passed over. Pure: no network, no clock. Errors never show the key.
"""

from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWK
from jwt.exceptions import PyJWTError
from pydantic_core import from_json

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

SECRET_ALGORITHMS: Final = frozenset({"HS256"})
RSA_ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
ED_ALGORITHMS: Final = frozenset({"EdDSA"})
EC_ALGORITHMS: Final = {
    "secp256r1": frozenset({"ES256"}),
    "secp384r1": frozenset({"ES384"}),
    "secp521r1": frozenset({"ES512"}),
}
PUBLISHED_ALGORITHMS: Final = RSA_ALGORITHMS | ED_ALGORITHMS | frozenset().union(*EC_ALGORITHMS.values())
ALL_ALGORITHMS: Final = SECRET_ALGORITHMS | PUBLISHED_ALGORITHMS
SECRET_MIN_BYTES: Final = 32  # RFC 7518 3.2: an HS256 key has at least the hash's size
RSA_MIN_BITS: Final = 2048  # NIST SP 800-131A: shorter ones are not to be used
KEYS_IN_A_SET_MAX: Final = 100


class UnusableKey(ValueError):
    """A key, or a key set, that cannot verify anything. The text says why, without the key."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key, the algorithms it may be used with, and its id in a key set (None: any token may try it)."""

    key: PublicKey | bytes
    algorithms: frozenset[str]
    kid: str | None = None

    def fits(self, algorithm: str, kid: str | None) -> bool:
        """Whether a token with this header may be checked with this key."""
        return algorithm in self.algorithms and (self.kid is None or kid is None or kid == self.kid)


def secret_key(secret: bytes) -> TokenKey:
    """A shared secret, for HS256; UnusableKey if it could be guessed offline from one token."""
    if len(secret) < SECRET_MIN_BYTES:
        raise UnusableKey(f"shorter than {SECRET_MIN_BYTES} bytes; make one with: openssl rand -base64 48")
    return TokenKey(secret, SECRET_ALGORITHMS)


def pem_key(pem: str) -> TokenKey:
    """A PEM public key; UnusableKey also for a private one, which has no business here."""
    if "PRIVATE KEY" in pem:
        raise UnusableKey("this is a private key; the gateway takes the public one")
    try:
        key = load_pem_public_key(pem.encode())
    except Exception:
        # cryptography raises ValueError, TypeError and errors of its own here, some of them with the text.
        raise UnusableKey("not a PEM public key (BEGIN PUBLIC KEY)") from None
    return TokenKey(_accepted(key), algorithms_of(key))


def algorithms_of(key: object) -> frozenset[str]:
    """The algorithms for a key's type, and nothing else."""
    if isinstance(key, RSAPublicKey):
        return RSA_ALGORITHMS
    if isinstance(key, EllipticCurvePublicKey):
        return EC_ALGORITHMS.get(key.curve.name, frozenset())
    return ED_ALGORITHMS if isinstance(key, Ed25519PublicKey) else frozenset()


def key_set(document: bytes) -> tuple[TokenKey, ...]:
    """The usable public signature keys of a JWKS document (RFC 7517); others in it are passed over, as its section 5
    asks for. UnusableKey if none is left."""
    try:
        parsed = from_json(document)
    except ValueError:
        raise UnusableKey("the key set is not JSON") from None
    entries = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(entries, list):
        raise UnusableKey("the key set has no list of keys")
    keys = tuple(key for entry in entries[:KEYS_IN_A_SET_MAX] if (key := _from_jwk(entry)) is not None)
    if not keys:
        raise UnusableKey("the key set holds no public signature key that is understood here")
    return keys


def _from_jwk(entry: object) -> TokenKey | None:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or "d" in entry:
        return None
    declared, kid = entry.get("alg"), entry.get("kid")
    if (declared is not None and declared not in PUBLISHED_ALGORITHMS) or not isinstance(kid, str | None):
        return None
    try:
        key = _accepted(PyJWK(entry).key)
    except (PyJWTError, UnusableKey, ValueError, TypeError, AttributeError):
        return None  # one odd key must not hide its neighbours
    algorithms = algorithms_of(key)
    if declared is not None:
        algorithms &= {declared}
    return TokenKey(key, algorithms, kid) if algorithms else None


def _accepted(key: Any) -> PublicKey:
    if isinstance(key, RSAPublicKey) and key.key_size < RSA_MIN_BITS:
        raise UnusableKey(f"an RSA key of fewer than {RSA_MIN_BITS} bits")
    if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey) or not algorithms_of(key):
        raise UnusableKey("not an RSA, P-256, P-384, P-521 or Ed25519 public key")
    return key
