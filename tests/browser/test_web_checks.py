"""What clients/web checks by itself, without a browser: its unit tests, its types, its size, its declarations."""

from __future__ import annotations

import subprocess

import pytest

from tests.browser.needs import WEB, need_node_modules

TIMEOUT_S = 110


@pytest.mark.parametrize("script", ["test", "types", "size"])
def test_the_web_client_passes_its_own_check(script: str) -> None:
    need_node_modules()
    done = subprocess.run(
        ["npm", "run", "--silent", script],
        cwd=WEB,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )
    print(done.stdout)
    assert done.returncode == 0, f"npm run {script}:\n{done.stdout}"
