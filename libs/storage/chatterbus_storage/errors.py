"""What can go wrong with a storage, and what became of the object."""

from __future__ import annotations


class StorageError(Exception):
    """Something the storage could not do."""


class StorageUnavailable(StorageError):
    """Not reached, not answered in time, full, or the object is damaged. The same call may work later; a put that
    raised it left nothing that can be read."""


class ObjectNotFound(StorageError):
    """There is no object under the key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"no object {key}")
        self.key = key
