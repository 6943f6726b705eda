"""AsyncAPI 3 document of the WebSocket at /ws."""

from typing import Any, Final

from pydantic import BaseModel

from chatterbus_contracts import PROTOCOL_VERSION
from chatterbus_contracts.frames.client import CLIENT_FRAMES
from chatterbus_contracts.frames.server import SERVER_FRAMES
from docs.generators.golden import example
from docs.generators.markdown import flat
from docs.generators.schema import as_json, definitions

REF: Final = "#/components/schemas/{model}"


def _messages(frames: dict[str, type[BaseModel]], group: str) -> dict[str, Any]:
    return {
        frame.__name__: {
            "name": name,
            "summary": flat(frame.__doc__),
            "contentType": "application/json",
            "payload": {"$ref": REF.format(model=frame.__name__)},
            "examples": [{"payload": example(group, name)}],
        }
        for name, frame in frames.items()
    }


def _operation(action: str, summary: str, messages: dict[str, Any]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/socket"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/socket/messages/{name}"} for name in messages],
    }


def document() -> str:
    """docs/asyncapi.json. The application it describes is the gateway: it receives what clients send."""
    received = _messages(dict(CLIENT_FRAMES), "client")
    sent = _messages(dict(SERVER_FRAMES), "server")
    return as_json(
        {
            "asyncapi": "3.0.0",
            "info": {
                "title": "Chatterbus",
                "version": str(PROTOCOL_VERSION),
                "description": "Real-time messaging: JSON text frames, one object with a `type` in each.",
            },
            "defaultContentType": "application/json",
            "servers": {
                "local": {"host": "127.0.0.1:8080", "protocol": "ws", "description": "what `chatterbus up` starts"}
            },
            "channels": {
                "socket": {
                    "address": "/ws",
                    "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in (*received, *sent)},
                }
            },
            "operations": {
                "receiveFrames": _operation("receive", "Frames a client sends; `auth` comes first.", received),
                "sendFrames": _operation("send", "Frames a client receives.", sent),
            },
            "components": {
                "messages": received | sent,
                "schemas": definitions([*CLIENT_FRAMES.values(), *SERVER_FRAMES.values()], REF),
            },
        }
    )
