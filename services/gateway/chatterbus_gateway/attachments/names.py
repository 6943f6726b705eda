"""Names of files, as others may see them. Pure.

Promises: a name is one line of at most ATTACHMENT_NAME_MAX_CHARS characters, never empty, without path, without
control characters and without those that turn the writing direction (so that `exe.gnp` can not pose as `png.exe`). Its
extension survives shortening. Does not promise that the name fits the content: the type is found in the bytes.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from chatterbus_contracts.limits import ATTACHMENT_NAME_MAX_CHARS

NAMELESS: Final = "file"
EXTENSION_MAX_CHARS: Final = 16
# Cc control, Cf format (bidi overrides, zero widths), Cs surrogates, Co private, Zl and Zp line ends
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS: Final = frozenset({"\u200c", "\u200d"})  # written Persian and joined emoji need them


def clean_name(raw: str | None) -> str:
    """The last part of a path, made safe to show and to save."""
    normal = unicodedata.normalize("NFC", (raw or "").replace("\\", "/"))
    last = normal.rpartition("/")[2]
    seen = "".join(char for char in last if char in _JOINERS or unicodedata.category(char) not in _UNSEEN)
    name = " ".join(seen.split())
    return _shortened(name) if name.strip("\u200c\u200d .") else NAMELESS


def _shortened(name: str) -> str:
    if len(name) <= ATTACHMENT_NAME_MAX_CHARS:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem or len(extension) > EXTENSION_MAX_CHARS:
        return name[:ATTACHMENT_NAME_MAX_CHARS]
    return stem[: ATTACHMENT_NAME_MAX_CHARS - len(extension) - 1] + dot + extension
