"""docs/settings.md: every environment variable of every service."""

import json
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from chatterbus_gateway.settings import GatewaySettings
from chatterbus_notifier.settings import NotifierSettings
from chatterbus_persister.settings import PersisterSettings
from chatterbus_runtime.settings import ServiceSettings, is_secret
from docs.generators import BANNER
from docs.generators.markdown import flat, table

SERVICES: Final[dict[str, type[ServiceSettings]]] = {
    "Gateway": GatewaySettings,
    "Persister": PersisterSettings,
    "Notifier": NotifierSettings,
}

INTRO: Final = """
# Settings

Services are told everything through their environment. A secret may come from a file instead: `NAME_FILE=/path`. A bad
value ends the process with exit code 78 and one line per problem. An empty value counts as unset.

"""

UNITS: Final = {"_per_s": "per second", "_s": "seconds", "_ms": "milliseconds", "_bytes": "bytes"}
WORDS: Final[dict[Any, str]] = {
    bool: "true or false",
    int: "integer",
    float: "number",
    str: "text",
    Path: "path",
    SecretStr: "secret",
}


def _kind(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin is Annotated:
        return _kind(inner[0])
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_kind(arm) for arm in inner if arm is not types.NoneType))
    if origin in (tuple, frozenset, list, set):
        return "comma-separated list"
    return WORDS.get(annotation, "text")


def _type(name: str, field: FieldInfo) -> str:
    unit = next((f", {unit}" for suffix, unit in UNITS.items() if name.endswith(suffix)), "")
    return _kind(field.annotation) + unit + _range(field)


def _range(field: FieldInfo) -> str:
    signs = {"ge": "at least ", "gt": "above ", "le": "at most ", "lt": "below "}
    found = [
        f"{words}{getattr(part, sign):,}"
        for sign, words in signs.items()
        for part in field.metadata
        if getattr(part, sign, None) is not None
    ]
    return f" ({', '.join(found)})" if found else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if field.default_factory is not None:
        return "random"
    if field.default in (None, "", (), frozenset()):
        return "unset"
    if is_secret(field):
        return "set"
    return f"`{json.dumps(field.default) if isinstance(field.default, bool) else field.default}`"


def _table(names: Iterable[str], settings: type[ServiceSettings]) -> str:
    rows = [
        (f"`{name.upper()}`", _default(field), _type(name, field), flat(field.description))
        for name, field in ((name, settings.model_fields[name]) for name in names)
    ]
    return table(("variable", "default", "type", "what for"), rows)


def document() -> str:
    """docs/settings.md."""
    common = list(ServiceSettings.model_fields)
    sections = [f"## Every service\n\n{_table(common, ServiceSettings)}"]
    for title, settings in SERVICES.items():
        own = [name for name in settings.model_fields if name not in common]
        sections.append(f"## {title}\n\n{_table(own, settings)}")
    return BANNER.format(source="the settings classes of the services") + INTRO + "\n".join(sections)
