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
from chatterbus_runtime.settings import EX_CONFIG, ServiceSettings, is_secret
from docs.generators import BANNER
from docs.generators.markdown import flat, table

SERVICES: Final[dict[str, type[ServiceSettings]]] = {
    "Gateway": GatewaySettings,
    "Persister": PersisterSettings,
    "Notifier": NotifierSettings,
}

INTRO: Final = f"""
# Settings

Each service runs by itself, from nothing but its environment; there is no configuration file. Each table is complete.

- A secret may come from a file instead of the variable: `NAME_FILE=/path`, as Docker and Kubernetes hand out secrets.
  A line break at the file's end is not part of it. If both are set the variable counts. Only what is marked as a secret
  can come from a file.
- An empty value counts as unset.
- What is missing or invalid is told at once, all of it, one line for each problem, and the process ends with exit code
  {EX_CONFIG}. No line shows a secret.
- What cannot be reached (NATS, PostgreSQL, a schema that is not migrated yet) is waited for, with a growing pause; the
  log and /readyz say for what. The process does not end over it.

The least that a service needs beside NATS at its default address:

| service | needs |
| --- | --- |
{{least}}

"""

LEAST: Final = {
    "Gateway": "`GATEWAY_JWT_SECRET`, `GATEWAY_JWT_PUBLIC_KEY` or `GATEWAY_JWKS_URL`; "
    "on one's own machine `GATEWAY_DEV_MODE=true` will do",
    "Persister": "`PERSISTER_DSN`",
    "Notifier": "nothing",
    "Migrations": "`PERSISTER_DSN`, of a role that may create tables",
}

MODULES: Final = {
    "Gateway": "chatterbus_gateway",
    "Persister": "chatterbus_persister",
    "Notifier": "chatterbus_notifier",
}

MIGRATIONS: Final = (
    "persister_dsn",
    "persister_partitions",
    "persister_search_language",
    "log_level",
    "log_format",
)

MIGRATIONS_TEXT: Final = """
`python -m chatterbus_persister.migrate [--before | --after]`, or `chatterbus migrate`; see [upgrading](upgrading.md).
It ends with 0 when the schema is as asked for, 69 when PostgreSQL cannot be reached, 75 when persisters of an older
version are still at work, 78 when a setting or the schema is not right. Of the persister's settings it heeds these:
""".strip()

UNITS: Final = {"_per_s": "per second", "_s": "seconds", "_ms": "milliseconds", "_bytes": "bytes"}
WORDS: Final[dict[Any, str]] = {
    bool: "true or false",
    int: "integer",
    float: "number",
    str: "text",
    Path: "path",
    SecretStr: "text",
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


def _secret(name: str, field: FieldInfo) -> str:
    return f"yes; or a file, `{name.upper()}_FILE`" if is_secret(field) else "no"


def _table(names: Iterable[str], settings: type[ServiceSettings]) -> str:
    rows = [
        (f"`{name.upper()}`", _default(field), _type(name, field), _secret(name, field), flat(field.description))
        for name, field in ((name, settings.model_fields[name]) for name in names)
    ]
    return table(("variable", "default", "type", "secret", "what for"), rows)


def document() -> str:
    """docs/settings.md."""
    common = list(ServiceSettings.model_fields)
    sections = []
    for title, settings in SERVICES.items():
        own = [name for name in settings.model_fields if name not in common]
        sections.append(f"## {title}\n\n`python -m {MODULES[title]}`\n\n{_table([*own, *common], settings)}")
    sections.append(f"## Migrations\n\n{MIGRATIONS_TEXT}\n\n{_table(MIGRATIONS, PersisterSettings)}")
    least = "\n".join(f"| {title} | {needs} |" for title, needs in LEAST.items())
    return (
        BANNER.format(source="the settings classes of the services") + INTRO.format(least=least) + "\n".join(sections)
    )
