"""A storage of objects in memory, for tests of its users."""

from __future__ import annotations

from collections.abc import AsyncIterator

from chatterbus_storage.errors import ObjectNotFound, StorageUnavailable
from chatterbus_storage.object_storage import ObjectFacts


class MemoryStorage:
    """Keeps what it is given in `objects`. `away` makes every call fail; `fails` those for keys that end so."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.away = False
        self.fails: str | None = None

    def _check(self, key: str) -> None:
        if self.away or (self.fails is not None and key.endswith(self.fails)):
            raise StorageUnavailable("away")

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, content_type: str) -> int:
        self._check(key)
        data = b"".join([chunk async for chunk in chunks])
        self.objects[key] = (data, content_type)
        return len(data)

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        self._check(key)
        if key not in self.objects:
            raise ObjectNotFound(key)
        return self._pieces(self.objects[key][0][start:end])

    async def _pieces(self, data: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(data), 1000):
            yield data[start : start + 1000]

    async def stat(self, key: str) -> ObjectFacts | None:
        self._check(key)
        found = self.objects.get(key)
        return None if found is None else ObjectFacts(len(found[0]), found[1])

    async def delete(self, key: str) -> None:
        self._check(key)
        self.objects.pop(key, None)

    async def close(self) -> None:
        """Nothing to let go of."""
