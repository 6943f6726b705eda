"""What `up` says when everything is ready: one JSON line for programs, a panel for people. Pure."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from chatterbus.stack import Stack


def ready_line(
    stack: Stack, pids: Mapping[str, int], data_dir: Path, jwt_secret_file: Path, children_file: Path
) -> str:
    """The one line on stdout of `up --json`. `pids` are those of now; children.json has them after restarts."""
    return json.dumps(
        {
            "url": stack.gateway_urls[0],
            "ws": stack.ws_url,
            "nats": stack.nats_url,
            "postgres": stack.postgres_dsn,
            "gateways": list(stack.gateway_urls),
            "pids": dict(pids),
            "jwtSecretFile": str(jwt_secret_file),
            "dataDir": str(data_dir),
            "childrenFile": str(children_file),
        }
    )


def ready_panel(stack: Stack, data_dir: Path, took_s: float, *, dev_mode: bool, ephemeral: bool) -> Panel:
    url = stack.gateway_urls[0]
    where = "" if url == "http://127.0.0.1:8080" else f" --url {url}"
    at = _shown(data_dir)
    of_data = "" if at == ".chatterbus" else f" --data-dir {at}"
    rows = [
        Text.assemble(("Chatterbus is ready  ", "bold green"), (f"in {took_s:.1f} s", "dim")),
        Text(),
        # In production there is no page to open: the demo is for development mode.
        Text.assemble("  open     " if dev_mode else "  server   ", (url, "bold underline"), f"   API: {url}/docs"),
        *(Text(f"  and      {more}") for more in stack.gateway_urls[1:]),
        Text("  data     " + (f"{at}, removed at the end" if ephemeral else at)),
        Text(),
        Text("  two chats, in two more terminals:"),
        Text(f"    chatterbus chat --user alice --thread demo{where}", style="cyan"),
        Text(f"    chatterbus chat --user bob --thread demo{where}", style="cyan"),
        Text("  a token for your own client:"),
        Text(f"    chatterbus token --user alice{of_data}", style="cyan"),
        Text(),
    ]
    if dev_mode:
        rows.append(Text("  development mode: anyone on this machine can be anyone  ", style="bold black on yellow"))
    else:
        rows.append(Text("  every connection needs a token (development mode is off)"))
    rows.append(Text("  Ctrl-C stops everything", style="dim"))
    return Panel(Group(*rows), expand=False, border_style="green")


def _shown(path: Path) -> str:
    """The path as short as it stays right from here."""
    here = Path.cwd()
    return os.path.relpath(path, here) if path.is_relative_to(here) else str(path)
