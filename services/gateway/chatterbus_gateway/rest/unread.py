"""What the caller has not read, and reading it."""

from typing import Annotated, Final

from fastapi import APIRouter, Body, Response

from chatterbus_contracts.commands import MoveCursor
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import ThreadId, split_message_id
from chatterbus_contracts.queries import AskMembership, AskUnread, Unread
from chatterbus_contracts.rest import MarkReadBody
from chatterbus_contracts.states import MemberState
from chatterbus_gateway.rest.answers import passed_on
from chatterbus_gateway.rest.backend import UsedBackend, new_command_id
from chatterbus_gateway.rest.identity import Caller
from chatterbus_gateway.rest.openapi import THREAD, WRITE, problems
from chatterbus_gateway.rest.parameters import POSITION_MAX, ThreadIdPath

router: Final = APIRouter(prefix="/api/chat", tags=["unread"])

LAST: Final = POSITION_MAX  # the ledger never moves a cursor beyond the last message


@router.get(
    "/unread",
    operation_id="getUnread",
    summary="Unread messages per thread, and in all",
    response_model=Unread,
    responses=problems(),
)
async def get_unread(caller: Caller, backend: UsedBackend) -> Response:
    """Threads in which nothing is unread are left out."""
    return passed_on(await backend.read("unread", AskUnread(user_id=caller.user_id)))


@router.post(
    "/threads/{threadId}/mark-read",
    operation_id="markRead",
    summary="Move the caller's read cursor",
    response_model=MemberState,
    responses=problems(*THREAD, *WRITE),
)
async def mark_read(
    thread_id: ThreadIdPath,
    caller: Caller,
    backend: UsedBackend,
    body: Annotated[MarkReadBody | None, Body()] = None,
) -> Response:
    """Forward only. Up to `seq` or `messageId`; up to the last message without both. Answers with the caller's
    membership and cursors."""
    await backend.apply(
        MoveCursor(
            id=new_command_id(),
            thread_id=thread_id,
            user_id=caller.user_id,
            user_type=caller.user_type,
            gateway=backend.gateway_id,
            read_seq=read_up_to(thread_id, body or MarkReadBody()),
        )
    )
    question = AskMembership(thread_id=thread_id, user_id=caller.user_id)
    return passed_on(await backend.read_back("membership", question))


def read_up_to(thread_id: ThreadId, body: MarkReadBody) -> int:
    """The seq that the body means. Raises Refusal BAD_REQUEST."""
    if body.message_id is None:
        return body.seq if body.seq is not None else LAST
    named_thread, seq = split_message_id(body.message_id)
    if named_thread != thread_id:
        raise Refusal(ErrorCode.BAD_REQUEST, "messageId: names a message of another thread")
    if body.seq is not None and body.seq != seq:
        raise Refusal(ErrorCode.BAD_REQUEST, "seq and messageId name different messages; one of them is enough")
    return seq
