"""Tokens and keys for tests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

SECRET = b"0123456789abcdef0123456789abcdef"
NOW_S = 1_800_000_000.0

RSA = rsa.generate_private_key(65_537, 2048)
OTHER_RSA = rsa.generate_private_key(65_537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def claims(**changes: Any) -> dict[str, Any]:
    """Claims of a good token; a change to None leaves the claim out."""
    all_claims = {"sub": "alice", "exp": NOW_S + 60} | changes
    return {name: value for name, value in all_claims.items() if value is not None}


def signed(key: Any = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers=headers)


def by_hand(header: Any, payload: Any, key: bytes = SECRET) -> str:
    """A token that libraries would not make, HMAC-signed."""
    first, second = (
        _segment(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in (header, payload)
    )
    signature = hmac.new(key, f"{first}.{second}".encode(), hashlib.sha256).digest()
    return f"{first}.{second}.{_segment(signature)}"


def pem(key: PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def jwk(key: PrivateKey, **members: Any) -> dict[str, Any]:
    makers: dict[type, Any] = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
    maker = next((maker for kind, maker in makers.items() if isinstance(key, kind)), OKPAlgorithm)
    return {**maker.to_jwk(key.public_key(), as_dict=True), **members}


def jwks(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
