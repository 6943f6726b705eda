"""What the chat tells of the people in its thread, and of what is unread elsewhere. Pure: the caller brings the time.

Promises: a member's status is told when it changes, and at the beginning only of those who are here; what is unread in
other threads is told when it has grown, at most every `ELSEWHERE_EVERY_S`. Nothing is told of oneself: commands do.
"""

from collections.abc import Set
from typing import Final

from rich.text import Text

from chatterbus import chat_lines
from chatterbus_client import Presence

ELSEWHERE_EVERY_S: Final = 10.0


class People:
    """One chat's."""

    def __init__(self, me: str) -> None:
        self._me = me
        self._told: dict[str, Presence] = {}
        self._elsewhere = 0
        self._elsewhere_at_s = -ELSEWHERE_EVERY_S

    def seen(self, user_id: str, presence: Presence, members: Set[str]) -> list[Text]:
        """What to show when a user is seen so."""
        if user_id == self._me or user_id not in members:
            return []
        before = self._told.get(user_id)
        self._told[user_id] = presence
        if before == presence or (before is None and presence.status == "offline"):
            return []
        return [chat_lines.presence_line(user_id, presence)]

    def counted(self, elsewhere: int, now_s: float) -> list[Text]:
        """What to show when so much is unread in other threads."""
        grown = elsewhere > self._elsewhere
        if grown and now_s - self._elsewhere_at_s < ELSEWHERE_EVERY_S:
            return []  # compared with what was told last, so it is not lost
        self._elsewhere = elsewhere
        if not grown:
            return []
        self._elsewhere_at_s = now_s
        return [chat_lines.state_line(f"{elsewhere} unread in other threads")]
