"""Parameters of paths and queries: parsed once, by the rules of the contracts.

Promises: what reaches a route is an id or a number within its limits. A cursor is a position written as a decimal
number; lists that continue at a seq or rev take it in place of the parameter that started them.
"""

from typing import Annotated

from fastapi import Path, Query
from pydantic import StringConstraints

from chatterbus_contracts.ids import MessageId, ThreadId, UserId, type_of_id, type_of_message_id
from chatterbus_contracts.limits import CHANGES_PAGE_MAX, HISTORY_PAGE_MAX, MEMBERS_PAGE_MAX, THREADS_PAGE_MAX
from chatterbus_contracts.text import NO_NUL, Emoji

POSITION_MAX = 2**53 - 1
CURSOR_MAX_CHARS = 512

ThreadIdPath = Annotated[ThreadId, type_of_id, Path(alias="threadId", examples=["order-4711"])]
MessageIdPath = Annotated[MessageId, type_of_message_id, Path(alias="messageId", examples=["order-4711~7"])]
EmojiPath = Annotated[Emoji, Path(description="one emoji, percent-encoded", examples=["👍"])]
UserIdPath = Annotated[UserId, type_of_id, Path(alias="userId", examples=["alice"])]
UserTypePath = Annotated[str, type_of_id, Path(alias="userType", examples=["user"])]

BeforeSeq = Annotated[
    int | None, Query(alias="beforeSeq", ge=0, le=POSITION_MAX, description="the newest messages before this one")
]
AfterSeq = Annotated[
    int | None, Query(alias="afterSeq", ge=0, le=POSITION_MAX, description="the oldest messages after this one")
]
SinceRev = Annotated[
    int, Query(alias="sinceRev", ge=0, le=POSITION_MAX, description="the rev that the caller's copy has")
]
PositionCursor = Annotated[
    int | None,
    Query(ge=0, le=POSITION_MAX, description="`nextCursor` of the page before, the other parameters unchanged"),
]
OpaqueCursor = Annotated[
    str | None,
    StringConstraints(pattern=NO_NUL, max_length=CURSOR_MAX_CHARS),
    Query(description="`nextCursor` of the page before"),
]
MemberCursor = Annotated[
    UserId | None, type_of_id, Query(description="`nextCursor` of the page before, or `membersCursor`")
]
Archived = Annotated[bool, Query(description="the threads the caller has archived, instead of the others")]
HistoryLimit = Annotated[int, Query(ge=1, le=HISTORY_PAGE_MAX)]
ChangesLimit = Annotated[int, Query(ge=1, le=CHANGES_PAGE_MAX)]
MembersLimit = Annotated[int, Query(ge=1, le=MEMBERS_PAGE_MAX)]
ThreadsLimit = Annotated[int, Query(ge=1, le=THREADS_PAGE_MAX)]
