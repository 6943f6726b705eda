"""Storing messages once, editing them, taking them away.

A changed message is a new row object: the events of a batch keep the one they told of.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from chatterbus_contracts.commands import RegisterAttachment, RemoveMessage, ReviseMessage, StoreMessage
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import AttachmentId, MessageId, UserId, split_message_id
from chatterbus_contracts.states import Role
from chatterbus_contracts.text import check_content
from chatterbus_persister.ledger.outcome import MessageChanged, MessageStored, Outcome
from chatterbus_persister.ledger.rows import (
    READ,
    AttachmentRow,
    CursorStep,
    MemberRow,
    MessageRow,
    RevisionRow,
    ThreadRow,
)
from chatterbus_persister.ledger.rules import living_message_in, member_of, message_in, require_writer
from chatterbus_persister.ledger.working_set import WorkingSet

# Uploads that were never attached are collected after a day; an hour before that nobody may attach them any more.
ATTACHABLE_FOR: Final = timedelta(hours=23)


def store_message(rows: WorkingSet, command: StoreMessage, at: datetime) -> Outcome:
    """Store a message once per (thread, sender, clientMessageId); again, it answers with what is stored."""
    thread, member = member_of(rows, command.thread_id, command.user_id)
    stored = rows.sends.get((command.thread_id, command.user_id, command.client_message_id))
    if stored is not None:
        return Outcome(command, message=stored)
    require_writer(member)
    reply_to_seq = _reply_target(thread, command.reply_to_id)
    files = [_attachable(rows, command, attachment_id, at) for attachment_id in command.attachment_ids]
    thread.last_seq += 1
    thread.last_message_at = at
    rev = rows.next_rev(thread)
    row = MessageRow(
        command.thread_id,
        thread.last_seq,
        rev,
        command.user_id,
        command.user_type,
        command.client_message_id,
        command.message_type,
        command.content,
        reply_to_seq,
        command.mentions,
        command.metadata,
        at,
        created_rev=rev,
    )
    rows.add_message(row)
    if files:
        _attach(rows, row, files)
    own = None if member.marked_unread_seq is None else member  # the event does not say that the mark is gone
    _read_own(rows, member, row, at)
    return Outcome(command, [MessageStored(row)], message=row, own=own)


def _read_own(rows: WorkingSet, member: MemberRow, row: MessageRow, at: datetime) -> None:
    if member.shown_read_seq < row.seq - 1:
        # Answering is reading what came before; one's own message needs no receipt.
        rows.add_step(CursorStep(row.thread_id, member.user_id, READ, row.seq, at))
    member.read_seq = member.shown_read_seq = member.delivered_seq = row.seq
    member.read_at = member.delivered_at = at
    member.read_rev = member.delivered_rev = member.rev = row.rev
    member.marked_unread_seq = None
    rows.touch_member(member)


def _reply_target(thread: ThreadRow, target: MessageId | None) -> int | None:
    # Messages are gapless and never vanish, so a target exists exactly when its number was given out.
    if target is None:
        return None
    thread_id, seq = split_message_id(target)
    if thread_id != thread.thread_id or seq > thread.last_seq:
        raise Refusal(ErrorCode.REPLY_TARGET_NOT_FOUND, "replyToId names no message of this thread")
    return seq


def register_attachment(rows: WorkingSet, command: RegisterAttachment, at: datetime) -> Outcome:
    """Remember an uploaded file, so that its uploader can attach it."""
    _, member = member_of(rows, command.thread_id, command.user_id)
    require_writer(member)
    if (command.thread_id, command.attachment_id) not in rows.attachments:
        rows.add_attachment(
            AttachmentRow(
                command.thread_id,
                command.attachment_id,
                command.user_id,
                command.name,
                command.content_type,
                command.size_bytes,
                command.width,
                command.height,
                command.thumbnail,
                at,
            )
        )
    return Outcome(command)


def _attachable(rows: WorkingSet, command: StoreMessage, attachment_id: AttachmentId, at: datetime) -> AttachmentRow:
    file = rows.attachments.get((command.thread_id, attachment_id))
    if (
        file is None
        or file.owner_id != command.user_id
        or file.seq is not None
        or file.removed_at is not None
        or at - file.created_at > ATTACHABLE_FOR
        or command.attachment_ids.count(attachment_id) > 1
    ):
        raise Refusal(ErrorCode.ATTACHMENT_NOT_FOUND, "attachmentIds names no file that can be attached here")
    return file


def _attach(rows: WorkingSet, row: MessageRow, files: list[AttachmentRow]) -> None:
    row.attachments = [_description(file) for file in files]
    rows.touch_message(row)
    for file in files:
        file.seq = row.seq
        rows.touch_attachment(file)


def _description(file: AttachmentRow) -> dict[str, Any]:
    return {
        "id": file.attachment_id,
        "name": file.name,
        "contentType": file.content_type,
        "sizeBytes": file.size_bytes,
        "width": file.width,
        "height": file.height,
        "thumbnail": file.thumbnail,
    }


def revise_message(rows: WorkingSet, command: ReviseMessage, at: datetime) -> Outcome:
    """New content for one's own message, or as an owner where the policy allows it. The old text is kept."""
    thread, member = member_of(rows, command.thread_id, command.user_id)
    require_writer(member)
    message = living_message_in(rows, thread, command.message_id)
    _require_author(message, member, or_owner=rows.policy.owners_may_edit)
    check_content(command.content, has_attachments=bool(message.attachments))
    if command.content == message.content:
        return Outcome(command, rev=message.rev)
    rows.add_revision(
        RevisionRow(message.thread_id, message.seq, message.revisions + 1, message.content, command.user_id, at)
    )
    changed = replace(
        message,
        content=command.content,
        edited_at=at,
        revisions=message.revisions + 1,
        rev=rows.next_rev(thread),
    )
    rows.touch_message(changed)
    return Outcome(command, [MessageChanged(changed)], rev=changed.rev)


def remove_message(rows: WorkingSet, command: RemoveMessage, at: datetime) -> Outcome:
    """Leave a tombstone: seq, sender and times stay, everything said is gone. Deleting again is no change."""
    thread, member = member_of(rows, command.thread_id, command.user_id)
    require_writer(member)
    message = message_in(rows, thread, command.message_id)
    _require_author(message, member, or_owner=True)
    if message.deleted_at is not None:
        return Outcome(command, rev=message.rev)
    tombstone = replace(
        message,
        content="",
        mentions=[],
        metadata=None,
        reactions=None,
        attachments=None,
        revisions=0,
        deleted_at=at,
        rev=rows.next_rev(thread),
    )
    rows.touch_message(tombstone)
    rows.empty_message(tombstone)
    return Outcome(command, [MessageChanged(tombstone)], rev=tombstone.rev)


def _require_author(message: MessageRow, member: MemberRow, *, or_owner: bool) -> None:
    own: UserId = message.sender_id
    if own != member.user_id and not (or_owner and member.role is Role.OWNER):
        raise Refusal(ErrorCode.FORBIDDEN, "this is somebody else's message")
