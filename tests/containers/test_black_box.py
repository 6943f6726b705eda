"""The suite that sees the system from outside, against two of each image."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.containers.conftest import Env
from tests.containers.engine import ROOT

SUITE = ("-m", "pytest", "tests/e2e", "--stack=containers", "--gateways=2", "--persisters=2", "-q", "--color=no")
SUITE_S = 900.0
TAKEN_DOWN_S = 120.0
OURS = "PYTEST_"  # variables of the pytest around it, and of xdist's


def test_the_black_box_suite_passes_with_two_of_each(images: Env, tmp_path: Path) -> None:
    log = tmp_path / "suite.log"
    env = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    command = (sys.executable, *SUITE, "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'suite'}")
    with log.open("w") as said:
        suite = subprocess.Popen(command, cwd=ROOT, env=env, stdout=said, stderr=subprocess.STDOUT)
        try:
            code = suite.wait(SUITE_S)
        finally:
            end(suite)
    lines = log.read_text().splitlines()
    print(lines[-1])
    if code != 0:
        pytest.fail("\n".join(lines[-300:]), pytrace=False)


def end(suite: subprocess.Popen[bytes]) -> None:
    """So that it takes its containers down, also when its time is over."""
    if suite.poll() is None:
        suite.send_signal(signal.SIGINT)
        suite.wait(TAKEN_DOWN_S)
