"""Pages: cut by count and by bytes, so that an answer always fits a NATS message.

Pure. Promises: a page holds at least one item if there is one, and never more than `limit` or about `max_bytes`.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from chatterbus_contracts.limits import PAGE_MAX_BYTES

T = TypeVar("T")

ITEM_OVERHEAD_BYTES = 512
BYTES_PER_CHAR = 4


def cut(
    items: Sequence[T], limit: int, chars_of: Callable[[T], int], max_bytes: int = PAGE_MAX_BYTES
) -> tuple[list[T], bool]:
    """(the items that fit, whether some were left out). `chars_of` gives the length of an item's text."""
    return cut_bytes(items, limit, lambda item: ITEM_OVERHEAD_BYTES + BYTES_PER_CHAR * chars_of(item), max_bytes)


def cut_bytes(
    items: Sequence[T], limit: int, bytes_of: Callable[[T], int], max_bytes: int = PAGE_MAX_BYTES
) -> tuple[list[T], bool]:
    """The same for items whose whole size is known better, for pages of many small ones."""
    size = 0
    for count, item in enumerate(items):
        size += bytes_of(item)
        if count == limit or (count and size > max_bytes):
            return list(items[:count]), True
    return list(items), False
