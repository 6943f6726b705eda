"""One handler per command: check everything, then change the rows.

Promises: `HANDLERS` has exactly one entry per command of the contracts; a handler that refuses has changed nothing; a
command applied again changes nothing and answers the same. Every public change takes the thread's next rev; a message
also takes its next seq. A sender has read what he sends: his cursor moves with the message, under the message's rev.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from chatterbus_contracts.commands import (
    AddMember,
    ChangeOwnState,
    Command,
    CreateThread,
    MarkUnread,
    MoveCursor,
    RegisterAttachment,
    RemoveMember,
    RemoveMessage,
    ReviseMessage,
    SetReaction,
    StoreMessage,
    UpdateThread,
)
from chatterbus_contracts.errors import Refusal
from chatterbus_persister.ledger.cursor_commands import change_own_state, mark_unread, move_cursor
from chatterbus_persister.ledger.message_commands import (
    register_attachment,
    remove_message,
    revise_message,
    store_message,
)
from chatterbus_persister.ledger.outcome import Outcome
from chatterbus_persister.ledger.reaction_commands import set_reaction
from chatterbus_persister.ledger.thread_commands import add_member, create_thread, remove_member, update_thread
from chatterbus_persister.ledger.working_set import WorkingSet

Handler = Callable[[WorkingSet, Any, datetime], Outcome]

HANDLERS: Final[dict[type[Command], Handler]] = {
    CreateThread: create_thread,
    UpdateThread: update_thread,
    AddMember: add_member,
    RemoveMember: remove_member,
    StoreMessage: store_message,
    ReviseMessage: revise_message,
    RemoveMessage: remove_message,
    SetReaction: set_reaction,
    MoveCursor: move_cursor,
    MarkUnread: mark_unread,
    ChangeOwnState: change_own_state,
    RegisterAttachment: register_attachment,
}


def apply_command(rows: WorkingSet, command: Command, at: datetime) -> Outcome:
    """Apply one command to the rows; a refusal becomes the outcome's answer."""
    try:
        return HANDLERS[type(command)](rows, command, at)
    except Refusal as refusal:
        return Outcome(command, refusal=refusal)
