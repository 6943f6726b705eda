"""Members of a thread."""

import asyncio
from typing import Final

from fastapi import APIRouter, Response

from chatterbus_contracts.commands import AddMember, RemoveMember
from chatterbus_contracts.errors import ERRORS, ErrorCode, Refusal
from chatterbus_contracts.queries import AskThread
from chatterbus_contracts.rest import AddMembersBody
from chatterbus_contracts.states import ThreadDetail
from chatterbus_gateway.rest.answers import passed_on
from chatterbus_gateway.rest.backend import UsedBackend, new_command_id
from chatterbus_gateway.rest.identity import Caller
from chatterbus_gateway.rest.openapi import THREAD, WRITE, problems
from chatterbus_gateway.rest.parameters import ThreadIdPath, UserIdPath

router: Final = APIRouter(prefix="/api/chat/threads", tags=["threads"])


@router.post(
    "/{threadId}/members",
    operation_id="addMembers",
    summary="Add members, or give them another role",
    response_model=ThreadDetail,
    responses=problems(*THREAD, *WRITE, ErrorCode.LAST_OWNER),
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
        raise _for_all(failures, some_applied=len(failures) < len(outcomes))
    return passed_on(await backend.read_back("thread", AskThread(thread_id=thread_id, user_id=caller.user_id)))


@router.delete(
    "/{threadId}/members/{userId}",
    operation_id="removeMember",
    summary="Remove a member, or leave",
    status_code=204,
    response_class=Response,
    responses=problems(*THREAD, *WRITE, ErrorCode.LAST_OWNER),
)
async def remove_member(thread_id: ThreadIdPath, user_id: UserIdPath, caller: Caller, backend: UsedBackend) -> Response:
    """For owners of the thread; everybody may remove themselves. A thread keeps at least one owner."""
    await backend.change(caller, thread_id, RemoveMember, member_id=user_id)
    return Response(status_code=204)


def _for_all(failures: list[BaseException], *, some_applied: bool) -> BaseException:
    """What to say of all when some failed. `rejected` is false for the others, and they are added only once; but where
    the same again can never succeed, a client must not be told to try."""
    final = [each for each in failures if isinstance(each, Refusal) and not ERRORS[each.code].retryable]
    failure = (final or failures)[0]
    if not some_applied or not isinstance(failure, Refusal):
        return failure
    if final:
        return Refusal(failure.code, f"{failure.message}; the other members were added")
    return Refusal(ErrorCode.TIMEOUT, f"not all members could be added; send the same again: {failure.message}")
