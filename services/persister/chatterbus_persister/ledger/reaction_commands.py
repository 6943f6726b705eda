"""Emoji under messages: each user each emoji once, in the order in which they came."""

from dataclasses import replace
from datetime import datetime

from chatterbus_contracts.commands import SetReaction
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.limits import EMOJIS_MAX, REACTIONS_MAX
from chatterbus_persister.ledger.outcome import MessageChanged, Outcome
from chatterbus_persister.ledger.rows import Reactions
from chatterbus_persister.ledger.rules import living_message_in, member_of, require_writer
from chatterbus_persister.ledger.working_set import WorkingSet


def set_reaction(rows: WorkingSet, command: SetReaction, _at: datetime) -> Outcome:
    """Put the caller's emoji under the message, or take it away. What is so already is no change."""
    thread, member = member_of(rows, command.thread_id, command.user_id)
    require_writer(member)
    message = living_message_in(rows, thread, command.message_id)
    reactions = message.reactions or {}
    if (command.user_id in reactions.get(command.emoji, ())) == command.on:
        return Outcome(command, rev=message.rev)
    if command.on:
        _require_room(reactions, command.emoji)
    change = _with if command.on else _without
    changed = replace(message, reactions=change(reactions, command.emoji, command.user_id), rev=rows.next_rev(thread))
    rows.touch_message(changed)
    return Outcome(command, [MessageChanged(changed)], rev=changed.rev)


def _require_room(reactions: Reactions, emoji: str) -> None:
    kinds = len(reactions) + (emoji not in reactions)
    if kinds > EMOJIS_MAX or sum(len(users) for users in reactions.values()) >= REACTIONS_MAX:
        raise Refusal(ErrorCode.TOO_MANY_REACTIONS, "the message has its maximum of reactions")


def _with(reactions: Reactions, emoji: str, user_id: UserId) -> Reactions | None:
    return {**reactions, emoji: [*reactions.get(emoji, ()), user_id]}


def _without(reactions: Reactions, emoji: str, user_id: UserId) -> Reactions | None:
    left = {key: [user for user in users if key != emoji or user != user_id] for key, users in reactions.items()}
    return {key: users for key, users in left.items() if users} or None
