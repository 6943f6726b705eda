"""An example of each state that REST answers with, as OpenAPI shows it. Made of the models, so none can be wrong."""

from typing import Final

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.frames.server import MessageUpdated
from chatterbus_contracts.ids import AttachmentId, ClientMessageId, MessageId, ThreadId, UserId
from chatterbus_contracts.queries import (
    ChangesPage,
    HistoryPage,
    MessageReceipts,
    Receipts,
    Revisions,
    ThreadsPage,
    Unread,
)
from chatterbus_contracts.rest import OnlineUsers, QueuedMessage, Revocation, Ticket
from chatterbus_contracts.states import (
    AttachmentState,
    MemberState,
    MessageReceipt,
    MessageRevision,
    MessageState,
    MessageType,
    OwnState,
    PresenceState,
    Quote,
    ReactionState,
    Role,
    ThreadDetail,
    ThreadSummary,
    UnreadItem,
)
from chatterbus_contracts.webhooks import MISSED, AskReplay, DeliveriesPage, DeliveryAttempt, Replayed

_THREAD: Final = ThreadId("order-4711")
_ALICE: Final = UserId("alice")
_BOB: Final = UserId("bob")
_MESSAGE: Final = MessageId("order-4711~7")
_FILE: Final = AttachmentId("order-4711~f00112233445566778899aabbccddeeff")
_CREATED: Final = "2026-01-31T12:00:00.000Z"
_EDITED: Final = "2026-01-31T12:00:05.000Z"

ATTACHMENT: Final = AttachmentState(
    id=_FILE,
    name="plan.png",
    content_type="image/png",
    size_bytes=48_213,
    width=800,
    height=600,
    url=f"/api/chat/attachments/{_FILE}",
    thumbnail_url=f"/api/chat/attachments/{_FILE}?thumbnail=true",
)
MESSAGE: Final = MessageState(
    id=_MESSAGE,
    thread_id=_THREAD,
    seq=7,
    rev=12,
    sender_id=_ALICE,
    sender_type="user",
    client_message_id=ClientMessageId("a-7f3c"),
    content="Here is the plan",
    message_type=MessageType.TEXT,
    edited=True,
    edited_at=_EDITED,
    deleted=False,
    deleted_at=None,
    reply_to_id=MessageId("order-4711~6"),
    created_at=_CREATED,
    updated_at=_EDITED,
    attachments=[ATTACHMENT],
    mentions=[_BOB],
    metadata=None,
    reactions=[ReactionState(emoji="👍", count=1, user_ids=[_BOB])],
    reply_to=Quote(id=MessageId("order-4711~6"), sender_id=_BOB, content="Where is it?", deleted=False),
)
MEMBERS: Final = [
    MemberState(
        user_id=_ALICE, user_type="user", role=Role.OWNER, delivered_seq=7, read_seq=7, joined_at=_CREATED, rev=11
    ),
    MemberState(
        user_id=_BOB, user_type="user", role=Role.MEMBER, delivered_seq=7, read_seq=5, joined_at=_CREATED, rev=9
    ),
]
OWN: Final = OwnState(read_seq=5, unread=2, marked_unread_seq=None, archived=False, muted=False, show_receipts=True)
THREAD: Final = ThreadDetail(
    id=_THREAD,
    title="Order 4711",
    metadata={"orderId": 4711},
    created_by=_ALICE,
    created_at=_CREATED,
    last_seq=7,
    rev=12,
    last_message_at=_CREATED,
    members=MEMBERS,
    own=OWN,
)
_SUMMARY: Final = ThreadSummary(**dict(THREAD), unread=2, read_seq=5, last_message=MESSAGE)
_ATTEMPT: Final = DeliveryAttempt(
    place=41,
    id="msg_2b0c6e0f9d",
    type=MISSED,
    key=_BOB,
    attempt=2,
    at=_EDITED,
    duration_ms=87,
    outcome="retrying",
    status=503,
    error="the status is not 2xx",
    next_attempt_at="2026-01-31T12:01:05.000Z",
)

EXAMPLES: Final[dict[type[Wire], Wire]] = {
    type(example): example
    for example in (
        ATTACHMENT,
        MESSAGE,
        *MEMBERS[:1],
        OWN,
        THREAD,
        _SUMMARY,
        ThreadsPage(items=[_SUMMARY], next_cursor=None),
        HistoryPage(items=[MESSAGE], next_cursor="7"),
        ChangesPage(
            thread_id=_THREAD,
            items=[MessageUpdated(thread_id=_THREAD, rev=12, data=MESSAGE)],
            through_rev=12,
            rev=12,
            complete=True,
            next_cursor=None,
        ),
        Unread(
            items=[
                UnreadItem(
                    thread_id=_THREAD, last_seq=7, read_seq=5, unread=2, mentions=0, muted=False, last_message=None
                )
            ],
            total_unread=2,
        ),
        QueuedMessage(thread_id=_THREAD, client_message_id=ClientMessageId("a-7f3c")),
        Ticket(ticket="hS0nXgk5mZ7dVb2yQwT1uCj8oPfLrE4aIs9KxM3NvBc", expires_at="2026-01-31T12:00:30.000Z"),
        Revocation(user_id=_ALICE, revoked_at=_CREATED),
        PresenceState(user_id=_BOB, status="offline", last_seen_at=_EDITED),
        OnlineUsers(items=[PresenceState(user_id=_BOB, status="online", last_seen_at=None)], next_cursor=None),
        _ATTEMPT,
        DeliveriesPage(items=[_ATTEMPT], next_cursor="41"),
        AskReplay(since=_CREATED, until=_EDITED),
        Replayed(events=3),
        Revisions(items=[MessageRevision(content="Here is the plane", edited_by=_ALICE, replaced_at=_EDITED)]),
        Receipts(thread_id=_THREAD, items=MEMBERS),
        MessageReceipts(message_id=_MESSAGE, items=[MessageReceipt(user_id=_BOB, delivered_at=_CREATED, read_at=None)]),
    )
}
