"""The store's answers to `sync`, as the frames a subscriber gets. Pure.

Promises: `subscribed` first, then the changes in the store's order, each as the store wrote it. Pages are joined while
they are small; the answer says how far they reach. What the store sent is trusted to be its own model and is not
validated again.
"""

from __future__ import annotations

from typing import Any, Final

from chatterbus_contracts.codec import DecodeError, encode_json, parse_json
from chatterbus_contracts.ids import UserId
from chatterbus_gateway.wire_frame import ws_frame

PAGES_MAX: Final = 5  # of one subscribe; then the client asks again from `throughRev`
PAGES_MAX_BYTES: Final = 1024 * 1024  # half of what a socket may be behind
_POSITION: Final = ("threadId", "rev", "throughRev", "lastSeq", "members", "result")
_WHERE_IT_APPLIES: Final = ("reason", "memberCount", "membersCursor")


class SyncReply:
    """One or more pages of a sync."""

    __slots__ = ("_changes", "_gone", "_size", "_sync", "pages")

    def __init__(self) -> None:
        self._sync: dict[str, Any] = {}
        self._changes: list[bytes] = []
        self._gone: set[str] = set()
        self._size = 0
        self.pages = 0

    def add(self, page: bytes) -> None:
        """The next page. Raises DecodeError."""
        sync = parse_json(page)
        try:
            changes = [ws_frame(encode_json(change)) for change in sync["changes"]]
            for change in sync["changes"]:
                self._note_membership(change)
            self._sync = {key: sync[key] for key in _POSITION}
        except (TypeError, KeyError):
            raise DecodeError("the store's answer is no sync") from None
        self._sync |= {key: sync[key] for key in _WHERE_IT_APPLIES if sync.get(key) is not None}
        self._changes += changes
        self._size += len(page)
        self.pages += 1

    def _note_membership(self, change: dict[str, Any]) -> None:
        if change["type"] == "member_removed":
            self._gone.add(change["data"]["userId"])
        elif change["type"] == "member_added":
            self._gone.discard(change["data"]["userId"])

    def removes(self, user_id: str) -> bool:
        """By these changes the user is no member any more. (The store refuses those who are none when it is asked; that
        a page says so of its own reader should not happen, and must not leave him following.)"""
        return user_id in self._gone

    @property
    def wants_more(self) -> bool:
        """There are more pages, and room for another."""
        return self._sync["result"] == "page" and self.pages < PAGES_MAX and self._size < PAGES_MAX_BYTES

    @property
    def through_rev(self) -> int:
        """How far the changes reach."""
        return int(self._sync["throughRev"])

    @property
    def rev(self) -> int:
        """The thread's position when it was read: events beyond it are live."""
        return int(self._sync["rev"])

    @property
    def member_ids(self) -> list[UserId]:
        """Who was a member at `rev`; of a large thread, the first by user id and the reader."""
        return [member["userId"] for member in self._sync["members"]]

    def frames(self, ref: str | None) -> bytes:
        """What to send."""
        subscribed = {"type": "subscribed", **self._sync}
        if ref is not None:
            subscribed["ref"] = ref
        return ws_frame(encode_json(subscribed)) + b"".join(self._changes)
