"""Members of a thread."""

import asyncio
from typing import Final

from fastapi import APIRouter, Response

from chatterbus_contracts.commands import AddMember
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.queries import AskThread
from chatterbus_contracts.rest import AddMembersBody
from chatterbus_contracts.states import ThreadState
from chatterbus_gateway.rest.answers import passed_on
from chatterbus_gateway.rest.backend import UsedBackend, new_command_id
from chatterbus_gateway.rest.identity import Caller
from chatterbus_gateway.rest.openapi import THREAD, WRITE, problems
from chatterbus_gateway.rest.parameters import ThreadIdPath

router: Final = APIRouter(prefix="/api/chat/threads", tags=["threads"])


@router.post(
    "/{threadId}/members",
    operation_id="addMembers",
    summary="Add members, or give them another role",
    response_model=ThreadState,
    responses=problems(*THREAD, *WRITE),
)
async def add_members(thread_id: ThreadIdPath, body: AddMembersBody, caller: Caller, backend: UsedBackend) -> Response:
    """For owners of the thread. Adding a member again changes nothing."""
    commands = [
        AddMember(
            id=new_command_id(),
            thread_id=thread_id,
            user_id=caller.user_id,
            user_type=caller.user_type,
            gateway=backend.gateway_id,
            member=member,
        )
        for member in body.members
    ]
    # All at once, so that they travel in few parcels; the body's limit bounds how many.
    outcomes = await asyncio.gather(*map(backend.apply, commands), return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if failures:
        raise _for_all(failures[0], some_applied=len(failures) < len(outcomes))
    return passed_on(await backend.read_back("thread", AskThread(thread_id=thread_id, user_id=caller.user_id)))


def _for_all(failure: BaseException, *, some_applied: bool) -> BaseException:
    """What to say of all when some failed: `rejected` would be false for the others."""
    if some_applied and isinstance(failure, Refusal):
        return Refusal(ErrorCode.TIMEOUT, f"not all members could be added; send the same again: {failure.message}")
    return failure
