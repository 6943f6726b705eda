"""What a command could not do, and what the person at the keyboard does next.

Every failure a user can cause or cure is a CommandError with a `next_step`; anything else is a defect and keeps its
traceback. Diagnostics go to stderr only: stdout belongs to what the command was asked for.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.text import Text

from chatterbus.log_merge import printable


class CommandError(Exception):
    """A failure with a cure: what happened, what to do next, and (optionally) the lines that show it."""

    def __init__(self, says: str, next_step: str, *, lines: tuple[str, ...] = (), exit_code: int = 1) -> None:
        super().__init__(says)
        self.says = says
        self.next_step = next_step
        self.lines = lines
        self.exit_code = exit_code


@contextmanager
def reported() -> Iterator[None]:
    """Print a CommandError raised inside as `error:` and `next:` on stderr, and leave with its exit code."""
    try:
        yield
    except CommandError as error:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        for line in error.lines:
            console.print(Text(f"  | {printable(line)}", style="dim"))
        console.print(Text("error: ", style="bold red") + Text(error.says))
        console.print(Text("next:  ", style="bold") + Text(error.next_step))
        raise typer.Exit(error.exit_code) from None
