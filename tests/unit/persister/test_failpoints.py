"""A failpoint kills or freezes the process once, where it was armed and nowhere else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chatterbus_persister.failpoints import FREEZE, armed_by

REACH = """
import sys
from pathlib import Path
from chatterbus_persister.failpoints import armed_by
reach = armed_by(Path(sys.argv[1]))
reach("fetched")
reach("applied")
reach("applied")
"""
DEADLINE_S = 20.0


def _started(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", REACH, str(folder)])


def test_without_a_directory_nothing_happens() -> None:
    armed_by(None)("fetched")


def test_an_armed_point_kills_the_process(tmp_path: Path) -> None:
    (tmp_path / "applied").touch()
    assert _started(tmp_path).wait(DEADLINE_S) == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_a_point_that_freezes_lets_the_process_go_on_when_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "applied").write_text(FREEZE)
    process = _started(tmp_path)
    try:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        assert list(tmp_path.iterdir()) == []
        process.send_signal(signal.SIGCONT)
        assert process.wait(DEADLINE_S) == 0
    finally:
        process.kill()


@pytest.mark.parametrize("said", ["", FREEZE])
def test_a_point_that_is_not_reached_stays_armed(tmp_path: Path, said: str) -> None:
    (tmp_path / "announced").write_text(said)
    assert _started(tmp_path).wait(DEADLINE_S) == 0
    assert (tmp_path / "announced").exists()
