"""Texts that are no ids (S7), and where ids are: every id field of every model that comes from outside."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from chatterbus_contracts.ids import ATTACHMENT_ID_PATTERN, ID_PATTERN, MESSAGE_ID_PATTERN

HOSTILE_IDS: dict[str, str] = {
    "wildcard": "*",
    "full wildcard": ">",
    "two tokens": "a.b",
    "dot": ".",
    "space inside": "a b",
    "space": " ",
    "trailing space": "a ",
    "tab": "a\tb",
    "CR": "a\r",
    "LF": "a\n",
    "CRLF injection": "a\r\nPUB chat.evt.x 1\r\nx",
    "empty": "",
    "10 KB": "a" * 10_240,
    "129 characters": "a" * 129,
    "U+0000": "a\x00b",
    "lone surrogate": "a\ud800",
    "slash": "../a",
    "tilde in the middle": "a~b",
    "double tilde": "a~~1",
    "letter outside ASCII": "ä",
    "full-width digit": "a~\uff11",
    "right-to-left mark": "a\u202e",
    "percent": "%2e",
    "quote": "a'--",
    "angle": "<a>",
    "dollar": "$SYS",
}

# Where a message's id is wanted, these are wrong as well: they are ids, but of no message.
HOSTILE_MESSAGE_IDS: dict[str, str] = HOSTILE_IDS | {
    "no seq": "a",
    "seq 0": "a~0",
    "negative seq": "a~-1",
    "leading zero": "a~01",
    "seq beyond 2**53": "a~9999999999999999",
    "no thread": "~1",
    "fraction": "a~1.5",
}

# And these where an attachment's id is wanted.
HOSTILE_ATTACHMENT_IDS: dict[str, str] = HOSTILE_IDS | {
    "a message's": "a~1",
    "31 digits": "a~f" + "0" * 31,
    "33 digits": "a~f" + "0" * 33,
    "capital digits": "a~f" + "A" * 32,
    "no file mark": "a~" + "0" * 33,
    "no thread": "~f" + "0" * 32,
}

HOSTILE: dict[str, dict[str, str]] = {
    ID_PATTERN: HOSTILE_IDS,
    MESSAGE_ID_PATTERN: HOSTILE_MESSAGE_IDS,
    ATTACHMENT_ID_PATTERN: HOSTILE_ATTACHMENT_IDS,
}


def id_fields(model: type[BaseModel]) -> Iterator[tuple[str, bool, str]]:
    """(alias, is it a list, pattern) of each id field of the model, from its JSON schema."""
    for alias, schema in model.model_json_schema()["properties"].items():
        for arm in schema.get("anyOf", [schema]):
            is_list = arm.get("type") == "array"
            pattern = (arm["items"] if is_list else arm).get("pattern")
            if pattern in HOSTILE:
                yield alias, is_list, pattern


def poisoned(valid: dict[str, Any], alias: str, is_list: bool, text: str) -> dict[str, Any]:
    """The valid value with the hostile text in one field."""
    return {**valid, alias: [text] if is_list else text}
