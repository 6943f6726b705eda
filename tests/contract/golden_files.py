"""The golden files: one JSON example of everything that travels, under golden/<group>/<name>.json.

A change here is a change of the protocol: other versions of clients, gateways and persisters must still read it.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.commands import COMMANDS
from chatterbus_contracts.frames.client import CLIENT_FRAMES
from chatterbus_contracts.frames.server import SERVER_FRAMES
from chatterbus_contracts.queries import QUERIES

GOLDEN = Path(__file__).parent / "golden"

# group -> name -> the models of the file; a query's file holds a question and its answer.
GROUPS: dict[str, dict[str, type[Wire]]] = {
    "client": dict(CLIENT_FRAMES),
    "server": dict(SERVER_FRAMES),
    "commands": dict(COMMANDS),
    "queries": {name: query.ask for name, query in QUERIES.items()},
}


def names() -> list[tuple[str, str]]:
    """(group, name) of every golden file there must be."""
    return [(group, name) for group, models in GROUPS.items() for name in sorted(models)]


def golden(group: str, name: str) -> Any:
    """The JSON value of a golden file."""
    return json.loads((GOLDEN / group / f"{name}.json").read_bytes())


def parts(group: str, name: str) -> list[tuple[type[Wire], dict[str, Any]]]:
    """(model, example) of each value in a golden file."""
    value = golden(group, name)
    if group != "queries":
        return [(GROUPS[group][name], value)]
    return [(QUERIES[name].ask, value["ask"]), (QUERIES[name].answer, value["answer"])]


def adapter(model: type[Wire]) -> TypeAdapter[Wire]:
    """Decodes one model by itself."""
    return TypeAdapter(model)
