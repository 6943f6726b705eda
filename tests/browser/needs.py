"""What these tests need besides Python: outside CI they are skipped without it, in CI that is a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
WEB: Final = ROOT / "clients" / "web"
CHROMIUM: Final = Path("/usr/bin/chromium")
NODE_MIN: Final = 20


def need_chromium() -> None:
    """Skip, or fail in CI, where there is no browser."""
    _need(CHROMIUM.exists(), f"no browser at {CHROMIUM}: apt-get install chromium")


def need_node_modules() -> None:
    """Skip, or fail in CI, where the JavaScript tools are not installed."""
    node, npm = shutil.which("node"), shutil.which("npm")
    how = f"Node.js {NODE_MIN} or newer and npm are needed: see .ci/run"
    if node is None or npm is None:
        _need(False, how)
        return
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    _need(int(version.lstrip("v").split(".")[0]) >= NODE_MIN, how)
    _need((WEB / "node_modules" / "axe-core").is_dir(), "the JavaScript tools are missing: npm ci --prefix clients/web")


def _need(there: bool, how: str) -> None:
    if there:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(how)
    pytest.skip(how)
