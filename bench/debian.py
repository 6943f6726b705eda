"""Debian's packages unpacked into a folder: nothing is installed, no service starts, and root is not needed."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

TIMEOUT_S: Final = 600
SIMULATE: Final = ("apt-get", "install", "--simulate", "--no-install-recommends")
ON_NOTHING: Final = ("-o", "Dir::State::status=/dev/null")
DOWNLOAD: Final = ("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root")
"""As who calls: apt's own account can not write where we download to."""


def missing(package: str) -> str | None:
    """Why this machine can not have the package; None when it can."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return "apt-get and dpkg-deb are not on this machine"
    known = subprocess.run(("apt-cache", "show", package), capture_output=True, check=False, timeout=TIMEOUT_S)
    return None if known.returncode == 0 else f"apt knows no package {package} (apt-get update may help)"


def unpack(packages: tuple[str, ...], family: tuple[str, ...], home: Path) -> str:
    """Into `home`: the packages, what they need and this machine lacks, and of what begins with one of `family` all.

    Returns the version of the first.
    """
    lacking = _chosen(packages)
    whole = {name for name in _chosen(packages, *ON_NOTHING) if name.startswith(family)}
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="chatterbus-peer-") as downloads:
        names = sorted({*lacking, *whole})
        subprocess.run((*DOWNLOAD, *names), cwd=downloads, check=True, timeout=TIMEOUT_S)
        for file in sorted(Path(downloads).glob("*.deb")):
            subprocess.run(("dpkg-deb", "-x", str(file), str(home)), check=True, timeout=TIMEOUT_S)
        first = next(Path(downloads).glob(f"{packages[0]}_*.deb"))
        return first.name.split("_")[1]


def _chosen(packages: tuple[str, ...], *options: str) -> set[str]:
    """What apt would install for them."""
    told = subprocess.run(
        (*SIMULATE, *options, *packages), capture_output=True, text=True, check=True, timeout=TIMEOUT_S
    ).stdout
    return {line.split()[1] for line in told.splitlines() if line.startswith("Inst ")}
