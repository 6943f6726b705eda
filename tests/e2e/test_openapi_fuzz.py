"""Schemathesis against the OpenAPI document of the running system: what is documented is what happens.

Every route gets the document's examples, the edges of its schema, random requests (valid and not), and sequences of
calls that use each other's ids. The seed is in the output of a failure; FUZZ_SEED repeats it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from bench.stack import LIMITS_OFF
from tests.e2e.deployment import Deployment
from tests.e2e.stacks.kind import Kind

EXAMPLES: Final = 15  # random ones of each route
DEADLINE_S: Final = 150  # 25 s on two cores that are not busy
CONFIG: Final = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture
def unlimited(kind: Kind, tmp_path: Path) -> Iterator[Deployment]:
    """A system of its own: one user asks faster than a person, and leaves threads with odd members behind."""
    with kind.start(tmp_path, env=LIMITS_OFF) as started:
        yield Deployment(started, tmp_path)


@pytest.mark.timeout(DEADLINE_S + 30)
def test_every_route_answers_as_its_document_says(unlimited: Deployment, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            *("--config-file", str(CONFIG)),
            *("run", f"{unlimited.url}/openapi.json"),
            *("--header", f"Authorization: Bearer {unlimited.token('alice')}"),
            *("--max-examples", str(EXAMPLES)),
            *(("--seed", os.environ["FUZZ_SEED"]) if "FUZZ_SEED" in os.environ else ()),
            *("--warnings", "off", "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Tested: " in done.stdout
