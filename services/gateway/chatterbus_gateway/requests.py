"""What each frame of an open session asks for. Pure: a table of handlers, one a frame.

Promises: a handler either gives the shell something to do, which is answered once, or answers at once, or raises the
Refusal that the session sends. Identity fields are absent or the token's; a typing notice or a receipt that is in order
is not answered at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from chatterbus_contracts.commands import (
    Command,
    CreateThread,
    MarkUnread,
    RemoveMessage,
    ReviseMessage,
    SetReaction,
)
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.frames.client import (
    Auth,
    ClientFrame,
    DeleteMessage,
    EditMessage,
    Ping,
    React,
    Receipt,
    SendDelivered,
    SendMarkUnread,
    SendMessage,
    SendRead,
    SetPresence,
    Subscribe,
    Typing,
    Unsubscribe,
    WatchPresence,
)
from chatterbus_contracts.frames.server import Ack
from chatterbus_contracts.ids import GatewayId, MessageId, ThreadId, split_message_id
from chatterbus_contracts.states import MessageType
from chatterbus_contracts.text import check_content
from chatterbus_gateway.emoji_rule import one_emoji
from chatterbus_gateway.encoded_command import EncodedCommand, encoded, store_message
from chatterbus_gateway.principal import Principal

if TYPE_CHECKING:
    from chatterbus_gateway.session import Session

RETRY_SOON_MS: Final = 1_000
SYSTEM: Final = MessageType.SYSTEM  # see session.NEW


def on_auth(session: Session, frame: Auth) -> None:
    """Renew the token."""
    if session.auth is not None:
        raise Refusal(ErrorCode.TOO_MANY_IN_FLIGHT, "a token or ticket is being checked", retry_after_ms=RETRY_SOON_MS)
    session.begin_auth(frame)


def on_message(session: Session, frame: SendMessage) -> None:
    """Queue it; the persister's answer is forwarded."""
    principal = _identified(session, frame.sender_id, frame.sender_type)
    check_content(frame.content, has_attachments=bool(frame.attachment_ids))
    if frame.message_type is SYSTEM and not principal.may_send_system:
        raise Refusal(ErrorCode.FORBIDDEN, "system messages need the scope chat:system")
    if principal.dev:
        _open_thread(session, frame.thread_id)
    session.submit(store_message(session.next_command_id(), frame, principal, session.gateway_id), frame)


def on_subscribe(session: Session, frame: Subscribe) -> None:
    """Follow the thread."""
    follow(session, frame.thread_id, frame.since_rev, frame)


def on_unsubscribe(session: Session, frame: Unsubscribe) -> None:
    """Stop following it; what is not followed is answered alike."""
    session.effects.unfollow(frame.thread_id, frame)


def on_typing(session: Session, frame: Typing) -> None:
    """Pass it on, from those who follow the thread only: they were found to be members."""
    _identified(session, frame.user_id, frame.user_type)
    if frame.thread_id in session.threads:
        session.effects.notify_typing(frame.thread_id, frame.is_typing)


def on_delivered(session: Session, frame: SendDelivered) -> None:
    """Move the delivered cursor."""
    session.effects.move_cursor(frame.thread_id, _receipt_seq(session, frame), None)


def on_read(session: Session, frame: SendRead) -> None:
    """Move the read cursor."""
    session.effects.move_cursor(frame.thread_id, None, _receipt_seq(session, frame))


def on_edit(session: Session, frame: EditMessage) -> None:
    """Queue it. Whether the new content may be blank depends on the message's files, which the ledger knows."""
    _check_place(frame)
    check_content(frame.content, has_attachments=True)
    _submit(session, ReviseMessage, frame, message_id=frame.message_id, content=frame.content)


def on_delete(session: Session, frame: DeleteMessage) -> None:
    """Queue it."""
    _check_place(frame)
    _submit(session, RemoveMessage, frame, message_id=frame.message_id)


def on_reaction(session: Session, frame: React) -> None:
    """Queue it."""
    _check_place(frame)
    emoji = one_emoji(frame.emoji)
    _submit(session, SetReaction, frame, message_id=frame.message_id, emoji=emoji, on=frame.action == "add")


def on_mark_unread(session: Session, frame: SendMarkUnread) -> None:
    """Queue it."""
    _submit(session, MarkUnread, frame, seq=frame.seq)


