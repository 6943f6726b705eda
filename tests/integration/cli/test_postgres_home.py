"""PostgreSQL started by root, from places its account cannot reach."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatterbus import embedded
from chatterbus.postgres_home import choose_home

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account")


@pytest.fixture
def shared_root() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="cb-test-"))
    root.chmod(0o755)
    yield root / "shared"
    shutil.rmtree(root)


def test_unreachable_binaries_and_data_move_to_the_shared_place_once(tmp_path: Path, shared_root: Path) -> None:
    installed = embedded.find_postgres()
    assert installed is not None
    hidden = tmp_path / "hidden"
    for part in ("bin/postgres", "bin/initdb", "lib/libpq.so.5", "share/postgres.bki", "include/c.h"):
        (hidden / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(installed / part if (installed / part).exists() else installed / "bin" / "initdb", hidden / part)
        (hidden / part).chmod(0o700 if part.startswith("bin") else 0o600)
    tmp_path.chmod(0o700)
    data_dir = tmp_path / ".chatterbus"
    data_dir.mkdir(mode=0o711)

    home, notices = choose_home(data_dir, "abc", hidden, "18.6", shared_root)
    again, _ = choose_home(data_dir, "abc", hidden, "18.6", shared_root)

    assert home == again
    assert home.account is not None
    assert home.bin == shared_root / "pg-18.6" / "bin"
    assert home.data == shared_root / "chatterbus-abc" / "pg"
    assert len(notices) == 2
    assert tmp_path.stat().st_mode & 0o777 == 0o700  # nobody's permissions were changed
    assert not (shared_root / "pg-18.6" / "include").exists()
    ran = subprocess.run(
        [home.bin / "postgres", "--version"], user=home.account.uid, capture_output=True, text=True, check=True, cwd="/"
    )
    assert "PostgreSQL" in ran.stdout


def test_reachable_places_are_used_as_they_are(shared_root: Path) -> None:
    data_dir, installation = shared_root / "data", shared_root / "pginstall"
    data_dir.mkdir(mode=0o711, parents=True)
    (installation / "bin").mkdir(parents=True)
    (installation / "bin" / "postgres").touch(mode=0o755)

    home, notices = choose_home(data_dir, "abc", installation, "18.6", shared_root / "unused")

    assert (home.bin, home.data) == (installation / "bin", data_dir / "pg")
    assert notices == []
    assert not (shared_root / "unused").exists()
