"""`chatterbus up`: the whole of Chatterbus on this machine, one command, nothing else installed.

Options become a checked `UpOptions`; launch.py does the rest. Development mode (anyone can be anyone) is for loopback
addresses only: it is off elsewhere, and asking for it there is refused.
"""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chatterbus import embedded
from chatterbus.data_dir import DEFAULT_PARTITIONS, DataDir
from chatterbus.errors import CommandError, reported
from chatterbus.launch import Launch, UpOptions
from chatterbus.screen import Screen
from chatterbus.stack import is_loopback

DEFAULT_DATA_DIR = Path(".chatterbus")
MAX_INSTANCES = 32
"""Of each service; PostgreSQL's connections (50) and a machine's memory end sooner."""


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def up(
    host: Annotated[str, typer.Option(help="Address the gateways listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="First gateway's port; 0 takes free ones.")] = 8080,
    data_dir: Annotated[Path, typer.Option(help="Where everything is kept.")] = DEFAULT_DATA_DIR,
    gateways: Annotated[int, typer.Option(min=1, max=MAX_INSTANCES, help="Gateways, on consecutive ports.")] = 1,
    persisters: Annotated[int, typer.Option(min=1, max=MAX_INSTANCES, help="Persisters, sharing the partitions.")] = 1,
    partitions: Annotated[
        int | None,
        typer.Option(min=1, max=256, help=f"Of the queue, fixed at first start.  [default: {DEFAULT_PARTITIONS}]"),
    ] = None,
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Keep nothing: a temporary data directory.")] = False,
    dev: Annotated[
        bool | None, typer.Option("--dev/--no-dev", help="Accept anyone as anyone, loopback only.  [default: dev]")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="One JSON line on stdout when ready.")] = False,
    log_level: Annotated[LogLevel, typer.Option(help="Least level shown.")] = LogLevel.INFO,
) -> None:
    """Run everything on this machine: PostgreSQL, NATS, and Chatterbus's services."""
    with reported():
        options = UpOptions(
            host=host,
            port=port,
            gateways=gateways,
            persisters=persisters,
            dev_mode=settle_dev_mode(dev, host),
            ephemeral=ephemeral,
            json_output=json_output,
            log_level=log_level.value,
        )
        binaries = embedded.find_binaries()
        with _directory(data_dir, ephemeral=ephemeral) as path, DataDir.open(path, partitions) as data:
            code = asyncio.run(_run(options, data, binaries, dev_asked=dev))
    raise typer.Exit(code)


def settle_dev_mode(asked: bool | None, host: str) -> bool:
    """On for loopback unless refused; never elsewhere, for then strangers could be anyone."""
    if asked and not is_loopback(host):
        raise CommandError(
            f"Development mode lets anyone be anyone, so it is not for {host}, which others can reach.",
            "Leave out --dev and give clients tokens (chatterbus token --user alice), or use --host 127.0.0.1.",
        )
    return is_loopback(host) if asked is None else asked


async def _run(options: UpOptions, data: DataDir, binaries: embedded.Binaries, *, dev_asked: bool | None) -> int:
    async with Screen(json_output=options.json_output, log_level=options.log_level) as screen:
        if dev_asked is None and not options.dev_mode:
            screen.log("up", f"{options.host} is not loopback: development mode is off, every client needs a token")
        return await Launch(options, data, binaries, screen).run()


@contextmanager
def _directory(chosen: Path, *, ephemeral: bool) -> Iterator[Path]:
    if not ephemeral:
        yield chosen.expanduser()
        return
    with tempfile.TemporaryDirectory(prefix="chatterbus-", ignore_cleanup_errors=True) as temporary:
        if os.geteuid() == 0:
            Path(temporary).chmod(0o711)  # ours alone; PostgreSQL's account has to pass through
        yield Path(temporary)
