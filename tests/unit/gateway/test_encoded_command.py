"""Messages in their wire form."""

from __future__ import annotations

from hypothesis import given

from chatterbus_contracts.codec import decode
from chatterbus_contracts.commands import COMMAND, StoreMessage
from chatterbus_contracts.frames.client import SendMessage
from chatterbus_contracts.ids import ClientMessageId, CommandId, GatewayId, UserId
from chatterbus_gateway.encoded_command import encoded, store_message
from chatterbus_gateway.principal import Principal
from tests.kit.strategies import model


@given(model(SendMessage))
def test_a_message_in_wire_form_is_the_command_with_all_its_fields(frame: SendMessage) -> None:
    principal = Principal(user_id=UserId("anna"), user_type="client")
    made = store_message(CommandId("c-1"), frame, principal, GatewayId("g"))
    command = StoreMessage(
        id=CommandId("c-1"),
        thread_id=frame.thread_id,
        user_id=UserId("anna"),
        user_type="client",
        gateway=GatewayId("g"),
        client_message_id=frame.client_message_id or ClientMessageId("c-1"),
        content=frame.content,
        message_type=frame.message_type,
        reply_to_id=frame.reply_to_id,
        attachment_ids=frame.attachment_ids,
        mentions=frame.mentions,
        metadata=frame.metadata,
    )
    assert decode(COMMAND, made.data) == command
    assert made[:2] == encoded(command)[:2]
