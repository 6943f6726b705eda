"""Markdown's small parts: tables, and JSON Schema types in words."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from chatterbus_contracts.ids import ID_PATTERN, MESSAGE_ID_PATTERN

Schema = Mapping[str, Any]

_BY_PATTERN: Final = {ID_PATTERN: "id", MESSAGE_ID_PATTERN: "message id"}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table with one line for each row."""
    lines = [list(head), *(list(row) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def flat(text: str | None) -> str:
    """Text on one line."""
    return " ".join((text or "").split())


def type_of(schema: Schema) -> str:
    """A field's type in words; the null of an optional field is not repeated."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in schema:
        return f'`"{schema["const"]}"`'
    if "enum" in schema:
        return " or ".join(f'`"{value}"`' for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_of(arm) for arm in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {type_of(schema['items'])}"
    return _BY_PATTERN.get(schema.get("pattern", ""), schema.get("type", "any"))


def description_of(schema: Schema) -> str:
    """What is said of the field, or of its only arm that says anything."""
    arms = [schema, *schema.get("anyOf", []), schema.get("items", {})]
    return next((flat(arm["description"]) for arm in arms if "description" in arm), "")


def fields(schema: Schema) -> str:
    """The table of an object's fields."""
    required = set(schema.get("required", ()))
    rows = [
        (
            f"`{name}`",
            _type(each, name in required),
            "yes" if name in required else _default(each),
            description_of(each),
        )
        for name, each in schema.get("properties", {}).items()
    ]
    return table(("field", "type", "required", "what it is"), rows)


def _type(schema: Schema, is_required: bool) -> str:
    words = type_of(schema)
    return words if is_required else words.removesuffix(" or null")


def _default(schema: Schema) -> str:
    default = schema.get("default")
    return "no" if default in (None, [], {}) else f"no; `{str(default).lower()}`"
