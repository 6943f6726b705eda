"""Rows to statement parameters and back: the shapes of `statements`, in one place.

Promises: a row read back equals the row that was written. Pure.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from chatterbus_contracts.codec import encode_json
from chatterbus_contracts.states import MessageType, Role
from chatterbus_persister.arrays import bool_array, int_array, text_array
from chatterbus_persister.ledger.rows import AttachmentRow, CursorStep, MemberRow, MessageRow, RevisionRow, ThreadRow
from chatterbus_persister.ledger.working_set import Keys, MessageKey, WorkingSet

Parameters = dict[str, Any]


def member_row(row: tuple[object, ...]) -> MemberRow:
    """A row of LOAD_MEMBERS."""
    member = MemberRow(*row)  # type: ignore[arg-type]
    member.role = Role(member.role)
    return member


def message_row(row: tuple[object, ...]) -> MessageRow:
    """A row of MESSAGE_COLUMNS."""
    message = MessageRow(*row)  # type: ignore[arg-type]
    message.message_type = MessageType(message.message_type)
    message.mentions = message.mentions or []
    return message


def _json(value: object) -> str | None:
    return None if value is None else encode_json(value).decode()


def _times(values: Iterable[datetime | None]) -> str:
    return text_array(None if value is None else value.isoformat() for value in values)


def thread_keys(keys: Keys) -> Parameters:
    """Parameters of LOAD_THREADS."""
    return {"threads": text_array(keys.threads)}


def member_keys(keys: Keys) -> Parameters:
    """Parameters of LOAD_MEMBERS."""
    return {
        "threads": text_array(thread for thread, _ in keys.members),
        "users": text_array(user for _, user in keys.members),
    }


def send_keys(keys: Keys) -> Parameters:
    """Parameters of LOAD_SENDS."""
    return {
        "threads": text_array(thread for thread, _, _ in keys.sends),
        "users": text_array(user for _, user, _ in keys.sends),
        "ids": text_array(client_message_id for _, _, client_message_id in keys.sends),
    }


def message_keys(keys: Keys) -> Parameters:
    """Parameters of LOAD_MESSAGES."""
    return {
        "threads": text_array(thread for thread, _ in keys.messages),
        "seqs": int_array(seq for _, seq in keys.messages),
    }


def attachment_keys(keys: Keys) -> Parameters:
    """Parameters of LOAD_ATTACHMENTS."""
    return {
        "threads": text_array(thread for thread, _ in keys.attachments),
        "ids": text_array(attachment_id for _, attachment_id in keys.attachments),
    }


def owner_keys(keys: Keys) -> Parameters:
    """Parameters of LOAD_OWNERS."""
    return {"threads": text_array(keys.owners)}


def take_messages(rows: WorkingSet, found: Sequence[tuple[Any, ...]]) -> None:
    """Put the rows of LOAD_MESSAGES into the working set."""
    rows.messages = {(row[0], row[1]): message_row(row) for row in found}


def take_attachments(rows: WorkingSet, found: Sequence[tuple[Any, ...]]) -> None:
    """Put the rows of LOAD_ATTACHMENTS into the working set."""
    rows.attachments = {(row[0], row[1]): AttachmentRow(*row) for row in found}


def take_threads(rows: WorkingSet, found: Sequence[tuple[Any, ...]]) -> None:
    """Put the rows of LOAD_THREADS into the working set."""
    rows.threads = {row[0]: ThreadRow(*row) for row in found}


def take_members(rows: WorkingSet, found: Sequence[tuple[Any, ...]]) -> None:
    """Put the rows of LOAD_MEMBERS or LOAD_OWNERS into the working set."""
    for row in found:
        rows.members.setdefault((row[0], row[1]), member_row(row))


def take_sends(rows: WorkingSet, found: Sequence[tuple[Any, ...]]) -> None:
    """Put the rows of LOAD_SENDS into the working set."""
    rows.sends = {(row[0], row[3], row[5]): message_row(row) for row in found}


def thread_columns(rows: Collection[ThreadRow], at: datetime) -> Parameters:
    """Parameters of INSERT_THREADS."""
    return {
        "at": at,
        "ids": text_array([row.thread_id for row in rows]),
        "titles": text_array([row.title for row in rows]),
        "metadata": text_array(_json(row.metadata) for row in rows),
        "counts": int_array([row.member_count for row in rows]),
        "open": bool_array([row.open for row in rows]),
        "creators": text_array([row.created_by for row in rows]),
        "seqs": int_array([row.last_seq for row in rows]),
        "last_revs": int_array([row.last_rev for row in rows]),
        "revs": int_array([row.rev for row in rows]),
    }


def member_columns(rows: Collection[MemberRow]) -> Parameters:
    """Parameters of INSERT_MEMBERS, and those of APPLY_BATCH that move members."""
    return {
        "threads": text_array([row.thread_id for row in rows]),
        "users": text_array([row.user_id for row in rows]),
        "types": text_array([row.user_type for row in rows]),
        "roles": text_array([row.role for row in rows]),
        "joined": _times([row.joined_at for row in rows]),
        "removed": _times([row.removed_at for row in rows]),
        "delivered_seqs": int_array([row.delivered_seq for row in rows]),
        "delivered_revs": int_array([row.delivered_rev for row in rows]),
        "delivered_ats": _times([row.delivered_at for row in rows]),
        "read_seqs": int_array([row.read_seq for row in rows]),
        "read_revs": int_array([row.read_rev for row in rows]),
        "read_ats": _times([row.read_at for row in rows]),
        "membership_revs": int_array([row.membership_rev for row in rows]),
        "revs": int_array([row.rev for row in rows]),
        "shown": int_array([row.shown_read_seq for row in rows]),
        "archived": int_array([row.archived_seq for row in rows]),
        "muted": bool_array([row.muted for row in rows]),
        "show": bool_array([row.show_receipts for row in rows]),
        "marked": int_array([row.marked_unread_seq for row in rows]),
    }


def message_columns(rows: Collection[MessageRow]) -> Parameters:
    """Those parameters of APPLY_BATCH that insert messages."""
    return {
        "m_threads": text_array([row.thread_id for row in rows]),
        "m_seqs": int_array([row.seq for row in rows]),
        "m_revs": int_array([row.rev for row in rows]),
        "m_senders": text_array([row.sender_id for row in rows]),
        "m_types": text_array([row.sender_type for row in rows]),
        "m_ids": text_array([row.client_message_id for row in rows]),
        "m_kinds": text_array([row.message_type for row in rows]),
        "m_contents": text_array([row.content for row in rows]),
        "m_replies": int_array([row.reply_to_seq for row in rows]),
        "m_mentions": text_array(text_array(row.mentions) if row.mentions else None for row in rows),
        "m_metadata": text_array(_json(row.metadata) for row in rows),
    }


def changed_message_columns(rows: Collection[MessageRow]) -> Parameters:
    """Parameters of UPDATE_MESSAGES."""
    return {
        "threads": text_array([row.thread_id for row in rows]),
        "seqs": int_array([row.seq for row in rows]),
        "revs": int_array([row.rev for row in rows]),
        "contents": text_array([row.content for row in rows]),
        "mentions": text_array(text_array(row.mentions) if row.mentions else None for row in rows),
        "metadata": text_array(_json(row.metadata) for row in rows),
        "edited": _times([row.edited_at for row in rows]),
        "deleted": _times([row.deleted_at for row in rows]),
        "reactions": text_array(_json(row.reactions) for row in rows),
        "attachments": text_array(_json(row.attachments) for row in rows),
        "revisions": int_array([row.revisions for row in rows]),
    }


def revision_columns(rows: Collection[RevisionRow], at: datetime) -> Parameters:
    """Parameters of INSERT_REVISIONS."""
    return {
        "at": at,
        "threads": text_array([row.thread_id for row in rows]),
        "seqs": int_array([row.seq for row in rows]),
        "revisions": int_array([row.revision for row in rows]),
        "contents": text_array([row.content for row in rows]),
        "editors": text_array([row.edited_by for row in rows]),
    }


def attachment_columns(rows: Collection[AttachmentRow], at: datetime) -> Parameters:
    """Parameters of INSERT_ATTACHMENTS, and of ATTACH."""
    return {
        "at": at,
        "threads": text_array([row.thread_id for row in rows]),
        "ids": text_array([row.attachment_id for row in rows]),
        "owners": text_array([row.owner_id for row in rows]),
        "names": text_array([row.name for row in rows]),
        "types": text_array([row.content_type for row in rows]),
        "sizes": int_array([row.size_bytes for row in rows]),
        "widths": int_array([row.width for row in rows]),
        "heights": int_array([row.height for row in rows]),
        "thumbnails": bool_array([row.thumbnail for row in rows]),
        "seqs": int_array([row.seq for row in rows]),
    }


def place_columns(places: Collection[MessageKey], at: datetime) -> Parameters:
    """Parameters of FORGET_REVISIONS and RELEASE_ATTACHMENTS."""
    return {
        "at": at,
        "threads": text_array(thread_id for thread_id, _ in places),
        "seqs": int_array(seq for _, seq in places),
    }


def step_columns(steps: Collection[CursorStep]) -> Parameters:
    """Those parameters of APPLY_BATCH that note where cursors came to stand."""
    return {
        "c_threads": text_array([step.thread_id for step in steps]),
        "c_users": text_array([step.user_id for step in steps]),
        "c_kinds": int_array([step.kind for step in steps]),
        "c_seqs": int_array([step.seq for step in steps]),
    }
