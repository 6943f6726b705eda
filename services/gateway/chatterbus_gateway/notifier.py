"""Questions to the notifier: how users are seen, who is online, how one wants to be seen, and about webhooks.

Promises: every question ends within its deadline, with an answer or (where it says so) a Refusal. Presence is asked of
all shards at once, since a gateway does not know which shard has a user; what a shard that is away would have said is
missing, and the caller is told so. Answers are what everybody may see who may see the user: whether the asking one may
is decided before (presence/watch_requests.py, rest/users.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from typing import Any, Final, Generic, Literal, TypeVar

import structlog
from pydantic import TypeAdapter

from chatterbus_contracts.codec import DecodeError, Wire, decode, encode
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.presence import (
    AskOnline,
    AskPresence,
    ChoosePresence,
    OnlineAnswer,
    PresenceAnswer,
    VersionedPresence,
)
from chatterbus_contracts.rest import OnlineUsers
from chatterbus_contracts.subjects import (
    ASK_ONLINE,
    ASK_PRESENCE,
    ask_hooks_subject,
    choose_presence_subject,
    slot_of,
)
from chatterbus_gateway.store import refusal_of
from chatterbus_runtime.gathering import gather_answers
from chatterbus_runtime.link_errors import LinkError
from chatterbus_runtime.nats_link import NatsLink
from chatterbus_runtime.nats_message import Message

log: Final = structlog.stdlib.get_logger(__name__)

GATHER_TIMEOUT_S: Final = 2.0
CHOOSE_TIMEOUT_S: Final = 5.0
HOOKS_TIMEOUT_S: Final = 5.0
RETRY_AFTER_MS: Final = 1_000

A = TypeVar("A", PresenceAnswer, OnlineAnswer)
_PRESENCE: Final[TypeAdapter[PresenceAnswer]] = TypeAdapter(PresenceAnswer)
_ONLINE: Final[TypeAdapter[OnlineAnswer]] = TypeAdapter(OnlineAnswer)


class Gathered(Generic[A]):
    """The answers of shards, decoded as they come. What cannot be read is logged, and is missing then."""

    def __init__(self, adapter: TypeAdapter[A], enough: Callable[[Gathered[A]], bool]) -> None:
        self._adapter: TypeAdapter[A] = adapter
        self._enough: Callable[[Gathered[A]], bool] = enough
        self.by_shard: dict[tuple[int, int], A] = {}

    @property
    def complete(self) -> bool:
        """Every shard has answered. (While their number is being changed, all of the new or all of the old.)"""
        answered = Counter(shards for _, shards in self.by_shard)
        return any(count >= shards for shards, count in answered.items())

    def came(self, messages: list[Message]) -> bool:
        """Whether that is enough, with the last of these."""
        try:
            answer = decode(self._adapter, messages[-1].data)
        except DecodeError as error:
            log.error("the notifier's answer cannot be read", reason=error.message)
            return False
        self.by_shard[answer.shard, answer.shards] = answer
        return self.complete or self._enough(self)


class Notifier:
    """Asks over the link."""

    def __init__(self, link: NatsLink, *, gather_timeout_s: float = GATHER_TIMEOUT_S) -> None:
        self._link = link
        self._gather_timeout_s = gather_timeout_s

    async def presence_of(self, user_ids: Collection[UserId]) -> dict[UserId, VersionedPresence]:
        """How these (at most PRESENCE_ASKED_MAX) are seen. Those whose shard does not answer are missing; when the
        link is down, all are."""
        wanted = set(user_ids)
        if not wanted:
            return {}
        question = AskPresence(user_ids=sorted(wanted))
        gathered = Gathered(_PRESENCE, lambda come: wanted <= _found(come).keys())
        await self._gather(ASK_PRESENCE, question, gathered)
        return {user_id: state for user_id, state in _found(gathered).items() if user_id in wanted}

    async def online(self, after: UserId | None, limit: int) -> OnlineUsers:
        """A page of all who are not offline, by user id. Raises Refusal unless every shard answers."""
        gathered = Gathered(_ONLINE, lambda _: False)
        await self._gather(ASK_ONLINE, AskOnline(after=after, limit=limit), gathered)
        if not gathered.complete:
            raise presence_unavailable()
        answers = gathered.by_shard.values()
        # Behind the last of an answer that was cut, that shard may have others.
        cut_at = min((answer.items[-1].user_id for answer in answers if answer.more and answer.items), default=None)
        found = {item.user_id: item for answer in answers for item in answer.items}
        page = [found[user_id] for user_id in sorted(found) if cut_at is None or user_id <= cut_at]
        more = cut_at is not None or len(page) > limit
        page = page[:limit]
        return OnlineUsers(items=page, next_cursor=page[-1].user_id if more and page else None)

    async def choose(self, user_id: UserId, status: Literal["online", "dnd", "invisible"]) -> None:
        """This is how the user wants to be seen. Raises Refusal."""
        subject = choose_presence_subject(slot_of(user_id))
        question = ChoosePresence(user_id=user_id, status=status)
        try:
            reply = await self._link.request(subject, encode(question), CHOOSE_TIMEOUT_S)
        except (TimeoutError, LinkError):
            raise presence_unavailable() from None
        if (refusal := refusal_of(reply)) is not None:
            raise refusal

    async def ask_hooks(self, what: str, question: Wire, *, changes: bool = False) -> bytes:
        """The answer's JSON. Raises Refusal; TIMEOUT, if it `changes` something and that may have been done."""
        try:
            reply = await self._link.request(ask_hooks_subject(what), encode(question), HOOKS_TIMEOUT_S)
        except TimeoutError:
            if changes:
                raise Refusal(ErrorCode.TIMEOUT, "no answer in time; it may have been done") from None
            raise _hooks_unavailable() from None
        except LinkError:
            raise _hooks_unavailable() from None
        if (refusal := refusal_of(reply)) is not None:
            raise refusal
        return reply.data

    async def _gather(self, subject: str, question: Wire, gathered: Gathered[Any]) -> None:
        try:
            await gather_answers(self._link, subject, encode(question), self._gather_timeout_s, gathered.came)
        except LinkError:
            return  # nobody was asked, so nobody has answered


def _found(gathered: Gathered[PresenceAnswer]) -> dict[UserId, VersionedPresence]:
    found: dict[UserId, VersionedPresence] = {}
    for answer in gathered.by_shard.values():
        for item in answer.items:
            known = found.get(item.user_id)
            if known is None or known.version < item.version:
                found[item.user_id] = item
    return found


def presence_unavailable() -> Refusal:
    """Nobody who keeps presence answers."""
    return Refusal(
        ErrorCode.PRESENCE_UNAVAILABLE, "presence is not to be had at the moment", retry_after_ms=RETRY_AFTER_MS
    )


def _hooks_unavailable() -> Refusal:
    return Refusal(
        ErrorCode.WEBHOOKS_UNAVAILABLE, "nobody who delivers webhooks answers", retry_after_ms=RETRY_AFTER_MS
    )
