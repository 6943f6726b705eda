"""`chatterbus bench` is the tree's bench, under the name people look for."""

import sys
from pathlib import Path

import pytest

from chatterbus.bench import TREE, command
from chatterbus.errors import CommandError


def test_every_word_reaches_the_bench_of_the_tree() -> None:
    argv, environment = command(TREE, ["latency", "--html", "report.html"], {"PYTHONPATH": "/elsewhere", "HOME": "/h"})
    assert argv == [sys.executable, "-m", "bench", "latency", "--html", "report.html"]
    assert environment == {"PYTHONPATH": f"{TREE}:/elsewhere", "HOME": "/h"}


def test_where_there_is_no_tree_the_next_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as raised:
        command(tmp_path, [], {})
    assert "make bench" in raised.value.next_step
