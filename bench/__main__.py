"""`python -m bench [SCENARIO ...]` measures an embedded stack, `bench compare` does so beside its peers.

`bench history` does so over a long past.
"""

import sys
from collections.abc import Callable
from typing import Any

import typer

from bench.compare import compare
from bench.history import history
from bench.run import run

COMMANDS: dict[str, Callable[..., Any]] = {"run": run, "compare": compare, "history": history}


if __name__ == "__main__":
    named = sys.argv.pop(1) if sys.argv[1:2] and sys.argv[1] in COMMANDS else "run"
    typer.run(COMMANDS[named])
