"""Fixtures of the command's integration tests: real PostgreSQL and NATS, stand-in services."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.cli.fake_services import write_packages
from tests.integration.cli.up_process import UpProcess


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A path for a data directory that PostgreSQL's account can reach (pytest's tmp_path is 0700 and root's)."""
    root = Path(tempfile.mkdtemp(prefix="cb-test-"))
    if os.geteuid() == 0:
        root.chmod(0o711)
    yield root / "data"
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def fakes(tmp_path: Path) -> Path:
    write_packages(tmp_path / "fakes")
    return tmp_path / "fakes"


@pytest.fixture
async def up(fakes: Path) -> AsyncIterator[Callable[..., UpProcess]]:
    """Make `up` processes; whatever is left of them at the end is killed."""
    made: list[UpProcess] = []

    def make(*options: str, env: dict[str, str] | None = None) -> UpProcess:
        made.append(UpProcess(fakes, *options, env=env))
        return made[-1]

    yield make
    for process in made:
        await process.end()
