"""Whose membership is to be asked for, since the events of a thread had a gap that may have hidden a removal. Pure.

Promises: every user who follows a thread live when it is doubted is asked for once after that; doubts of a thread that
come before its check has begun are one, those that come while it runs cause one more behind it. A question that could
not be answered comes again behind the others, for as long as its user follows. At most one entry per followed thread.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import Final

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import UserId
from chatterbus_gateway.feed import Feed

NO_MEMBER: Final = frozenset({ErrorCode.THREAD_NOT_FOUND, ErrorCode.NOT_A_MEMBER})


class Verdict(Enum):
    """What an answer means."""

    STAYS = auto()
    IS_GONE = auto()
    ASK_AGAIN = auto()


class Question:
    """Is this follower still a member?"""

    __slots__ = ("_admissions", "feed", "user_id")

    def __init__(self, feed: Feed, user_id: UserId) -> None:
        self.feed = feed
        self.user_id = user_id
        self._admissions = feed.admissions

    def verdict(self, refusal: Refusal | None) -> Verdict:
        """By the store's answer (None: a member). A refusal is not believed if somebody was admitted meanwhile: it may
        be older than that. Any other refusal says nothing about the member."""
        if refusal is None:
            return Verdict.STAYS
        if refusal.code in NO_MEMBER and self.feed.admissions == self._admissions:
            return Verdict.IS_GONE
        return Verdict.ASK_AGAIN


class Round:
    """The check of one thread."""

    __slots__ = ("again", "asking", "left")

    def __init__(self, users: list[UserId]) -> None:
        self.left = deque(users)
        self.asking = 0
        self.again = False  # doubted since it began


class Doubts:
    """The threads in doubt. Whoever takes a question settles it or puts it back."""

    __slots__ = ("_rounds", "_unasked", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[Feed, None] = {}
        self._rounds: dict[Feed, Round] = {}
        self._unasked: dict[Feed, Round] = {}  # of the rounds, those with users left

    def __len__(self) -> int:
        """Threads in doubt."""
        return len(self._rounds.keys() | self._waiting.keys())

    def add(self, feed: Feed) -> None:
        """Events of this thread may be missing."""
        begun = self._rounds.get(feed)
        if begun is None:
            self._waiting[feed] = None
        else:
            begun.again = True

    def take(self) -> Question | None:
        """The next question to ask."""
        while self._waiting and not self._unasked:
            self._begin(next(iter(self._waiting)))
        if not self._unasked:
            return None
        feed, found = next(iter(self._unasked.items()))
        user_id = found.left.popleft()
        found.asking += 1
        if not found.left:
            del self._unasked[feed]
        return Question(feed, user_id)

    def settle(self, question: Question) -> None:
        """It was answered."""
        feed = question.feed
        found = self._rounds[feed]
        found.asking -= 1
        if not found.asking and not found.left:
            del self._rounds[feed]
            if found.again:
                self._waiting[feed] = None

    def put_back(self, question: Question) -> None:
        """It was not answered."""
        feed, user_id = question.feed, question.user_id
        if user_id in feed.live_users:
            found = self._rounds[feed]
            found.left.append(user_id)
            self._unasked.pop(feed, None)
            self._unasked[feed] = found
        self.settle(question)

    def _begin(self, feed: Feed) -> None:
        del self._waiting[feed]
        users = list(feed.live_users)
        if users:
            self._rounds[feed] = self._unasked[feed] = Round(users)
