"""JSON Schema of the frames, both ways."""

import json
from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from chatterbus_contracts import PROTOCOL_VERSION
from chatterbus_contracts.frames.client import CLIENT_FRAMES
from chatterbus_contracts.frames.server import SERVER_FRAMES

REF: Final = "#/$defs/{model}"


def definitions(models: Iterable[type[BaseModel]], ref_template: str = REF) -> dict[str, Any]:
    """Schema by class name of the models and all they refer to, fit to be read: no titles, `type` always required."""
    _, whole = models_json_schema([(model, "validation") for model in models], ref_template=ref_template)
    return {name: _tidy(schema) for name, schema in sorted(whole["$defs"].items())}


def _tidy(schema: dict[str, Any]) -> dict[str, Any]:
    properties = {name: _untitled(each) for name, each in schema.get("properties", {}).items()}
    tags = [name for name, each in properties.items() if "const" in each]
    for name in tags:
        properties[name].pop("default", None)
    kept = {key: value for key, value in schema.items() if key not in ("title", "properties", "required")}
    if "properties" in schema:
        ordered = {name: properties[name] for name in (*tags, *properties)}
        kept |= {"properties": ordered, "required": [*tags, *schema.get("required", ())]}
    return kept


def _untitled(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _untitled(value) for key, value in schema.items() if key != "title"}
    return [_untitled(each) for each in schema] if isinstance(schema, list) else schema


def one_of(frames: dict[str, type[BaseModel]], ref_template: str = REF) -> dict[str, Any]:
    """The union of the frames, told apart by `type`."""
    refs = {name: ref_template.format(model=frame.__name__) for name, frame in frames.items()}
    return {
        "oneOf": [{"$ref": ref} for ref in refs.values()],
        "discriminator": {"propertyName": "type", "mapping": refs},
    }


def as_json(value: Any) -> str:
    """A JSON document."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def document() -> str:
    """docs/schema/frames.schema.json."""
    frames = {"ClientFrame": one_of(dict(CLIENT_FRAMES)), "ServerFrame": one_of(dict(SERVER_FRAMES))}
    return as_json(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"Chatterbus frames, protocol version {PROTOCOL_VERSION}",
            "anyOf": [{"$ref": REF.format(model=name)} for name in frames],
            "$defs": frames | definitions([*CLIENT_FRAMES.values(), *SERVER_FRAMES.values()]),
        }
    )
