"""Commands as they go into a parcel. Pure.

Promises: decoding what is made here gives the command's model (a test holds it). A message's fields were validated when
its frame was decoded; making the model of the command from them would validate them once more, at four times the price,
for every message.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from chatterbus_contracts.codec import encode_json
from chatterbus_contracts.commands import Command, encode_command
from chatterbus_contracts.frames.client import SendMessage
from chatterbus_contracts.ids import CommandId, GatewayId, ThreadId
from chatterbus_gateway.principal import Principal


class EncodedCommand(NamedTuple):
    """What the queue needs to know of a command, and its bytes."""

    id: CommandId
    thread_id: ThreadId
    data: bytes


def encoded(command: Command) -> EncodedCommand:
    """Any command."""
    return EncodedCommand(command.id, command.thread_id, encode_command(command))


def store_message(
    command_id: CommandId, frame: SendMessage, principal: Principal, gateway_id: GatewayId
) -> EncodedCommand:
    """The StoreMessage of a frame."""
    fields: dict[str, Any] = {
        "kind": "message.send",
        "id": command_id,
        "threadId": frame.thread_id,
        "userId": principal.user_id,
        "userType": principal.user_type,
        "gateway": gateway_id,
        "clientMessageId": frame.client_message_id or command_id,
        "content": frame.content,
        "messageType": frame.message_type,
    }
    if frame.reply_to_id is not None:
        fields["replyToId"] = frame.reply_to_id
    if frame.attachment_ids:
        fields["attachmentIds"] = frame.attachment_ids
    if frame.mentions:
        fields["mentions"] = frame.mentions
    if frame.metadata is not None:
        fields["metadata"] = frame.metadata
    return EncodedCommand(command_id, frame.thread_id, encode_json(fields))
