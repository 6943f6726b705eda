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
from chatterbus_contracts.own_states import OwnStateChanged
from chatterbus_contracts.presence import (
    AskAttending,
    AskConnections,
    AskOnline,
    AskPresence,
    Attending,
    ChoosePresence,
    Chosen,
    Connections,
    ConnectionsChanged,
    Lease,
    OnlineAnswer,
    PresenceAnswer,
)
from chatterbus_contracts.queries import QUERIES
from chatterbus_contracts.webhooks import HOOK_ASKS, HOOK_BODIES

GOLDEN = Path(__file__).parent / "golden"

# group -> name -> (model of the question, model of the answer), both in one file.
PAIRS: dict[str, dict[str, tuple[type[Wire], type[Wire]]]] = {
    "queries": {name: (query.ask, query.answer) for name, query in QUERIES.items()},
    "hook_asks": {name: (asked.ask, asked.answer) for name, asked in HOOK_ASKS.items()},
    "presence_asks": {
        "attending": (AskAttending, Attending),
        "choose": (ChoosePresence, Chosen),
        "connections": (AskConnections, Connections),
        "online": (AskOnline, OnlineAnswer),
        "presence": (AskPresence, PresenceAnswer),
    },
}

# group -> name -> the model of the file, or of the question in it.
GROUPS: dict[str, dict[str, type[Wire]]] = {
    "client": dict(CLIENT_FRAMES),
    "server": dict(SERVER_FRAMES),
    "commands": dict(COMMANDS),
    "hooks": dict(HOOK_BODIES),
    "notices": {"connections_changed": ConnectionsChanged, "lease": Lease, "own_state_changed": OwnStateChanged},
    **{group: {name: ask for name, (ask, _) in pairs.items()} for group, pairs in PAIRS.items()},
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
    if group not in PAIRS:
        return [(GROUPS[group][name], value)]
    ask, answer = PAIRS[group][name]
    return [(ask, value["ask"]), (answer, value["answer"])]


def adapter(model: type[Wire]) -> TypeAdapter[Wire]:
    """Decodes one model by itself."""
    return TypeAdapter(model)
