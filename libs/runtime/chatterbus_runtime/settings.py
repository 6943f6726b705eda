"""What a process is told through its environment.

Promises: a setting's name in the environment is its field's name in capitals; a secret can come from a file instead
(`NATS_PASSWORD_FILE=/run/secrets/nats`, the convention of Docker and Kubernetes secrets); bad values end the process
with exit code 78 and one line for every problem there is, which names the variable and what it is for, never its value
if it is secret.
It reads no .env file: what a process runs with is what its supervisor shows.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, Self, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

EX_CONFIG: Final = 78  # sysexits.h: "something was found in an unconfigured or misconfigured state"
SECRET_FILE_MAX_BYTES: Final = 64 * 1024  # no secret is larger; a wrong path must not load a disk image

SettingsT = TypeVar("SettingsT", bound="ServiceSettings")


class ServiceSettings(BaseSettings):
    """Settings every service has. Subclass it and add fields named like their variables (`gateway_port`)."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True)

    nats_url: str = Field(
        default="nats://127.0.0.1:4222",
        description="NATS servers to connect to (nats:// or tls://), comma-separated; any one that answers will do.",
    )
    nats_user: str | None = Field(
        default=None, description="NATS user of this service, so that it has only its rights."
    )
    nats_password: SecretStr | None = Field(default=None, description="Password of NATS_USER.")
    nats_inbox_prefix: str = Field(
        default="_INBOX",
        pattern=r"^[A-Za-z0-9_-]+$",
        description="Answers come on subjects that begin so; one per service keeps the others from hearing them.",
    )
    nats_creds: Path | None = Field(
        default=None, description="NATS credentials file (JWT and seed), where the servers use decentralised accounts."
    )
    nats_ca: Path | None = Field(
        default=None, description="PEM file of the authority that signed the NATS servers' certificates, if private."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level that is logged; debug is for a laptop, not for production."
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="json for machines (one object a line), console for people."
    )

    @property
    def nats_servers(self) -> list[str]:
        return [url.strip() for url in self.nats_url.split(",") if url.strip()]

    @field_validator("nats_url")
    @classmethod
    def _urls_are_nats(cls, value: str) -> str:
        urls = [url.strip() for url in value.split(",") if url.strip()]
        if not urls:
            raise ValueError("give at least one server, like nats://127.0.0.1:4222")
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme not in ("nats", "tls") or not parts.hostname:
                raise ValueError("each server is nats://host:port or tls://host:port")
        return value

    @field_validator("nats_creds", "nats_ca")
    @classmethod
    def _file_is_there(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError("there is no such file")
        return value

    @field_validator("nats_creds")
    @classmethod
    def _nkeys_is_installed(cls, value: Path | None) -> Path | None:
        if value is not None and importlib.util.find_spec("nkeys") is None:
            raise ValueError("credentials files need the package 'nkeys': pip install 'nats-py[nkeys]'")
        return value

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    def problems(self) -> Iterator[str]:
        """What is wrong with the values together, each of which is right by itself. A line names all it is about."""
        if self.nats_password is not None and self.nats_user is None:
            yield "NATS_PASSWORD needs NATS_USER"

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if found := tuple(self.problems()):
            raise ValueError("\n".join(found))
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SecretFiles(settings_cls)


class SecretFiles(PydanticBaseSettingsSource):
    """Reads `<NAME>_FILE` for every secret field; `<NAME>` itself wins where both are set."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        reference = secret_file(field_name, field)
        return (reference.read() if reference else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, field in self.settings_cls.model_fields.items():
            if name in self.current_state:
                continue  # a source that counts for more has it
            value, key, _ = self.get_field_value(field, name)
            if value is not None:
                values[key] = value
        return values


class SecretFileReference:
    """A secret's file. Errors name the file, not what is in it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str:
        try:
            with self._path.open(encoding="utf-8") as file:
                content = file.read(SECRET_FILE_MAX_BYTES + 1)
        except (OSError, UnicodeDecodeError) as error:
            raise SecretFileError(self._path, type(error).__name__) from error
        if len(content) > SECRET_FILE_MAX_BYTES:
            raise SecretFileError(self._path, f"larger than {SECRET_FILE_MAX_BYTES} bytes")
        return content.rstrip("\r\n")


class SecretFileError(Exception):
    """A file that should hold a secret cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"cannot read the secret file {path}: {reason}")


def is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr or SecretStr in get_args(field.annotation)


def secret_file(name: str, field: FieldInfo) -> SecretFileReference | None:
    """The file that a secret is to be read from, if one is named and the variable itself says nothing."""
    path = os.environ.get(f"{name.upper()}_FILE") if is_secret(field) and not os.environ.get(name.upper()) else None
    return SecretFileReference(Path(path)) if path else None


def load(settings_class: type[SettingsT]) -> SettingsT:
    """The settings from the environment; prints all that is wrong to stderr and exits with 78 when there is anything.

    What cannot be used by itself is set aside for its example or default, so that what does not go together is found
    as well; but a line about a setting that was set aside would be a guess, and is left out.
    """
    unreadable = dict(unreadable_secrets(settings_class))
    aside = stand_ins(settings_class, unreadable)
    lines = [f"{name.upper()}_FILE: {error}" for name, error in unreadable.items()]
    while True:
        try:
            settings = settings_class(**aside)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            names = {name for one in found if (name := field_of(one)) and name not in aside}
            lines += problem_lines(settings_class, found, frozenset(aside))
            if not names:
                exit_with_problems(lines)
            aside |= stand_ins(settings_class, names)
        else:
            if lines:
                exit_with_problems(lines)
            return settings


def unreadable_secrets(settings_class: type[ServiceSettings]) -> Iterator[tuple[str, SecretFileError]]:
    """The settings whose files cannot be read."""
    for name, field in settings_class.model_fields.items():
        try:
            if (reference := secret_file(name, field)) is not None:
                reference.read()
        except SecretFileError as error:
            yield name, error


def stand_ins(settings_class: type[ServiceSettings], names: Iterable[str]) -> dict[str, Any]:
    """Values that are right by themselves: a required setting's example, the default of another one."""
    fields = {name: settings_class.model_fields[name] for name in names}
    return {
        name: (field.examples or [""])[0] if field.is_required() else field.get_default(call_default_factory=True)
        for name, field in fields.items()
    }


def field_of(error: ErrorDetails) -> str:
    """The field that an error is about; empty: several."""
    return str(error["loc"][0]) if error["loc"] else ""


def problem_lines(
    settings_class: type[ServiceSettings], errors: list[ErrorDetails], aside: frozenset[str]
) -> Iterator[str]:
    for error in errors:
        message = error["msg"].removeprefix("Value error, ")
        if not (name := field_of(error)):
            yield from (line for line in message.splitlines() if not any(one.upper() in line for one in aside))
        elif name not in aside:
            field = settings_class.model_fields[name]
            default = "" if field.is_required() or field.default is None else f" Default: {field.default}."
            yield f"{name.upper()}: {message}. It is: {field.description or 'undocumented'}{default}"


def exit_with_problems(lines: list[str]) -> NoReturn:
    for line in lines:
        sys.stderr.write(f"configuration: {line}\n")
    sys.exit(EX_CONFIG)
