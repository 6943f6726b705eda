"""Messages that are there: edit one, delete one, and what it said before."""

from typing import Final

from fastapi import APIRouter, Response

from chatterbus_contracts.commands import RemoveMessage, ReviseMessage
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.ids import split_message_id
from chatterbus_contracts.queries import AskMessage, AskRevisions, Revisions
from chatterbus_contracts.rest import EditMessageBody
from chatterbus_contracts.states import MessageState
from chatterbus_contracts.text import check_content
from chatterbus_gateway.rest.answers import passed_on
from chatterbus_gateway.rest.backend import UsedBackend
from chatterbus_gateway.rest.identity import Caller
from chatterbus_gateway.rest.openapi import MESSAGE, WRITE, problems
from chatterbus_gateway.rest.parameters import MessageIdPath

router: Final = APIRouter(prefix="/api/chat/messages", tags=["messages"])


@router.patch(
    "/{messageId}",
    operation_id="editMessage",
    summary="Give a message new content",
    response_model=MessageState,
    responses=problems(
        *MESSAGE, *WRITE, ErrorCode.CONTENT_EMPTY, ErrorCode.CONTENT_TOO_LONG, ErrorCode.MESSAGE_DELETED
    ),
)
async def edit_message(
    message_id: MessageIdPath, body: EditMessageBody, caller: Caller, backend: UsedBackend
) -> Response:
    """One's own; owners of the thread may, where the operator allows it. What it said before is kept. Whether the
    content may be blank depends on the message's files."""
    check_content(body.content, has_attachments=True)
    thread_id, _ = split_message_id(message_id)
    await backend.change(caller, thread_id, ReviseMessage, message_id=message_id, content=body.content)
    return passed_on(await backend.read_back("message", AskMessage(message_id=message_id, user_id=caller.user_id)))


@router.delete(
    "/{messageId}",
    operation_id="deleteMessage",
    summary="Take a message away",
    response_model=MessageState,
    responses=problems(*MESSAGE, *WRITE),
)
async def delete_message(message_id: MessageIdPath, caller: Caller, backend: UsedBackend) -> Response:
    """One's own, or any as an owner of the thread. Answers with the tombstone: the place stays, what it said is gone
    for good. Deleting it again changes nothing."""
    thread_id, _ = split_message_id(message_id)
    await backend.change(caller, thread_id, RemoveMessage, message_id=message_id)
    return passed_on(await backend.read_back("message", AskMessage(message_id=message_id, user_id=caller.user_id)))


@router.get(
    "/{messageId}/revisions",
    operation_id="listRevisions",
    summary="What a message said before its edits, newest first",
    response_model=Revisions,
    responses=problems(*MESSAGE),
)
async def list_revisions(message_id: MessageIdPath, caller: Caller, backend: UsedBackend) -> Response:
    """The latest ones. Empty for a message that was never edited, and for a deleted one."""
    return passed_on(await backend.read("revisions", AskRevisions(message_id=message_id, user_id=caller.user_id)))
