"""Bytes to values and back, for everything that travels.

Promises: :func:`decode` yields a value of the asked type or raises DecodeError, whatever the bytes are; the error says
which field is wrong and why, and never repeats the input. :func:`encode` is its inverse: camelCase JSON
without the optional fields that are None; a required field that is None is written as null.
"""

from typing import Any, ClassVar, Final, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import from_json, to_json

from chatterbus_contracts.errors import ErrorCode

T = TypeVar("T")

ERRORS_SHOWN: Final = 3


class Wire(BaseModel):
    """Base of all that travels: camelCase outside, snake_case inside, strict types, unknown fields ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="ignore",
        strict=True,
        frozen=True,
    )

    omitted_when_none: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        cls.omitted_when_none = frozenset(name for name, field in cls.model_fields.items() if field.default is None)


class DecodeError(ValueError):
    """Bytes that are not what was expected. `code` is BAD_FRAME or UNKNOWN_TYPE; the text is fit for the sender."""

    def __init__(self, message: str, code: ErrorCode = ErrorCode.BAD_FRAME) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def decode(adapter: TypeAdapter[T], data: bytes | str) -> T:
    """The value in `data`, or DecodeError."""
    try:
        return adapter.validate_json(data)
    except ValidationError as error:
        raise _explained(error) from None


def decode_object(adapter: TypeAdapter[T], value: object) -> T:
    """The value in an already parsed JSON value, or DecodeError."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise _explained(error) from None


def parse_json(data: bytes | str) -> Any:
    """The JSON value in `data`, or DecodeError."""
    try:
        return from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise DecodeError(f"not valid JSON: {error}") from None


def skim_json(data: bytes) -> Any:
    """As parse_json, in two thirds of the time, for who looks at a few fields of a frame: integers of more than 64 bits
    come as floats."""
    try:
        return orjson.loads(data)
    except ValueError as error:
        raise DecodeError(f"not valid JSON: {error}") from None


def encode(model: Wire) -> bytes:
    """The model as JSON, without those of its own optional fields that are None."""
    absent = {name for name in model.omitted_when_none if getattr(model, name) is None}
    return model.__pydantic_serializer__.to_json(model, by_alias=True, exclude=absent or None)


def encode_json(value: Any) -> bytes:
    """A plain value as JSON: the hot path's encoder, for dictionaries that are already in wire form."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits, in somebody's metadata
        return to_json(value)


def _explained(error: ValidationError) -> DecodeError:
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    if faults[0]["type"] in ("union_tag_invalid", "union_tag_not_found"):
        known = faults[0]["type"] == "union_tag_not_found"
        return DecodeError(
            "the frame has no type" if known else "the frame's type is not known",
            ErrorCode.BAD_FRAME if known else ErrorCode.UNKNOWN_TYPE,
        )
    shown = "; ".join(_fault_line(fault["loc"], fault["msg"]) for fault in faults[:ERRORS_SHOWN])
    return DecodeError(shown)


def _fault_line(location: tuple[int | str, ...], reason: str) -> str:
    # The union's tag leads the location; a client knows which frame it sent.
    path = ".".join(str(part) for part in location if str(part).isidentifier() or isinstance(part, int))
    return f"{path}: {reason}" if path else reason
