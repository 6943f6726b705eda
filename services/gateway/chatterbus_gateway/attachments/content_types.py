"""What a file is, read off its first bytes. Pure.

Promises: the sender's word counts for nothing; what is not recognised is `application/octet-stream`, and so is all
markup and text, since none of it has a signature that could not be another's. Only SHOWN types are ever served to be
displayed.
"""

from __future__ import annotations

from typing import Final

import filetype

HEAD_BYTES: Final = 8_192  # what the library looks at
UNKNOWN: Final = "application/octet-stream"
SHOWN: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def content_type_of(head: bytes) -> str:
    """The content type of a file that begins with `head`."""
    found = filetype.guess_mime(head[:HEAD_BYTES]) if head else None  # type: ignore[no-untyped-call]
    return UNKNOWN if found is None else str(found)
