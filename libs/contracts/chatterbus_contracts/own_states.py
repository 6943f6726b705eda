"""What a thread is to one member alone, when it changes without an event of the thread.

Muting, marking as unread and private reading have no rev (docs/adr/0014), so followers hear nothing of them; the
notifier must. Promises: after a batch in which such a state changed, a line for it is announced on
`chat.own.<partition>` as reliably as events are. Values are those after the batch. Nothing orders a line against the
thread's events: `readSeq` only ever grows, and who needs the rest for sure asks the store again.
"""

from typing import Final

from pydantic import TypeAdapter

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.ids import ThreadIdField, UserIdField
from chatterbus_contracts.states import Seq


class OwnStateChanged(Wire):
    """One member's own state after the batch."""

    thread_id: ThreadIdField
    user_id: UserIdField
    read_seq: Seq
    marked_unread_seq: Seq | None
    muted: bool


OWN_STATE_CHANGED: Final = TypeAdapter(OwnStateChanged)
