"""Rows of the last batches, so that a busy thread is not read again for every batch.

Pure. Safe because of the offset: a batch commits only if its partitions stand where this instance left them, so
nobody else can have changed their rows in between. Promises: bounded in rows, least recently used go first; after any
failed batch the owner forgets everything, since handlers change rows in place. Absent rows are not remembered.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import TypeVar

from chatterbus_contracts.ids import ThreadId
from chatterbus_persister.ledger.rows import MemberRow, ThreadRow
from chatterbus_persister.ledger.working_set import Keys, MemberKey, WorkingSet

K = TypeVar("K")
V = TypeVar("V")


class RowCache:
    """Threads and members by key."""

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._threads: OrderedDict[ThreadId, ThreadRow] = OrderedDict()
        self._members: OrderedDict[MemberKey, MemberRow] = OrderedDict()

    def __len__(self) -> int:
        return len(self._threads) + len(self._members)

    def missing(self, keys: Keys) -> Keys:
        """What must be loaded. Sends are never remembered: the table's constraint knows them all. Messages and files
        are seldom asked for twice, and who else is an owner only the table knows."""
        return Keys(
            threads={key: None for key in keys.threads if key not in self._threads},
            members={key: None for key in keys.members if key not in self._members},
            messages=keys.messages,
            attachments=keys.attachments,
            owners=keys.owners,
        )

    def working_set(self, keys: Keys, loaded: WorkingSet) -> WorkingSet:
        """The rows for a batch: the remembered ones and the loaded ones."""
        for thread_id in keys.threads:
            thread = self._threads.get(thread_id)
            if thread is not None:
                loaded.threads[thread_id] = thread
        for key in dict.fromkeys((*keys.members, *loaded.members)):
            member = self._members.get(key)
            if member is not None:
                loaded.members[key] = member
        return loaded

    def keep(self, rows: WorkingSet) -> None:
        """Remember the rows of a committed batch, as they are now."""
        _refresh(self._threads, rows.threads.items())
        _refresh(self._members, rows.members.items())
        while len(self) > self._max_rows:
            (self._members if len(self._members) > len(self._threads) else self._threads).popitem(last=False)

    def forget(self) -> None:
        """Remember nothing."""
        self._threads.clear()
        self._members.clear()


def _refresh(kept: OrderedDict[K, V], rows: Iterable[tuple[K, V]]) -> None:
    for key, row in rows:
        kept[key] = row
        kept.move_to_end(key)
