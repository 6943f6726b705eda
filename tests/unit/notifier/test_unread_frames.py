"""What is built by hand is what the models encode."""

from __future__ import annotations

from typing import Any

from chatterbus_contracts.codec import encode
from chatterbus_contracts.frames.server import UnreadNotice, UnreadSnapshot, decode_server_frame
from chatterbus_contracts.ids import ThreadId, UserId
from chatterbus_contracts.limits import PREVIEW_CHARS, UNREAD_SNAPSHOT_MAX
from chatterbus_notifier.unread.frames import farewell, preview_of, unread_notice, unread_snapshot
from chatterbus_notifier.unread.standing import Standing, Thread, User, settle

MESSAGE: dict[str, Any] = {
    "id": "t~7",
    "threadId": "t",
    "seq": 7,
    "rev": 9,
    "senderId": "bob",
    "senderType": "builder",
    "messageType": "text",
    "content": 'say "hi" 👋\n' + "x" * PREVIEW_CHARS,
    "attachments": [{}, {}],
    "deleted": False,
    "createdAt": "2026-01-31T12:00:00.000Z",
    "metadata": {"not": "shown"},
}


def standing_in(user: User, threads: dict[ThreadId, Thread], thread: Thread, **fields: Any) -> Standing:
    known: dict[str, Any] = {"read_seq": 3, "marked_unread_seq": None, "muted": False, "mentions": [6]}
    standing = Standing(**(known | fields))
    threads[thread.id] = thread
    user.standings[thread.id] = thread.members[user.id] = standing
    settle(user, thread, standing)
    return standing


def thread_at(name: str, last_seq: int, created_at: str = "2026-01-31T12:00:00.000Z") -> Thread:
    return Thread(ThreadId(name), 9, last_seq, preview_of(MESSAGE | {"createdAt": created_at}), 9)


def test_notices_are_what_the_model_encodes() -> None:
    user, thread = User(UserId("ann")), thread_at("t", 7)
    standing = standing_in(user, {}, thread)
    frame = unread_notice(user, thread, standing, 12)
    decoded = decode_server_frame(frame)
    assert isinstance(decoded, UnreadNotice)
    assert encode(decoded) == frame
    assert (decoded.unread, decoded.mentions, decoded.total_unread, decoded.version) == (4, 1, 4, 12)
    assert decoded.last_message is not None
    assert decoded.last_message.content == MESSAGE["content"][:PREVIEW_CHARS]
    assert decoded.last_message.attachments == 2


def test_what_is_read_shows_no_message_and_a_farewell_shows_nothing() -> None:
    user, thread = User(UserId("ann")), thread_at("t", 7)
    standing = standing_in(user, {}, thread, read_seq=7)
    assert b'"unread":0,"mentions":0,"muted":false,"lastMessage":null' in unread_notice(user, thread, standing, 1)
    gone = decode_server_frame(farewell(user, ThreadId("t"), 2))
    assert isinstance(gone, UnreadNotice)
    assert (gone.last_seq, gone.unread, gone.last_message) == (0, 0, None)


def test_a_mark_shows_as_unread_from_there_on() -> None:
    user, thread = User(UserId("ann")), thread_at("t", 7)
    standing = standing_in(user, {}, thread, read_seq=7, marked_unread_seq=2)
    frame = decode_server_frame(unread_notice(user, thread, standing, 1))
    assert isinstance(frame, UnreadNotice)
    assert (frame.read_seq, frame.unread) == (7, 6)


def test_a_snapshot_holds_the_newest_threads_and_counts_all() -> None:
    user, threads = User(UserId("ann")), dict[ThreadId, Thread]()
    for number in range(UNREAD_SNAPSHOT_MAX + 2):
        written = f"2026-01-31T12:{number // 60:02}:{number % 60:02}.000Z"
        standing_in(user, threads, thread_at(f"t{number}", 7, written), muted=number == 0)
    standing_in(user, threads, thread_at("read", 7, "2026-02-01T12:00:00.000Z"), read_seq=7)
    frame = unread_snapshot(user, threads, 5)
    decoded = decode_server_frame(frame)
    assert isinstance(decoded, UnreadSnapshot)
    assert encode(decoded) == frame
    assert [item.thread_id for item in decoded.items[:2]] == ["t201", "t200"]
    assert (len(decoded.items), decoded.more) == (UNREAD_SNAPSHOT_MAX, True)
    assert decoded.total_unread == 4 * (UNREAD_SNAPSHOT_MAX + 1)
    assert unread_snapshot(User(UserId("bob")), {}, 6) == (
        b'{"type":"unread_snapshot","items":[],"more":false,"totalUnread":0,"version":6}'
    )
