"""Signatures of webhooks, as Standard Webhooks 1.0 has them. Pure.

Promises: whoever has one of the secrets can verify a delivery and tell when it was attempted. With two secrets (while
one replaces the other) both signatures are sent, so a receiver may know either.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
SECRET_MIN_BYTES: Final = 24
SECRET_MAX_BYTES: Final = 64
SECRETS_MAX: Final = 2


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """The keys in `whsec_<base64>[ whsec_<base64>]`, newest first, or ValueError that does not repeat the text."""
    words = text.split()
    if not 1 <= len(words) <= SECRETS_MAX:
        raise ValueError("give one secret, or two separated by a space while one replaces the other")
    return tuple(_parse_secret(word) for word in words)


def _parse_secret(word: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"a secret is {PREFIX} and base64") from None
    if not word.startswith(PREFIX) or not SECRET_MIN_BYTES <= len(key) <= SECRET_MAX_BYTES:
        raise ValueError(f"a secret is {PREFIX} and the base64 of {SECRET_MIN_BYTES} to {SECRET_MAX_BYTES} bytes")
    return key


def signature(secrets: Sequence[bytes], event_id: str, timestamp_s: int, body: bytes) -> str:
    """The value of `webhook-signature`: for each secret `v1,` and the base64 of HMAC-SHA256 of `id.timestamp.body`."""
    signed = b"%s.%d.%s" % (event_id.encode(), timestamp_s, body)
    return " ".join("v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in secrets)
