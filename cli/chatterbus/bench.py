"""`chatterbus bench`: measure this machine with the bench of the source tree. Passes its words on, knows none of them.

The bench is not installed: it reads its peers and keeps its results in the tree, and nobody needs it to run the system.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import typer

from chatterbus.errors import CommandError, reported

TREE = Path(__file__).resolve().parents[2]
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def bench(context: typer.Context) -> None:
    """Measure an embedded stack from outside; `bench compare`: beside other servers; `bench --help` says more."""
    with reported():
        argv, environment = command(TREE, context.args, os.environ)
        os.execve(sys.executable, argv, environment)  # noqa: S606 - our own interpreter, and no shell


def command(tree: Path, words: list[str], environment: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """What becomes of this process. CommandError where there is no bench."""
    if not (tree / "bench" / "__main__.py").exists():
        raise CommandError("The bench is part of the source tree, and this is not one.", "Clone it; then: make bench")
    path = os.pathsep.join(part for part in (str(tree), environment.get("PYTHONPATH")) if part)
    return [sys.executable, "-m", "bench", *words], {**environment, "PYTHONPATH": path}
