"""Hypothesis strategies: any valid value of any contract model, read off the model's own fields.

Promises: `model(M)` draws only values that M accepts and that JSON can carry (no U+0000, lone surrogate, NaN or
infinity), optional fields absent now and then. A field type it does not know fails loudly, so that a new kind of
field cannot go untested.
"""

import types
from enum import Enum
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from chatterbus_contracts.ids import ATTACHMENT_ID_PATTERN, ID_PATTERN, MESSAGE_ID_PATTERN
from chatterbus_contracts.text import NO_NUL

ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-:@+=|"
SEQ_MAX = 2**53 - 1


def ids(max_size: int = 128) -> SearchStrategy[str]:
    """Any id (S7's alphabet), often short, now and then of full length."""
    return st.text(ID_ALPHABET, min_size=1, max_size=12) | st.text(ID_ALPHABET, min_size=1, max_size=max_size)


def message_ids() -> SearchStrategy[str]:
    """Any message id: a thread's id and a seq."""
    return st.builds("{}~{}".format, ids(), st.integers(1, 10**15 - 1))


def attachment_ids() -> SearchStrategy[str]:
    """Any attachment id: a thread's id and 32 hex digits."""
    return st.builds("{}~f{}".format, ids(), st.text("0123456789abcdef", min_size=32, max_size=32))


def text(min_size: int = 0, max_size: int = 40) -> SearchStrategy[str]:
    """Text a person may write: everything but U+0000 and lone surrogates."""
    return st.text(
        st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), min_size=min_size, max_size=max_size
    )


def json_objects() -> SearchStrategy[dict[str, Any]]:
    """Small JSON objects, as a product keeps them beside a message."""
    scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text()
    values = st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text(), inner, max_size=3), max_leaves=6
    )
    return st.dictionaries(text(), values, max_size=3)


def model(model_class: type[BaseModel]) -> SearchStrategy[Any]:
    """Any valid value of the model."""
    required = {name: _field(field) for name, field in model_class.model_fields.items() if field.is_required()}
    optional = {name: _field(field) for name, field in model_class.model_fields.items() if not field.is_required()}
    return st.fixed_dictionaries(required, optional=optional).map(lambda values: model_class(**values))


def any_of(models: dict[str, type[BaseModel]]) -> SearchStrategy[Any]:
    """Any value of any model of a table such as CLIENT_FRAMES."""
    return st.sampled_from(sorted(models)).flatmap(lambda name: model(models[name]))


def _field(field: FieldInfo) -> SearchStrategy[Any]:
    return _value(field.annotation, tuple(field.metadata))


def _value(annotation: Any, constraints: tuple[Any, ...]) -> SearchStrategy[Any]:
    while isinstance(annotation, NewType):
        annotation = annotation.__supertype__
    origin = get_origin(annotation)
    if origin in _GENERIC:
        return _GENERIC[origin](annotation, constraints)
    for kind, strategy in _PLAIN.items():
        if annotation is kind or (isinstance(annotation, type) and issubclass(annotation, kind)):
            return strategy(annotation, constraints)
    raise TypeError(f"no strategy for {annotation}")


def _annotated(annotation: Any, constraints: tuple[Any, ...]) -> SearchStrategy[Any]:
    inner, *more = get_args(annotation)
    return _value(inner, (*more, *constraints))


def _union(annotation: Any, constraints: tuple[Any, ...]) -> SearchStrategy[Any]:
    return st.one_of([_value(arm, constraints) for arm in get_args(annotation)])


def _list(annotation: Any, constraints: tuple[Any, ...]) -> SearchStrategy[Any]:
    at_least = _bound(constraints, "min_length", 0)
    return st.lists(_value(get_args(annotation)[0], ()), min_size=at_least, max_size=at_least + 2)


def _dict(annotation: Any, _: tuple[Any, ...]) -> SearchStrategy[Any]:
    value = get_args(annotation)[1]
    return json_objects() if value is Any else st.dictionaries(text(), _value(value, ()), max_size=3)


def _tuple(annotation: Any, _: tuple[Any, ...]) -> SearchStrategy[Any]:
    return st.tuples(*(_value(part, ()) for part in get_args(annotation)))


def _float(_: Any, constraints: tuple[Any, ...]) -> SearchStrategy[float]:
    return st.floats(_bound(constraints, "ge", -1e9), 1e9, allow_nan=False)


def _string(_: Any, constraints: tuple[Any, ...]) -> SearchStrategy[str]:
    pattern = _bound(constraints, "pattern", None)
    if pattern == ID_PATTERN:
        return ids()
    if pattern == MESSAGE_ID_PATTERN:
        return message_ids()
    if pattern == ATTACHMENT_ID_PATTERN:
        return attachment_ids()
    if pattern not in (None, NO_NUL):
        raise TypeError(f"no strategy for the pattern {pattern}")
    return text(_bound(constraints, "min_length", 0), min(_bound(constraints, "max_length", 40), 200))


def _integer(_: Any, constraints: tuple[Any, ...]) -> SearchStrategy[int]:
    return st.integers(_bound(constraints, "ge", -SEQ_MAX), _bound(constraints, "le", SEQ_MAX))


def _bound(constraints: tuple[Any, ...], name: str, default: Any) -> Any:
    """The tightest of the constraints called `name`; the last one said is the outermost."""
    flat = [part for c in constraints for part in (c.metadata if isinstance(c, FieldInfo) else (c,))]
    found = [getattr(part, name) for part in flat if getattr(part, name, None) is not None]
    return found[-1] if found else default


_GENERIC: dict[Any, Any] = {
    Annotated: _annotated,
    Union: _union,
    types.UnionType: _union,
    list: _list,
    tuple: _tuple,
    dict: _dict,
    Literal: lambda annotation, _: st.sampled_from(get_args(annotation)),
}
_PLAIN: dict[Any, Any] = {
    BaseModel: lambda annotation, _: model(annotation),
    Enum: lambda annotation, _: st.sampled_from(list(annotation)),
    types.NoneType: lambda *_: st.none(),
    bool: lambda *_: st.booleans(),
    int: _integer,
    float: _float,
    str: _string,
}
