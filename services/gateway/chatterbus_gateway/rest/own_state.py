"""What a thread is to the caller alone: archived, muted, receipts shown, marked unread.

Promises: each route answers with the caller's own state after the change. Nobody else is told, and the thread's rev
stays.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Body, Response

from chatterbus_contracts.codec import DecodeError, encode_json, parse_json
from chatterbus_contracts.commands import ChangeOwnState, MarkUnread
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.queries import AskThread
from chatterbus_contracts.rest import MarkUnreadBody, MuteBody, ReceiptsBody
from chatterbus_contracts.states import OwnState
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.rest.answers import passed_on
from chatterbus_gateway.rest.backend import READ_BACK_FAILED, Backend, UsedBackend
from chatterbus_gateway.rest.identity import Caller
from chatterbus_gateway.rest.openapi import MESSAGE, THREAD, WRITE, problems
from chatterbus_gateway.rest.parameters import ThreadIdPath

router: Final = APIRouter(prefix="/api/chat/threads", tags=["own"])

_PROBLEMS: Final = problems(*THREAD, *WRITE)


@router.post(
    "/{threadId}/archive",
    operation_id="archiveThread",
    summary="Put a thread aside",
    response_model=OwnState,
    responses=_PROBLEMS,
)
async def archive_thread(thread_id: ThreadIdPath, caller: Caller, backend: UsedBackend) -> Response:
    """It leaves the caller's list until somebody writes, or for good while it is muted."""
    return await _changed(backend, caller, thread_id, archived=True)


@router.post(
    "/{threadId}/unarchive",
    operation_id="unarchiveThread",
    summary="Take a thread back into the list",
    response_model=OwnState,
    responses=_PROBLEMS,
)
async def unarchive_thread(thread_id: ThreadIdPath, caller: Caller, backend: UsedBackend) -> Response:
    """Also when it is there already."""
    return await _changed(backend, caller, thread_id, archived=False)


@router.post(
    "/{threadId}/mute",
    operation_id="muteThread",
    summary="Mute a thread, or no longer",
    response_model=OwnState,
    responses=_PROBLEMS,
)
async def mute_thread(
    thread_id: ThreadIdPath,
    caller: Caller,
    backend: UsedBackend,
    body: Annotated[MuteBody | None, Body()] = None,
) -> Response:
    """A muted thread is left out of the total of unread messages, and stays archived when somebody writes."""
    return await _changed(backend, caller, thread_id, muted=(body or MuteBody()).muted)


@router.put(
    "/{threadId}/receipts",
    operation_id="showReceipts",
    summary="Show others how far one has read, or not",
    response_model=OwnState,
    responses=_PROBLEMS,
)
async def show_receipts(thread_id: ThreadIdPath, body: ReceiptsBody, caller: Caller, backend: UsedBackend) -> Response:
    """While they are not shown, reading clears what is unread and nobody is told."""
    return await _changed(backend, caller, thread_id, show_receipts=body.show)


@router.post(
    "/{threadId}/mark-unread",
    operation_id="markUnread",
    summary="Mark a thread unread from a message on",
    response_model=OwnState,
    responses=problems(*MESSAGE, *WRITE),
)
async def mark_unread(thread_id: ThreadIdPath, body: MarkUnreadBody, caller: Caller, backend: UsedBackend) -> Response:
    """The caller's own mark: no receipt moves back. Reading clears it."""
    await backend.change(caller, thread_id, MarkUnread, seq=body.seq)
    return await _own(backend, caller, thread_id)


async def _changed(backend: Backend, caller: Principal, thread_id: ThreadId, **fields: bool) -> Response:
    await backend.change(caller, thread_id, ChangeOwnState, **fields)
    return await _own(backend, caller, thread_id)


async def _own(backend: Backend, caller: Principal, thread_id: ThreadId) -> Response:
    thread = await backend.read_back("thread", AskThread(thread_id=thread_id, user_id=caller.user_id))
    try:
        return passed_on(encode_json(parse_json(thread)["own"]))
    except (DecodeError, KeyError, TypeError):
        raise Refusal(ErrorCode.INTERNAL, READ_BACK_FAILED) from None
