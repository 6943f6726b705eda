"""Messages: send one, read the history."""

from typing import Final
from uuid import uuid4

import structlog
from fastapi import APIRouter, Response

from chatterbus_contracts.codec import encode
from chatterbus_contracts.commands import StoreMessage
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.frames.server import MessageAck
from chatterbus_contracts.ids import ClientMessageId, MessageId
from chatterbus_contracts.queries import AskHistory, AskMessage, HistoryPage
from chatterbus_contracts.rest import QueuedMessage, SendMessageBody
from chatterbus_contracts.states import MessageState, MessageType
from chatterbus_contracts.text import check_content
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.rest.answers import passed_on
from chatterbus_gateway.rest.backend import Backend, UsedBackend, new_command_id
from chatterbus_gateway.rest.identity import Caller
from chatterbus_gateway.rest.openapi import MESSAGE, THREAD, WRITE, problems
from chatterbus_gateway.rest.parameters import (
    AfterSeq,
    BeforeSeq,
    HistoryLimit,
    MessageIdPath,
    PositionCursor,
    ThreadIdPath,
)

log: Final = structlog.stdlib.get_logger(__name__)

router: Final = APIRouter(prefix="/api/chat", tags=["messages"])

_SEND_PROBLEMS: Final = problems(
    *THREAD,
    *WRITE,
    ErrorCode.IDENTITY_MISMATCH,
    ErrorCode.CONTENT_EMPTY,
    ErrorCode.CONTENT_TOO_LONG,
    ErrorCode.REPLY_TARGET_NOT_FOUND,
    ErrorCode.ATTACHMENT_NOT_FOUND,
)


@router.post(
    "/messages",
    operation_id="sendMessage",
    summary="Send a message",
    status_code=201,
    response_model=MessageState,
    responses={202: {"model": QueuedMessage, "description": "Safely queued, and not yet stored."}, **_SEND_PROBLEMS},
)
async def send_message(body: SendMessageBody, caller: Caller, backend: UsedBackend) -> Response:
    """201 with the message once it is stored, or 202 when that takes longer. The same `clientMessageId` again is stored
    once and answered the same; without one, a retry makes a second message."""
    check_send(body, caller)
    client_message_id = body.client_message_id or ClientMessageId(uuid4().hex)
    if caller.dev:
        await backend.open_thread(caller, body.thread_id)
    outcome = await backend.apply_or_queue(
        StoreMessage(
            id=new_command_id(),
            thread_id=body.thread_id,
            user_id=caller.user_id,
            user_type=caller.user_type,
            gateway=backend.gateway_id,
            client_message_id=client_message_id,
            content=body.content,
            message_type=body.message_type,
            reply_to_id=body.reply_to_id,
            attachment_ids=body.attachment_ids,
            mentions=body.mentions,
            metadata=body.metadata,
        )
    )
    stored = await _stored(outcome, caller, backend)
    if stored is not None:
        return passed_on(stored, 201)
    return passed_on(encode(QueuedMessage(thread_id=body.thread_id, client_message_id=client_message_id)), 202)


@router.get(
    "/threads/{threadId}/messages",
    operation_id="listMessages",
    summary="The history of a thread",
    response_model=HistoryPage,
    responses=problems(*THREAD),
)
async def list_messages(
    thread_id: ThreadIdPath,
    caller: Caller,
    backend: UsedBackend,
    before_seq: BeforeSeq = None,
    after_seq: AfterSeq = None,
    limit: HistoryLimit = 50,
    cursor: PositionCursor = None,
) -> Response:
    """The last messages, those before a seq (the newest of them) or those after one (the oldest), in seq order.
    `cursor` goes on in the direction that the other parameters ask for."""
    if before_seq is not None and after_seq is not None:
        raise Refusal(ErrorCode.BAD_REQUEST, "beforeSeq and afterSeq exclude each other")
    if cursor is not None and after_seq is not None:
        after_seq = cursor
    elif cursor is not None:
        before_seq = cursor
    question = AskHistory(
        thread_id=thread_id, user_id=caller.user_id, before_seq=before_seq, after_seq=after_seq, limit=limit
    )
    return passed_on(await backend.read_thread(caller, thread_id, "history", question))


@router.get(
    "/messages/{messageId}",
    operation_id="getMessage",
    summary="A message as it is now",
    response_model=MessageState,
    responses=problems(*MESSAGE),
)
async def get_message(message_id: MessageIdPath, caller: Caller, backend: UsedBackend) -> Response:
    """For members of its thread. A deleted one is a tombstone: its place, and nothing of what it said."""
    return passed_on(await backend.read("message", _ask_message(message_id, caller)))


def check_send(body: SendMessageBody, caller: Principal) -> None:
    """The rules that need no database. Raises Refusal."""
    claimed = (body.sender_id or caller.user_id, body.sender_type or caller.user_type)
    if claimed != (caller.user_id, caller.user_type):
        raise Refusal(ErrorCode.IDENTITY_MISMATCH, "senderId or senderType is not the caller's")
    if body.message_type is MessageType.SYSTEM and not caller.may_send_system:
        raise Refusal(ErrorCode.FORBIDDEN, "messages of type system need the scope chat:system")
    check_content(body.content, has_attachments=bool(body.attachment_ids))


async def _stored(outcome: object, caller: Principal, backend: Backend) -> bytes | None:
    """The message of an ack; None when it is queued, or stored and not to be read at the moment."""
    if not isinstance(outcome, MessageAck) or outcome.server_message_id is None:
        return None
    try:
        return await backend.read_back("message", _ask_message(outcome.server_message_id, caller))
    except Refusal as refusal:
        # It is stored: a refusal would be false. 202 lets the client ask again with the same clientMessageId.
        log.warning("sent message not read back", reason=str(refusal.__cause__))
        return None


def _ask_message(message_id: MessageId, caller: Principal) -> AskMessage:
    return AskMessage(message_id=message_id, user_id=caller.user_id)
