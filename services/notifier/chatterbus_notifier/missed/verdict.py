"""Whether a user is to be told of a thread now, later or not at all. Pure.

Of one user and thread: nothing new since the last event is nothing to tell; what is new waits until `interval_ms` after
the last event. An event that was begun and perhaps not published is repeated under its own id, for as long as the
interval forbids another.
"""

from __future__ import annotations

from dataclasses import replace

from chatterbus_notifier.missed.notes import Note


def verdict(fresh: Note, found: Note | None, interval_ms: int) -> Note | float | None:
    """`fresh` is the note to write if nothing speaks against it, `found` the one that is kept. The note to tell under,
    or the seconds to wait, or None: there is nothing to tell."""
    if found is None:
        return fresh
    wait_ms = min(found.at_ms + interval_ms - fresh.at_ms, interval_ms)
    if not found.told and wait_ms > 0:
        return found
    if found.told and fresh.last_seq <= found.last_seq:
        return None
    if wait_ms > 0:
        return wait_ms / 1000
    return replace(fresh, revision=found.revision)
