"""Who has what: the cursors of a thread, and the receipts of one message."""

from typing import Final

from fastapi import APIRouter, Response

from chatterbus_contracts.limits import MEMBERS_PAGE_MAX
from chatterbus_contracts.queries import AskMessageReceipts, AskReceipts, MessageReceipts, Receipts
from chatterbus_gateway.rest.answers import passed_on
from chatterbus_gateway.rest.backend import UsedBackend
from chatterbus_gateway.rest.identity import Caller
from chatterbus_gateway.rest.openapi import MESSAGE, THREAD, problems
from chatterbus_gateway.rest.parameters import MemberCursor, MembersLimit, MessageIdPath, ThreadIdPath

router: Final = APIRouter(prefix="/api/chat", tags=["receipts"])


@router.get(
    "/threads/{threadId}/receipts",
    operation_id="listReceipts",
    summary="The members, and how far each is",
    response_model=Receipts,
    responses=problems(*THREAD),
)
async def list_receipts(
    thread_id: ThreadIdPath,
    caller: Caller,
    backend: UsedBackend,
    cursor: MemberCursor = None,
    limit: MembersLimit = MEMBERS_PAGE_MAX,
) -> Response:
    """Each member's two cursors, as far as the member shows them; by user id."""
    question = AskReceipts(thread_id=thread_id, user_id=caller.user_id, after=cursor, limit=limit)
    return passed_on(await backend.read_thread(caller, thread_id, "receipts", question))


@router.get(
    "/messages/{messageId}/receipts",
    operation_id="listMessageReceipts",
    summary="Who has a message, who read it, and when",
    response_model=MessageReceipts,
    responses=problems(*MESSAGE),
)
async def list_message_receipts(
    message_id: MessageIdPath,
    caller: Caller,
    backend: UsedBackend,
    cursor: MemberCursor = None,
    limit: MembersLimit = MEMBERS_PAGE_MAX,
) -> Response:
    """The members but the sender, by user id."""
    question = AskMessageReceipts(message_id=message_id, user_id=caller.user_id, after=cursor, limit=limit)
    return passed_on(await backend.read("message_receipts", question))
