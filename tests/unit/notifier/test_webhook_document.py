"""The code that docs/webhooks.md gives to integrators is right."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatterbus_notifier.webhooks.signature import parse_secrets, signature

PAGE = Path(__file__).parents[3] / "docs" / "webhooks.md"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "A" * 32
BODY = '{"content": "größer"}'.encode()

Verify = Callable[[str, dict[str, str], bytes], bool]

CALL_NODE = """
const [secret, headers, body] = JSON.parse(process.argv[1]);
process.stdout.write(String(verify(secret, headers, Buffer.from(body, "base64"))));
"""


def code(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def verify_in_python(secret: str, headers: dict[str, str], body: bytes) -> bool:
    names: dict[str, Any] = {}
    exec(code("python"), names)
    return bool(names["verify"](secret, headers, body))


def verify_in_node(secret: str, headers: dict[str, str], body: bytes) -> bool:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node here")
    script = code("javascript") + CALL_NODE
    asked = json.dumps([secret, headers, base64.b64encode(body).decode()])
    command = [node, "--input-type=module", "-e", script, asked]
    told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return told.stdout == "true"


def signed(secrets: str, at: int) -> dict[str, str]:
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(at),
        "webhook-signature": signature(parse_secrets(secrets), "evt_1", at, BODY),
    }


@pytest.mark.parametrize("verify", [verify_in_python, verify_in_node])
def test_a_delivery_is_verified_and_a_forged_one_is_not(verify: Verify) -> None:
    now = int(time.time())
    assert verify(SECRET, signed(SECRET, now), BODY)
    assert verify(SECRET, signed(f"{OTHER} {SECRET}", now), BODY)
    assert not verify(SECRET, signed(OTHER, now), BODY)
    assert not verify(SECRET, signed(SECRET, now), BODY + b" ")
    assert not verify(SECRET, signed(SECRET, now) | {"webhook-id": "evt_2"}, BODY)
    assert not verify(SECRET, signed(SECRET, now - 3_600), BODY)
    assert not verify(SECRET, signed(SECRET, now) | {"webhook-timestamp": "soon"}, BODY)
    assert not verify(SECRET, signed(SECRET, now) | {"webhook-signature": "v1,ä"}, BODY)
    assert not verify(SECRET, {}, BODY)
