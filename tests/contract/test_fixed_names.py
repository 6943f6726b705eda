"""Names that existing clients depend on (docs/protocol.md, "fixed names"): these tests may only ever be added to."""

import json

import pytest

from chatterbus_contracts.codec import encode
from chatterbus_contracts.frames.client import CLIENT_FRAMES, decode_client_frame
from chatterbus_contracts.frames.server import (
    SERVER_FRAMES,
    AuthSuccess,
    Error,
    MessageAck,
    MessageCreated,
    ReadReceipt,
    TypingNotice,
)
from chatterbus_contracts.states import MessageState, MessageType
from docs.generators.openapi import api
from tests.contract.golden_files import golden

# What a minimal client sends, letter by letter.
MINIMAL_CLIENT = {
    "auth in development mode": {"type": "auth", "userId": "alice", "userType": "client", "threadId": "order-4711"},
    "auth in production": {
        "type": "auth",
        "token": "a.b.c",
        "userId": "alice",
        "userType": "client",
        "threadId": "order-4711",
    },
    "message": {
        "type": "message",
        "threadId": "order-4711",
        "senderId": "alice",
        "senderType": "client",
        "content": "Hello",
        "messageType": "text",
    },
    "typing": {"type": "typing", "threadId": "order-4711", "userId": "alice", "userType": "client"},
    "read_receipt": {
        "type": "read_receipt",
        "messageId": "order-4711~7",
        "threadId": "order-4711",
        "readerId": "bob",
        "readerType": "builder",
    },
}

# What it reads of `data` in a message.
MESSAGE_DATA = {
    "id", "threadId", "senderId", "senderType", "content", "messageType", "edited", "editedAt", "deleted", "deletedAt",
    "replyToId", "createdAt", "updatedAt", "attachments",
}  # fmt: skip


@pytest.mark.parametrize("sent", MINIMAL_CLIENT.values(), ids=MINIMAL_CLIENT)
def test_a_minimal_clients_frames_are_understood(sent: dict[str, str]) -> None:
    understood = json.loads(encode(decode_client_frame(json.dumps(sent))))
    assert {key: understood[key] for key in sent} == sent


def test_the_frames_a_minimal_client_knows_exist() -> None:
    assert {"auth", "message", "typing", "read_receipt"} <= set(CLIENT_FRAMES)
    assert {"auth_success", "message", "typing", "read_receipt", "message_ack", "error"} <= set(SERVER_FRAMES)


def test_a_message_has_every_field_a_minimal_client_reads_null_where_empty() -> None:
    state = MessageState(
        id="t~1",
        thread_id="t",
        seq=1,
        rev=1,
        sender_id="alice",
        sender_type="client",
        client_message_id="c1",
        content="Hello",
        message_type=MessageType.TEXT,
        edited=False,
        edited_at=None,
        deleted=False,
        deleted_at=None,
        reply_to_id=None,
        created_at="2026-01-31T12:00:00.000Z",
        updated_at="2026-01-31T12:00:00.000Z",
        attachments=[],
        mentions=[],
        metadata=None,
        reactions=[],
    )
    received = json.loads(encode(MessageCreated(thread_id="t", rev=1, data=state)))
    assert received["type"] == "message"
    assert set(received["data"]) >= MESSAGE_DATA
    assert received["data"]["editedAt"] is None
    assert received["data"]["replyToId"] is None
    assert received["data"]["metadata"] is None


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (MessageCreated, "type data"),
        (TypingNotice, "type userId userType"),
        (ReadReceipt, "type messageId"),
        (
            AuthSuccess,
            "type userId userType connectionId protocolVersion storeEpoch serverTime heartbeatIntervalMs limits",
        ),
        (MessageAck, "type clientMessageId serverMessageId threadId seq rev createdAt status"),
        (Error, "type code message retryable retryAfterMs fate ref clientMessageId originalMessage"),
    ],
)
def test_the_fields_of_a_server_frame_keep_their_names(model: type, fields: str) -> None:
    assert set(fields.split()) <= {field.alias for field in model.model_fields.values()}
    assert set(fields.split()) <= set(golden("server", model.model_fields["type"].default))


# The REST routes existing clients call. Those that are still to be built join this list with their route.
ROUTES = [
    ("post", "/api/chat/threads"),
    ("get", "/api/chat/threads/{userId}/{userType}"),
    ("get", "/api/chat/threads/{threadId}"),
    ("get", "/api/chat/threads/{threadId}/messages"),
    ("post", "/api/chat/messages"),
    ("post", "/api/chat/threads/{threadId}/mark-read"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_the_routes_existing_clients_call_keep_their_addresses(method: str, path: str) -> None:
    assert method in api()["paths"][path]


def test_optional_fields_that_are_empty_are_left_out() -> None:
    queued = MessageAck(client_message_id="c1", thread_id="t", status="queued")
    assert json.loads(encode(queued)) == {
        "type": "message_ack",
        "clientMessageId": "c1",
        "threadId": "t",
        "status": "queued",
    }
