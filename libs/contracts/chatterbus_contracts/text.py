"""Rules for text that people write, and for the product's own JSON beside it.

Promises: no accepted text holds U+0000 (PostgreSQL refuses it) or a lone surrogate (the JSON decoder refuses it).
Length and emptiness of a message are separate rules with codes of their own, see :func:`check_content`.
"""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, StringConstraints
from pydantic_core import to_json

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.limits import CONTENT_MAX_CHARS, METADATA_MAX_BYTES, NAME_MAX_CHARS, TITLE_MAX_CHARS

NO_NUL: Final = r"^[^\x00]*$"

Text = Annotated[str, StringConstraints(pattern=NO_NUL)]
Title = Annotated[str, StringConstraints(pattern=NO_NUL, min_length=1, max_length=TITLE_MAX_CHARS)]
Name = Annotated[str, StringConstraints(pattern=NO_NUL, min_length=1, max_length=NAME_MAX_CHARS)]
Ref = Annotated[str, StringConstraints(pattern=NO_NUL, min_length=1, max_length=NAME_MAX_CHARS)]


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    try:
        encoded = to_json(value, inf_nan_mode="constants")
    except ValueError:
        raise ValueError("not JSON") from None
    if len(encoded) > METADATA_MAX_BYTES:
        raise ValueError(f"larger than {METADATA_MAX_BYTES} bytes of JSON")
    if b"\\u0000" in encoded:
        raise ValueError("holds U+0000")
    return value


Metadata = Annotated[dict[str, Any], AfterValidator(_bounded)]


def check_content(content: str, *, has_attachments: bool) -> None:
    """Raise Refusal CONTENT_TOO_LONG or CONTENT_EMPTY; white space alone is content only beside an attachment."""
    if len(content) > CONTENT_MAX_CHARS:
        raise Refusal(ErrorCode.CONTENT_TOO_LONG, f"content is longer than {CONTENT_MAX_CHARS} characters")
    if not has_attachments and (not content or content.isspace()):
        raise Refusal(ErrorCode.CONTENT_EMPTY, "content is empty")
