"""The command line: `pytest tests/e2e --stack=...`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.stacks.embedded import Embedded
from tests.e2e.stacks.existing import Existing
from tests.e2e.stacks.kind import Kind

SECRET: Final = "CHATTERBUS_TEST_JWT_SECRET"
MARKERS: Final = {
    "embedded_only": "needs the processes, failpoints or log files of `chatterbus up`",
    "own_settings": "needs a system with settings of the test's own",
    "dev_mode": "needs a system that takes a user's word",
    "operators": "needs /healthz, /readyz and /metrics, which what is in front of a gateway may hide",
}
IMPLIED: Final = {  # by a test's fixtures
    "own_stack": "embedded_only",
    "lively": "own_settings",
    "hooked": "own_settings",
    "unlimited": "own_settings",
}


def add_to(parser: pytest.Parser) -> None:
    group = parser.getgroup("chatterbus", "Chatterbus from outside (tests/e2e)")
    group.addoption("--stack", default="embedded", help="embedded, containers, or a URL (several: comma-separated)")
    group.addoption("--gateways", type=int, default=1, help="how many, with --stack=containers")
    group.addoption("--persisters", type=int, default=1, help="how many, with --stack=containers")
    group.addoption("--jwt-secret-file", type=Path, help=f"signs tokens, with --stack=URL; or the secret in {SECRET}")


def chosen(config: pytest.Config) -> Kind:
    """What `--stack` names. Raises pytest.UsageError."""
    stack = str(config.getoption("--stack", "embedded"))
    if stack == "embedded":
        return Embedded()
    if stack == "containers":
        from tests.e2e.stacks.containers import Containers  # testcontainers is slow to import

        return Containers(config.getoption("--gateways"), config.getoption("--persisters"))
    if not stack.startswith(("http://", "https://")):
        raise pytest.UsageError(f"--stack={stack}: neither embedded nor containers nor a URL")
    return Existing(stack.split(","), secret(config))


def secret(config: pytest.Config) -> str:
    """What signs the tokens of a running system."""
    file: Path | None = config.getoption("--jwt-secret-file")
    found = file.read_text().strip() if file and file.is_file() else os.environ.get(SECRET, "")
    if not found:
        raise pytest.UsageError(f"--stack=URL needs what signs its tokens: --jwt-secret-file or {SECRET}")
    return found


def needs(item: pytest.Item) -> frozenset[str]:
    """The markers of a test, those included that its fixtures imply."""
    fixtures = getattr(item, "fixturenames", ())
    return frozenset(mark.name for mark in item.iter_markers()) | {
        IMPLIED[name] for name in fixtures if name in IMPLIED
    }
