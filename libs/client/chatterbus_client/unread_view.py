"""What is not read, by thread and in all, as the server tells it. Pure.

Promises: everything told is absolute and numbered, and a higher version is the later one, so notices and snapshots may
come twice or in any order and the view is the same. A snapshot replaces the whole view, save what is newer. Threads
without anything unread are not in it.
Does not promise to be whole when `is_partial`: the server named the newest threads only. `total` counts all.
"""

from collections.abc import Iterator, Mapping

from chatterbus_contracts.frames.server import UnreadNotice, UnreadSnapshot
from chatterbus_contracts.states import UnreadItem


class UnreadView(Mapping[str, UnreadItem]):
    """Threads by id. Read it as a dict."""

    def __init__(self) -> None:
        self._items: dict[str, UnreadItem] = {}
        self._versions: dict[str, int] = {}  # of notices; none is older than the snapshot
        self._snapshot_version = -1
        self._total_version = -1
        self.total = 0
        self.is_partial = False

    def __getitem__(self, thread_id: str) -> UnreadItem:
        return self._items[thread_id]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._items))

    def __len__(self) -> int:
        return len(self._items)

    def receive(self, notice: UnreadNotice) -> bool:
        """Whether the notice changes anything."""
        thread_id = notice.thread_id
        if notice.version <= self._versions.get(thread_id, self._snapshot_version):
            return False
        self._versions[thread_id] = notice.version
        before = (self._items.get(thread_id), self.total)
        self._put(UnreadItem(**{name: getattr(notice, name) for name in UnreadItem.model_fields}))
        self._count(notice.total_unread, notice.version)
        return before != (self._items.get(thread_id), self.total)

    def receive_snapshot(self, snapshot: UnreadSnapshot) -> list[str]:
        """The threads whose count the snapshot changes."""
        if snapshot.version <= self._snapshot_version:
            return []
        before = dict(self._items)
        self._snapshot_version = snapshot.version
        self._versions = {thread: version for thread, version in self._versions.items() if version > snapshot.version}
        self._items = {thread: item for thread, item in before.items() if thread in self._versions}
        for item in snapshot.items:
            if item.thread_id not in self._versions:
                self._put(item)
        self.is_partial = snapshot.more
        self._count(snapshot.total_unread, snapshot.version)
        return sorted(thread for thread in before.keys() | self._items if before.get(thread) != self._items.get(thread))

    def clear(self) -> list[str]:
        """The store was replaced: nothing is known, and versions begin anew. The threads for which that is a change."""
        changed = sorted(self._items)
        self._items.clear()
        self._versions.clear()
        self._snapshot_version = self._total_version = -1
        self.total, self.is_partial = 0, False
        return changed

    def _put(self, item: UnreadItem) -> None:
        if item.unread:
            self._items[item.thread_id] = item
        else:
            self._items.pop(item.thread_id, None)

    def _count(self, total: int, version: int) -> None:
        if version > self._total_version:
            self.total, self._total_version = total, version
