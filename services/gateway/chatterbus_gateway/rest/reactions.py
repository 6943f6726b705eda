"""Emoji under messages."""

from typing import Final

from fastapi import APIRouter, Response

from chatterbus_contracts.commands import SetReaction
from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.ids import MessageId, split_message_id
from chatterbus_contracts.queries import AskMessage
from chatterbus_contracts.states import MessageState
from chatterbus_gateway.emoji_rule import one_emoji
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.rest.answers import passed_on
from chatterbus_gateway.rest.backend import Backend, UsedBackend
from chatterbus_gateway.rest.identity import Caller
from chatterbus_gateway.rest.openapi import MESSAGE, WRITE, problems
from chatterbus_gateway.rest.parameters import EmojiPath, MessageIdPath

router: Final = APIRouter(prefix="/api/chat/messages", tags=["messages"])


@router.put(
    "/{messageId}/reactions/{emoji}",
    operation_id="addReaction",
    summary="Put an emoji of one's own under a message",
    response_model=MessageState,
    responses=problems(*MESSAGE, *WRITE, ErrorCode.BAD_EMOJI, ErrorCode.TOO_MANY_REACTIONS, ErrorCode.MESSAGE_DELETED),
)
async def add_reaction(message_id: MessageIdPath, emoji: EmojiPath, caller: Caller, backend: UsedBackend) -> Response:
    """Each user has each emoji once: the same again changes nothing."""
    return await _set(message_id, emoji, caller, backend, on=True)


@router.delete(
    "/{messageId}/reactions/{emoji}",
    operation_id="removeReaction",
    summary="Take one's emoji away",
    response_model=MessageState,
    responses=problems(*MESSAGE, *WRITE, ErrorCode.BAD_EMOJI, ErrorCode.MESSAGE_DELETED),
)
async def remove_reaction(
    message_id: MessageIdPath, emoji: EmojiPath, caller: Caller, backend: UsedBackend
) -> Response:
    """Taking away what is not there changes nothing."""
    return await _set(message_id, emoji, caller, backend, on=False)


async def _set(message_id: MessageId, emoji: str, caller: Principal, backend: Backend, *, on: bool) -> Response:
    thread_id, _ = split_message_id(message_id)
    await backend.change(caller, thread_id, SetReaction, message_id=message_id, emoji=one_emoji(emoji), on=on)
    return passed_on(await backend.read_back("message", AskMessage(message_id=message_id, user_id=caller.user_id)))
