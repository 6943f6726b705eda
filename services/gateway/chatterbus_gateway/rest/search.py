"""Search over the caller's threads."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Response
from pydantic import StringConstraints

from chatterbus_contracts.ids import ThreadId, type_of_id
from chatterbus_contracts.limits import SEARCH_MAX_CHARS, SEARCH_PAGE_MAX
from chatterbus_contracts.queries import AskSearch, SearchPage
from chatterbus_contracts.text import NO_NUL
from chatterbus_gateway.rest.answers import passed_on
from chatterbus_gateway.rest.backend import UsedBackend
from chatterbus_gateway.rest.identity import Caller
from chatterbus_gateway.rest.openapi import THREAD, problems
from chatterbus_gateway.rest.parameters import OpaqueCursor

router: Final = APIRouter(prefix="/api/chat", tags=["search"])

SearchText = Annotated[
    str,
    StringConstraints(pattern=NO_NUL, min_length=1, max_length=SEARCH_MAX_CHARS),
    Query(
        description='words, `"a phrase"`, `this or that`, `-not this`; a last word without a space after it also '
        "matches as a beginning",
        examples=["oak tab", '"oak table" -chair'],
    ),
]
InThread = Annotated[
    ThreadId | None, type_of_id, Query(alias="threadId", description="only there", examples=["order-4711"])
]
Order = Annotated[Literal["newest", "rank"], Query(description="`rank`: the best first, of the 300 newest that match")]
SearchLimit = Annotated[int, Query(ge=1, le=SEARCH_PAGE_MAX)]

EXAMPLE: Final[dict[str, Any]] = {
    "items": [
        {
            "message": {
                "id": "order-4711~7",
                "threadId": "order-4711",
                "seq": 7,
                "rev": 12,
                "senderId": "alice",
                "senderType": "client",
                "clientMessageId": "a-7f3c",
                "content": "When will the oak table be ready?",
                "messageType": "text",
                "edited": False,
                "editedAt": None,
                "deleted": False,
                "deletedAt": None,
                "replyToId": None,
                "createdAt": "2026-01-31T12:00:00.000Z",
                "updatedAt": "2026-01-31T12:00:00.000Z",
                "attachments": [],
                "mentions": [],
                "metadata": None,
                "reactions": [],
            },
            "snippet": "When will the \u0001oak\u0002 \u0001table\u0002 be ready?",
        }
    ],
    "nextCursor": None,
}


@router.get(
    "/search",
    operation_id="searchMessages",
    summary="Full text over the caller's threads",
    response_model=SearchPage,
    responses={
        200: {
            "description": "Messages that match, as they are now.",
            "content": {"application/json": {"examples": {"found": {"value": EXAMPLE}}}},
        },
        **problems(*THREAD),
    },
)
async def search_messages(
    q: SearchText,
    caller: Caller,
    backend: UsedBackend,
    thread_id: InThread = None,
    order: Order = "newest",
    cursor: OpaqueCursor = None,
    limit: SearchLimit = 20,
) -> Response:
    """Threads that the caller is a member of now. What was deleted or edited away is not found; what was just said is
    found within a moment. `snippet` has matches between U+0001 and U+0002. A text without a word in it finds nothing.
    """
    question = AskSearch(user_id=caller.user_id, text=q, thread_id=thread_id, order=order, cursor=cursor, limit=limit)
    return passed_on(await backend.read("search", question))
