"""What a storage of objects promises.

An object is bytes under a key, with a content type. Promises: an object is never held whole in memory, neither in nor
out, beyond the size of one part; it can be read when its put has returned, and not before; a put that fails or is
cancelled leaves nothing that can be read; any range is read without reading what is before it; every request to the
storage has a deadline. Does not promise anything about two puts of one key at the same time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What is known of an object without reading it."""

    size_bytes: int
    content_type: str


class ObjectStorage(Protocol):
    """Keys are paths of `A-Z a-z 0-9 _ - = .`, parts divided by `/`. Every method may raise StorageUnavailable."""

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, content_type: str) -> int:
        """Store what `chunks` yields, in place of what was there; its size in bytes. What `chunks` raises comes out as
        it is, and then nothing was stored."""
        ...

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` to before `end` (clamped to the object), as they arrive. Raises ObjectNotFound."""
        ...

    async def stat(self, key: str) -> ObjectFacts | None:
        """None when there is no object."""
        ...

    async def delete(self, key: str) -> None:
        """Afterwards there is no object, whether there was one or not."""
        ...

    async def close(self) -> None:
        """Let go of what the storage opened for itself."""
        ...
