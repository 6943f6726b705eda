"""Queries of the `store` service: what a gateway asks the persister (request and reply over NATS).

Promises: `QUERIES` names every query with the model of its question and of its answer; an answer is the JSON of that
model, or an error reply whose code is an ErrorCode. Pages are keyed by position, never by offset, and end early at
PAGE_MAX_BYTES. What the asking user may not see is answered like what does not exist.
"""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, SerializeAsAny, TypeAdapter

from chatterbus_contracts.codec import Wire
from chatterbus_contracts.frames.server import (
    DeliveredReceipt,
    MemberAdded,
    MemberRemoved,
    MessageCreated,
    MessageDeleted,
    MessageUpdated,
    ReadReceipt,
    ThreadUpdated,
)
from chatterbus_contracts.ids import AttachmentIdField, MessageIdField, ThreadIdField, UserIdField
from chatterbus_contracts.limits import (
    CHANGES_PAGE_MAX,
    CONTACTS_PAGE_MAX,
    HISTORY_PAGE_MAX,
    MEMBERS_PAGE_MAX,
    POSITIONS_PAGE_MAX,
    POSITIONS_USERS_MAX,
    PRESENCE_ASKED_MAX,
    REVS_ASKED_MAX,
    SEARCH_MAX_CHARS,
    SEARCH_PAGE_MAX,
    THREADS_PAGE_MAX,
)
from chatterbus_contracts.states import (
    AttachmentState,
    MemberState,
    MessagePreview,
    MessageReceipt,
    MessageRevision,
    MessageState,
    Rev,
    Seq,
    ThreadDetail,
    ThreadSummary,
    UnreadItem,
)
from chatterbus_contracts.text import Text

Change = Annotated[
    MessageCreated
    | MessageUpdated
    | MessageDeleted
    | ThreadUpdated
    | MemberAdded
    | MemberRemoved
    | ReadReceipt
    | DeliveredReceipt,
    Field(discriminator="type"),
]


class AskInfo(Wire):
    """Which store is this?"""


class Info(Wire):
    """`epoch` changes when the database was replaced; `partitions` is fixed at its creation."""

    epoch: str
    partitions: int


class AskThread(Wire):
    """One thread, as a member sees it."""

    thread_id: ThreadIdField
    user_id: UserIdField


class AskThreads(Wire):
    """A user's threads, newest activity first; archived ones apart."""

    user_id: UserIdField
    archived: bool = False
    cursor: Text | None = None
    limit: Annotated[int, Field(ge=1, le=THREADS_PAGE_MAX)] = 50


class ThreadsPage(Wire):
    """Threads and the cursor of the next page, None after the last."""

    items: list[ThreadSummary]
    next_cursor: str | None


class AskHistory(Wire):
    """Messages of a thread: the last ones, those before a seq (newest of them), or those after one (oldest)."""

    thread_id: ThreadIdField
    user_id: UserIdField
    before_seq: Seq | None = None
    after_seq: Seq | None = None
    limit: Annotated[int, Field(ge=1, le=HISTORY_PAGE_MAX)] = 50


class HistoryPage(Wire):
    """Messages in seq order. `nextCursor` is the seq to go on from in the asked direction, None at the end."""

    items: list[MessageState]
    next_cursor: str | None


class AskMessage(Wire):
    """One message, for a member of its thread."""

    message_id: MessageIdField
    user_id: UserIdField


class AskChanges(Wire):
    """What changed in a thread since a rev, as current states."""

    thread_id: ThreadIdField
    user_id: UserIdField
    since_rev: Rev
    limit: Annotated[int, Field(ge=1, le=CHANGES_PAGE_MAX)] = 200


class ChangesPage(Wire):
    """Changes in rev order. The page is complete through `throughRev`; revs that were superseded do not appear.
    `complete` says that `throughRev` is the thread's rev at the time of asking."""

    thread_id: ThreadIdField
    items: list[SerializeAsAny[Change]]
    through_rev: Rev
    rev: Rev
    complete: bool
    next_cursor: str | None


