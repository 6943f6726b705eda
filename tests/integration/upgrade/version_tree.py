"""Trees of code to run services from: a former version out of the history, and the present one as a next version.

Promises: neither touches the work tree. A clone without the history has no former version: `FormerVersionMissing` says
how to get it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from chatterbus_persister.schema_version import MIGRATIONS

ROOT: Final = Path(__file__).parents[3]
STEPS: Final = Path(__file__).parent / "steps"
FORMER: Final = "278ef6fb04160b6810bc64765b2af62f64076e9e"  # a whole version whose schema ends with 0003
GIT_TIMEOUT_S: Final = 30.0


class FormerVersionMissing(Exception):
    """The commit to upgrade from is not in this clone."""


@dataclass(frozen=True, slots=True)
class VersionTree:
    """Folders that go before what is installed."""

    packages: tuple[Path, ...]

    def argv(self, module: str, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", module, *arguments]

    def environment(self, **settings: str) -> dict[str, str]:
        """That and nothing else: what a service needs is told by its own variables."""
        return {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, self.packages)), **settings}


def former_version(folder: Path) -> VersionTree:
    """The services of commit FORMER, unpacked into `folder`."""
    archive = subprocess.run(
        ["git", "archive", "--format=tar", FORMER, "libs", "services"],
        cwd=ROOT,
        capture_output=True,
        timeout=GIT_TIMEOUT_S,
    )
    if archive.returncode != 0:
        raise FormerVersionMissing(
            f"commit {FORMER[:10]}, the version to upgrade from, is not in this clone: fetch the whole history "
            f"(git fetch --unshallow). git says: {archive.stderr.decode().strip()}"
        )
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return VersionTree(tuple(sorted(path.parent for path in folder.glob("*/*/pyproject.toml"))))


def next_version(folder: Path) -> VersionTree:
    """The present persister with one step more of either kind; everything else as installed."""
    package = MIGRATIONS.parent
    shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(STEPS, folder / package.name / MIGRATIONS.name, dirs_exist_ok=True)
    return VersionTree((folder,))
