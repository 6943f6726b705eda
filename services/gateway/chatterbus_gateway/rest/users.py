"""Who is there: users, as the caller may see them.

Promises: the same as over the socket. A user whom the caller may not see is answered like one whom nobody has ever
seen, and no faster or slower for being known. Lists go on at a user id; a page may be short, or empty, and still have a
next one, since what one request asks of others is bounded.
"""

from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import TypeAdapter

from chatterbus_contracts.codec import DecodeError, Wire, decode, encode
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import UserId, type_of_id
from chatterbus_contracts.limits import CONTACTS_PAGE_MAX, PRESENCE_ASKED_MAX, PRESENCE_PAGE_MAX
from chatterbus_contracts.presence import VersionedPresence
from chatterbus_contracts.queries import AskContacts, AskSharing, Contacts, Sharing
from chatterbus_contracts.rest import OnlineUsers
from chatterbus_contracts.states import PresenceState
from chatterbus_gateway.notifier import Notifier, presence_unavailable
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.rest.backend import Backend, UsedBackend
from chatterbus_gateway.rest.identity import Caller
from chatterbus_gateway.rest.openapi import problems
from chatterbus_gateway.rest.parameters import UserIdPath

T = TypeVar("T")

router: Final = APIRouter(prefix="/api/users", tags=["users"])

ROUNDS_MAX: Final = 4  # of contacts, for one page: 2,000 of them
CONTACTS_A_ROUND: Final = min(CONTACTS_PAGE_MAX, PRESENCE_ASKED_MAX)

OnlineCursor = Annotated[
    UserId | None, type_of_id, Query(description="`nextCursor` of the page before", examples=["bob"])
]
OnlineLimit = Annotated[int, Query(ge=1, le=PRESENCE_PAGE_MAX)]

_CONTACTS: Final[TypeAdapter[Contacts]] = TypeAdapter(Contacts)
_SHARING: Final[TypeAdapter[Sharing]] = TypeAdapter(Sharing)


class PresenceView:
    """What the routes ask about presence with. `platform`: everybody may see everybody."""

    def __init__(self, notifier: Notifier | None, *, platform: bool) -> None:
        self._notifier = notifier
        self._platform = platform

    @property
    def notifier(self) -> Notifier:
        """Raises Refusal when there is none."""
        if self._notifier is None:
            raise presence_unavailable()
        return self._notifier

    def sees_all(self, caller: Principal) -> bool:
        """Whether the caller may see every user."""
        return self._platform or caller.is_admin

    async def known(self, user_ids: list[UserId]) -> dict[UserId, VersionedPresence]:
        """How all of these are seen. Raises Refusal."""
        found = await self.notifier.presence_of(user_ids)
        if len(found) < len(set(user_ids)):
            raise presence_unavailable()
        return found


def _view(request: Request) -> PresenceView:
    view: PresenceView = request.app.state.presence
    return view


UsedPresence = Annotated[PresenceView, Depends(_view)]


@router.get(
    "/online",
    operation_id="listOnlineUsers",
    summary="Who is there",
    response_model=OnlineUsers,
    responses=problems(ErrorCode.PRESENCE_UNAVAILABLE),
)
async def list_online_users(
    caller: Caller, backend: UsedBackend, presence: UsedPresence, cursor: OnlineCursor = None, limit: OnlineLimit = 50
) -> Response:
    """Users who are online, away or busy, by id: those the caller shares a thread with, or all of them with the scope
    chat:admin or where presence is open to the platform. Go on while there is a `nextCursor`: a page may be empty."""
    if presence.sees_all(caller):
        return _json(await presence.notifier.online(cursor, limit))
    return _json(await _contacts_online(caller, backend, presence, cursor, limit))


@router.get(
    "/{userId}/presence",
    operation_id="getPresence",
    summary="How a user is seen",
    response_model=PresenceState,
    responses=problems(ErrorCode.PRESENCE_UNAVAILABLE),
)
async def get_presence(user_id: UserIdPath, caller: Caller, backend: UsedBackend, presence: UsedPresence) -> Response:
    """Of those the caller shares a thread with, or of everybody as in the list of who is there. Others look like users
    that nobody has ever seen."""
    # Both are asked in any case: that one of them fails, or how long it takes, must not tell who is who.
    sharing = await _shares(caller, backend, user_id)
    found = (await presence.known([user_id]))[user_id]
    if not (sharing or presence.sees_all(caller)):
        return _json(PresenceState(user_id=user_id, status="offline", last_seen_at=None))
    return _json(_public(found))


async def _shares(caller: Principal, backend: Backend, user_id: UserId) -> bool:
    answer = await backend.read("sharing", AskSharing(user_id=caller.user_id, others=[user_id]))
    return user_id == caller.user_id or user_id in _read(_SHARING, answer).user_ids


async def _contacts_online(
    caller: Principal, backend: Backend, presence: PresenceView, cursor: UserId | None, limit: int
) -> OnlineUsers:
    page: list[PresenceState] = []
    for _ in range(ROUNDS_MAX):
        question = AskContacts(user_id=caller.user_id, after=cursor, limit=CONTACTS_A_ROUND)
        contacts = _read(_CONTACTS, await backend.read("contacts", question))
        states = await presence.known(contacts.user_ids) if contacts.user_ids else {}
        page += [_public(states[user_id]) for user_id in contacts.user_ids if states[user_id].status != "offline"]
        if len(page) > limit:
            return OnlineUsers(items=page[:limit], next_cursor=page[limit - 1].user_id)
        if contacts.next_cursor is None:
            return OnlineUsers(items=page, next_cursor=None)
        cursor = UserId(contacts.next_cursor)
    return OnlineUsers(items=page, next_cursor=cursor)


def _public(state: VersionedPresence) -> PresenceState:
    return PresenceState(user_id=state.user_id, status=state.status, last_seen_at=state.last_seen_at)


def _read(adapter: TypeAdapter[T], answer: bytes) -> T:
    try:
        return decode(adapter, answer)
    except DecodeError:
        raise Refusal(ErrorCode.INTERNAL, "the store's answer cannot be read") from None


def _json(answer: Wire) -> Response:
    return Response(encode(answer), media_type="application/json", headers={"Cache-Control": "no-store"})