class AskSync(Wire):
    """Everything a subscription starts from, read in one snapshot. With `sinceRev`, the changes since then."""

    thread_id: ThreadIdField
    user_id: UserIdField
    since_rev: Rev | None = None
    limit: Annotated[int, Field(ge=1, le=CHANGES_PAGE_MAX)] = CHANGES_PAGE_MAX


class Sync(Wire):
    """Position, members, and the changes through `throughRev` (see Subscribed)."""

    thread_id: ThreadIdField
    rev: Rev
    through_rev: Rev
    last_seq: Seq
    members: list[MemberState]
    member_count: int | None = None
    members_cursor: str | None = None
    result: Literal["complete", "page", "reset"]
    reason: str | None
    changes: list[SerializeAsAny[Change]]


class AskMembership(Wire):
    """Is this user a member of the thread now? Answered by the MemberState, or THREAD_NOT_FOUND."""

    thread_id: ThreadIdField
    user_id: UserIdField


class AskUnread(Wire):
    """What has this user not read?"""

    user_id: UserIdField


class Unread(Wire):
    """Threads with something unread, and the total over those that are not muted."""

    items: list[UnreadItem]
    total_unread: int


class AskPositions(Wire):
    """Where these users stand in all their threads, or in one: what unread counts are made of."""

    user_ids: Annotated[list[UserIdField], Field(min_length=1, max_length=POSITIONS_USERS_MAX)]
    thread_id: ThreadIdField | None = None
    cursor: Text | None = None
    limit: Annotated[int, Field(ge=1, le=POSITIONS_PAGE_MAX)] = POSITIONS_PAGE_MAX


class Position(Wire):
    """One user in one thread. unread = lastSeq - min(readSeq, markedUnreadSeq - 1)."""

    user_id: UserIdField
    thread_id: ThreadIdField
    rev: Rev
    last_seq: Seq
    read_seq: Seq
    marked_unread_seq: Seq | None
    muted: bool
    mention_seqs: list[Seq] = Field(description="of unread, not deleted messages that mention the user, newest first")
    last_message: MessagePreview | None = Field(description="null when nothing is unread")


class Positions(Wire):
    """By user and thread; what is not named the user is no member of. The cursor of the next page, None at the end."""

    items: list[Position]
    next_cursor: str | None


class AskContacts(Wire):
    """Who shares a thread with this user, by user id, behind `after`?"""

    user_id: UserIdField
    after: UserIdField | None = None
    limit: Annotated[int, Field(ge=1, le=CONTACTS_PAGE_MAX)] = CONTACTS_PAGE_MAX


class Contacts(Wire):
    """User ids in order, and the one to go on behind, None at the end."""

    user_ids: list[UserIdField]
    next_cursor: str | None


class AskSharing(Wire):
    """Which of these users share a thread with this user?"""

    user_id: UserIdField
    others: Annotated[list[UserIdField], Field(max_length=PRESENCE_ASKED_MAX)]


class Sharing(Wire):
    """Those who do."""

    user_ids: list[UserIdField]


class AskRevs(Wire):
    """How far are these threads? Asked by gateways, for nobody in particular."""

    thread_ids: Annotated[list[ThreadIdField], Field(max_length=REVS_ASKED_MAX)]


class Revs(Wire):
    """The rev of each thread that is known, in no order."""

    items: list[tuple[ThreadIdField, Rev]]


class AskMissed(Wire):
    """Who has not read something in a thread for so long, and has not muted it?"""

    thread_id: ThreadIdField
    unread_for_s: Annotated[float, Field(ge=0)]
    after: UserIdField | None = None
    limit: Annotated[int, Field(ge=1, le=CONTACTS_PAGE_MAX)] = CONTACTS_PAGE_MAX


class MissedMember(Wire):
    """A member whose oldest unread message (deleted ones aside) is `unreadForS` old."""

    user_id: UserIdField
    user_type: str
    unread: int
    mentions: int
    first_unread_seq: Seq
    unread_for_s: float


