"""What replies quote. Pure.

A quote comes with a page of history and not with live events, and the quoted message may change afterwards. Promises: a
state is kept without its quote and shown with a true one, made of the quoted message's newest state where that is
known; what was deleted or edited away is not shown again by an older page. Bounded by `maximum` quoted messages.
"""

from collections.abc import Mapping
from typing import Final

from chatterbus_contracts.ids import InvalidId, MessageId, split_message_id
from chatterbus_contracts.states import MessageState, Quote

QUOTE_MAX_CHARS: Final = 200  # as much as the server quotes


class Quotes:
    """The quotes of one thread, by the seq of the quoted message."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._quotes: dict[int, Quote] = {}
        self._true: set[int] = set()  # made of the message itself; no page of history knows better

    def taken_from(self, state: MessageState) -> MessageState:
        """The state without its quote, which is kept here."""
        if state.reply_to is None:
            return state
        seq = seq_of(state.reply_to.id)
        if seq not in self._true:
            self._keep(seq, state.reply_to)
        return state.model_copy(update={"reply_to": None})

    def changed(self, state: MessageState) -> None:
        """A message is like this now."""
        if state.seq in self._quotes:
            self._true.add(state.seq)
            self._keep(state.seq, quote_of(state))

    def given_to(self, state: MessageState, known: Mapping[int, MessageState]) -> MessageState:
        """The state as the server's history shows it."""
        if state.reply_to_id is None:
            return state
        seq = seq_of(state.reply_to_id)
        target = known.get(seq)
        quote = quote_of(target) if target is not None else self._quotes.get(seq)
        return state if quote is None else state.model_copy(update={"reply_to": quote})

    def clear(self) -> None:
        """Another store: nothing of this is true there."""
        self._quotes.clear()
        self._true.clear()

    def _keep(self, seq: int, quote: Quote) -> None:
        self._quotes.pop(seq, None)
        self._quotes[seq] = quote
        if len(self._quotes) > self._maximum:
            oldest = next(iter(self._quotes))
            del self._quotes[oldest]
            self._true.discard(oldest)


def quote_of(state: MessageState) -> Quote:
    """A message as a reply to it shows it."""
    return Quote(id=state.id, sender_id=state.sender_id, content=state.content[:QUOTE_MAX_CHARS], deleted=state.deleted)


def seq_of(message_id: MessageId | str) -> int:
    """The number of a message of which the id is known to be one; 0 if it is none."""
    try:
        return split_message_id(message_id)[1]
    except InvalidId:
        return 0
