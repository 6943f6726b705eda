"""The caller's own threads, newest activity first.

The older address has the caller's id and type in its path. A user type that is also the name of a part of a thread
(`/threads/t1/messages`) means the part: include this router after those.
"""

from typing import Final

from fastapi import APIRouter, Response

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.queries import AskThreads, ThreadsPage
from chatterbus_gateway.rest.answers import passed_on
from chatterbus_gateway.rest.backend import UsedBackend
from chatterbus_gateway.rest.identity import Caller
from chatterbus_gateway.rest.openapi import problems
from chatterbus_gateway.rest.parameters import Archived, OpaqueCursor, ThreadsLimit, UserIdPath, UserTypePath

router: Final = APIRouter(prefix="/api/chat/threads", tags=["threads"])

# Parts of a thread that this address would otherwise take for a user's type, where the part knows no GET.
PARTS_OF_A_THREAD: Final = frozenset(
    {"messages", "changes", "members", "receipts", "mark-read", "mark-unread", "archive", "unarchive", "mute"}
)


@router.get(
    "",
    operation_id="listThreads",
    summary="The caller's threads, newest activity first",
    response_model=ThreadsPage,
    responses=problems(),
)
async def list_threads(
    caller: Caller,
    backend: UsedBackend,
    archived: Archived = False,
    cursor: OpaqueCursor = None,
    limit: ThreadsLimit = 50,
) -> Response:
    """With what is unread in each and its last message. A new message brings an archived thread back, unless it is
    muted."""
    question = AskThreads(user_id=caller.user_id, archived=archived, cursor=cursor, limit=limit)
    return passed_on(await backend.read("threads", question))


@router.get(
    "/{userId}/{userType}",
    operation_id="listThreadsOfUser",
    summary="The same, for clients that name the user",
    response_model=ThreadsPage,
    responses=problems(ErrorCode.NOT_FOUND),
)
async def list_threads_of_user(
    user_id: UserIdPath,
    user_type: UserTypePath,
    caller: Caller,
    backend: UsedBackend,
    archived: Archived = False,
    cursor: OpaqueCursor = None,
    limit: ThreadsLimit = 50,
) -> Response:
    """The user must be the caller."""
    if user_type in PARTS_OF_A_THREAD:
        raise Refusal(ErrorCode.NOT_FOUND, "there is no such route")
    if (user_id, user_type) != (caller.user_id, caller.user_type):
        raise Refusal(ErrorCode.FORBIDDEN, "these are another user's threads")
    return await list_threads(caller, backend, archived, cursor, limit)