class Missed(Wire):
    """By user id: those whose oldest unread message is old enough. `nextDueS`: in how many seconds another member's
    will be, None: nobody's, as things are. An unknown thread has no members."""

    title: str | None
    last_seq: Seq
    last_message: MessagePreview | None
    items: list[MissedMember]
    next_due_s: float | None
    next_cursor: str | None


class AskRevisions(Wire):
    """What a message said before, newest first."""

    message_id: MessageIdField
    user_id: UserIdField


class Revisions(Wire):
    """The latest revisions; empty for a message that was never edited, or was deleted."""

    items: list[MessageRevision]


class AskReceipts(Wire):
    """A thread's members with their cursors, by user id, behind `after`."""

    thread_id: ThreadIdField
    user_id: UserIdField
    after: UserIdField | None = None
    limit: Annotated[int, Field(ge=1, le=MEMBERS_PAGE_MAX)] = MEMBERS_PAGE_MAX


class Receipts(Wire):
    """Members with the two cursors, by user id. The cursor of the next page, None after the last."""

    thread_id: ThreadIdField
    items: list[MemberState]
    next_cursor: str | None = None


class AskMessageReceipts(Wire):
    """Who has a message, who read it, and when; by user id, behind `after`."""

    message_id: MessageIdField
    user_id: UserIdField
    after: UserIdField | None = None
    limit: Annotated[int, Field(ge=1, le=MEMBERS_PAGE_MAX)] = MEMBERS_PAGE_MAX


class MessageReceipts(Wire):
    """The members but the sender, by user id. The cursor of the next page, None after the last."""

    message_id: MessageIdField
    items: list[MessageReceipt]
    next_cursor: str | None = None


class AskAttachment(Wire):
    """A file, for a member of its thread (before it is attached: for its uploader)."""

    attachment_id: AttachmentIdField
    user_id: UserIdField


class AskSearch(Wire):
    """Messages that match, in the caller's threads (or in one of them)."""

    user_id: UserIdField
    text: Annotated[Text, Field(min_length=1, max_length=SEARCH_MAX_CHARS)]
    thread_id: ThreadIdField | None = None
    order: Literal["newest", "rank"] = "newest"
    cursor: Text | None = None
    limit: Annotated[int, Field(ge=1, le=SEARCH_PAGE_MAX)] = 20


class Found(Wire):
    """A message and why it was found: `snippet` is its text with matches between U+0001 and U+0002, so that a client
    can mark them without parsing markup."""

    message: MessageState
    snippet: str


class SearchPage(Wire):
    """Matches and the cursor of the next page, None after the last."""

    items: list[Found]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """One query of the store: the models of its question and answer."""

    ask: type[Wire]
    answer: type[Wire]

    @property
    def adapter(self) -> TypeAdapter[Wire]:
        """Decodes the question."""
        return TypeAdapter(self.ask)


QUERIES: Final[dict[str, Query]] = {
    "info": Query(AskInfo, Info),
    "thread": Query(AskThread, ThreadDetail),
    "threads": Query(AskThreads, ThreadsPage),
    "history": Query(AskHistory, HistoryPage),
    "message": Query(AskMessage, MessageState),
    "changes": Query(AskChanges, ChangesPage),
    "sync": Query(AskSync, Sync),
    "membership": Query(AskMembership, MemberState),
    "revisions": Query(AskRevisions, Revisions),
    "receipts": Query(AskReceipts, Receipts),
    "message_receipts": Query(AskMessageReceipts, MessageReceipts),
    "attachment": Query(AskAttachment, AttachmentState),
    "search": Query(AskSearch, SearchPage),
    "unread": Query(AskUnread, Unread),
    "positions": Query(AskPositions, Positions),
    "contacts": Query(AskContacts, Contacts),
    "sharing": Query(AskSharing, Sharing),
    "missed": Query(AskMissed, Missed),
    "revs": Query(AskRevs, Revs),
}