def on_presence_set(session: Session, frame: SetPresence) -> None:
    """`away` is said of this device and holds at once; the others are the user's choice, which the notifier keeps."""
    if frame.status == "away":
        session.declare(away=True)
        session.effects.send(Ack(ref=frame.ref))
        return
    session.check_room()
    if frame.status == "online":
        session.declare(away=False)
    session.effects.choose_presence(frame.status, frame)
    session.in_flight += 1


def on_presence_watch(session: Session, frame: WatchPresence) -> None:
    """Answered by the presence of each."""
    session.effects.watch_presence(frame.user_ids, frame)


def on_ping(session: Session, frame: Ping) -> None:
    """Answer."""
    session.effects.pong(frame.id)


Handler = Callable[["Session", Any], None]
HANDLERS: Final[dict[type[ClientFrame], Handler]] = {
    Auth: on_auth,
    Subscribe: on_subscribe,
    Unsubscribe: on_unsubscribe,
    SendMessage: on_message,
    EditMessage: on_edit,
    DeleteMessage: on_delete,
    React: on_reaction,
    Typing: on_typing,
    SendDelivered: on_delivered,
    SendRead: on_read,
    SendMarkUnread: on_mark_unread,
    SetPresence: on_presence_set,
    WatchPresence: on_presence_watch,
    Ping: on_ping,
}


def follow(session: Session, thread_id: ThreadId, since_rev: int | None, request: ClientFrame) -> None:
    """Follow a thread for `request`, an auth or a subscribe. Raises Refusal."""
    session.add_thread(thread_id)
    try:
        if session.speaker.dev:
            # The store must not be asked before the thread is there: `settled` goes on when the command is answered.
            session.submit(_create(session, thread_id, session.gateway_id), request)
        else:
            session.effects.follow(thread_id, since_rev, request)
    except Refusal:
        session.unfollowed(thread_id)
        raise


def check_identity(principal: Principal, user_id: str | None, user_type: str | None) -> None:
    """Raise Refusal IDENTITY_MISMATCH unless both are absent or the principal's."""
    if (user_id is not None and user_id != principal.user_id) or (
        user_type is not None and user_type != principal.user_type
    ):
        raise Refusal(ErrorCode.IDENTITY_MISMATCH, "the frame speaks for another user than the token")


def _identified(session: Session, user_id: str | None, user_type: str | None) -> Principal:
    principal = session.speaker
    if user_id is not None or user_type is not None:
        check_identity(principal, user_id, user_type)
    return principal


def _receipt_seq(session: Session, frame: Receipt) -> int:
    principal = _identified(session, frame.reader_id, frame.reader_type)
    seq = frame.seq
    if frame.message_id is not None:
        message_seq = _seq_in(frame.thread_id, frame.message_id)
        seq = message_seq if seq is None else max(seq, message_seq)
    if seq is None:
        raise Refusal(ErrorCode.BAD_FRAME, "give messageId or seq")
    if principal.dev:
        _open_thread(session, frame.thread_id)
    return seq


def _check_place(frame: EditMessage | DeleteMessage | React) -> None:
    _seq_in(frame.thread_id, frame.message_id)


def _seq_in(thread_id: ThreadId, message_id: MessageId) -> int:
    named_thread, seq = split_message_id(message_id)
    if named_thread != thread_id:
        raise Refusal(ErrorCode.BAD_FRAME, "messageId: the message is not of this thread")
    return seq


def _submit(
    session: Session,
    command: type[ReviseMessage | RemoveMessage | SetReaction | MarkUnread],
    frame: EditMessage | DeleteMessage | React | SendMarkUnread,
    **fields: Any,
) -> None:
    """Queue the command of a frame that changes what is there: in development mode too, nothing is created for it."""
    principal = session.speaker
    made: Command = command(
        id=session.next_command_id(),
        thread_id=frame.thread_id,
        user_id=principal.user_id,
        user_type=principal.user_type,
        gateway=session.gateway_id,
        ref=frame.ref,
        **fields,
    )
    session.submit(encoded(made), frame)


def _open_thread(session: Session, thread_id: ThreadId) -> None:
    if session.dev_threads is None:
        session.dev_threads = set()
    if thread_id not in session.dev_threads:
        session.effects.post(_create(session, thread_id, None))
        session.dev_threads.add(thread_id)


def _create(session: Session, thread_id: ThreadId, gateway: GatewayId | None) -> EncodedCommand:
    principal = session.speaker
    return encoded(
        CreateThread(
            id=session.next_command_id(),
            thread_id=thread_id,
            user_id=principal.user_id,
            user_type=principal.user_type,
            gateway=gateway,
            open=True,
        )
    )
