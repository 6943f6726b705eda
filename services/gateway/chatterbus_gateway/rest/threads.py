"""Threads: create, read, change, and what changed."""

from typing import Final
from uuid import uuid4

from fastapi import APIRouter, Response

from chatterbus_contracts.commands import CreateThread, UpdateThread
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import ThreadId
from chatterbus_contracts.queries import AskChanges, AskThread, ChangesPage
from chatterbus_contracts.rest import CreateThreadBody, UpdateThreadBody
from chatterbus_contracts.states import ThreadDetail
from chatterbus_gateway.rest.answers import passed_on
from chatterbus_gateway.rest.backend import UsedBackend, new_command_id
from chatterbus_gateway.rest.identity import Caller
from chatterbus_gateway.rest.openapi import THREAD, WRITE, problems
from chatterbus_gateway.rest.parameters import ChangesLimit, PositionCursor, SinceRev, ThreadIdPath

router: Final = APIRouter(prefix="/api/chat/threads", tags=["threads"])


@router.post(
    "",
    operation_id="createThread",
    summary="Create a thread",
    status_code=201,
    response_model=ThreadDetail,
    responses=problems(*THREAD, *WRITE),
)
async def create_thread(body: CreateThreadBody, caller: Caller, backend: UsedBackend) -> Response:
    """The caller becomes its owner. The same `id` again answers with the thread as it is, to its members."""
    thread_id = body.id if body.id is not None else ThreadId(uuid4().hex)
    await backend.apply(
        CreateThread(
            id=new_command_id(),
            thread_id=thread_id,
            user_id=caller.user_id,
            user_type=caller.user_type,
            gateway=backend.gateway_id,
            title=body.title,
            metadata=body.metadata,
            members=body.members,
        )
    )
    state = await backend.read_back(
        "thread",
        AskThread(thread_id=thread_id, user_id=caller.user_id),
        otherwise=f"the thread {thread_id} is there, and cannot be shown at the moment",
    )
    return passed_on(state, 201, location=f"{router.prefix}/{thread_id}")


@router.get(
    "/{threadId}",
    operation_id="getThread",
    summary="A thread with its members and their cursors",
    response_model=ThreadDetail,
    responses=problems(*THREAD),
)
async def get_thread(thread_id: ThreadIdPath, caller: Caller, backend: UsedBackend) -> Response:
    """For members of the thread."""
    question = AskThread(thread_id=thread_id, user_id=caller.user_id)
    return passed_on(await backend.read_thread(caller, thread_id, "thread", question))


@router.patch(
    "/{threadId}",
    operation_id="updateThread",
    summary="Set the title, the metadata or both",
    response_model=ThreadDetail,
    responses=problems(*THREAD, *WRITE),
)
async def update_thread(
    thread_id: ThreadIdPath, body: UpdateThreadBody, caller: Caller, backend: UsedBackend
) -> Response:
    """For owners of the thread. What is present is set, `null` clears, what is absent stays."""
    fields = sorted(body.model_fields_set)
    if not fields:
        raise Refusal(ErrorCode.BAD_REQUEST, "give title or metadata")
    await backend.change(caller, thread_id, UpdateThread, fields=fields, title=body.title, metadata=body.metadata)
    return passed_on(await backend.read_back("thread", AskThread(thread_id=thread_id, user_id=caller.user_id)))


@router.get(
    "/{threadId}/changes",
    operation_id="listChanges",
    summary="What changed since a rev",
    response_model=ChangesPage,
    responses=problems(*THREAD),
)
async def list_changes(
    thread_id: ThreadIdPath,
    caller: Caller,
    backend: UsedBackend,
    since_rev: SinceRev = 0,
    limit: ChangesLimit = 200,
    cursor: PositionCursor = None,
) -> Response:
    """Current states in rev order. A copy that has everything through `sinceRev`, and applies them, is true through
    `throughRev`."""
    since = since_rev if cursor is None else cursor
    question = AskChanges(thread_id=thread_id, user_id=caller.user_id, since_rev=since, limit=limit)
    return passed_on(await backend.read_thread(caller, thread_id, "changes", question))
