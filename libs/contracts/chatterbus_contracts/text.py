"""Rules for text that people write, and for the product's own JSON beside it.

Promises: no accepted text holds U+0000 (PostgreSQL refuses it) or a lone surrogate (the JSON decoder refuses it), and
no accepted metadata is nested so deep that a parser further on would refuse the larger value it is wrapped in.
Length and emptiness of a message are separate rules with codes of their own, see :func:`check_content`.
"""

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import from_json, to_json

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.limits import (
    ATTACHMENT_NAME_MAX_CHARS,
    CONTENT_MAX_CHARS,
    EMOJI_MAX_CHARS,
    METADATA_MAX_BYTES,
    METADATA_MAX_DEPTH,
    NAME_MAX_CHARS,
    TITLE_MAX_CHARS,
)

NO_NUL: Final = r"^[^\x00]*$"
_ESCAPED_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")

Text = Annotated[str, StringConstraints(pattern=NO_NUL)]
Title = Annotated[
    str,
    StringConstraints(pattern=NO_NUL, min_length=1, max_length=TITLE_MAX_CHARS),
    Field(description="title of a thread"),
]
Name = Annotated[
    str,
    StringConstraints(pattern=NO_NUL, min_length=1, max_length=NAME_MAX_CHARS),
    Field(description="a person's name, as others see it"),
]
Emoji = Annotated[str, StringConstraints(pattern=NO_NUL, min_length=1, max_length=EMOJI_MAX_CHARS)]
FileName = Annotated[str, StringConstraints(pattern=NO_NUL, min_length=1, max_length=ATTACHMENT_NAME_MAX_CHARS)]
Ref = Annotated[
    str,
    StringConstraints(pattern=NO_NUL, min_length=1, max_length=NAME_MAX_CHARS),
    Field(description="chosen by the client; comes back in the answer"),
]


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    if _depth(value) > METADATA_MAX_DEPTH:
        raise ValueError(f"nested deeper than {METADATA_MAX_DEPTH} levels")
    try:
        encoded = to_json(value, inf_nan_mode="constants")
        from_json(encoded, allow_inf_nan=False)
    except ValueError:
        raise ValueError("not JSON") from None
    if len(encoded) > METADATA_MAX_BYTES:
        raise ValueError(f"larger than {METADATA_MAX_BYTES} bytes of JSON")
    if _ESCAPED_NUL.search(encoded):
        raise ValueError("holds U+0000")
    return value


def _depth(value: object) -> int:
    """Levels of objects and lists, counted up to one more than the limit."""
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        if depth > METADATA_MAX_DEPTH:
            break
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth


Metadata = Annotated[
    dict[str, Any], AfterValidator(_bounded), Field(description="the product's own JSON; kept, never read")
]


def check_content(content: str, *, has_attachments: bool) -> None:
    """Raise Refusal CONTENT_TOO_LONG or CONTENT_EMPTY; white space alone is content only beside an attachment."""
    if len(content) > CONTENT_MAX_CHARS:
        raise Refusal(ErrorCode.CONTENT_TOO_LONG, f"content is longer than {CONTENT_MAX_CHARS} characters")
    if not has_attachments and (not content or content.isspace()):
        raise Refusal(ErrorCode.CONTENT_EMPTY, "content is empty")
