"""Files of messages: one up, one down."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import StringConstraints
from pydantic_core import from_json
from starlette.status import HTTP_201_CREATED

from chatterbus_contracts.codec import encode
from chatterbus_contracts.commands import RegisterAttachment
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.ids import AttachmentId, ThreadId, type_of_attachment_id, type_of_id
from chatterbus_contracts.queries import AskAttachment, AskMembership
from chatterbus_contracts.states import AttachmentState, Role
from chatterbus_contracts.text import NO_NUL
from chatterbus_gateway.attachments.attachments import Attachments
from chatterbus_gateway.attachments.incoming import FORM, Incoming
from chatterbus_gateway.attachments.names import clean_name
from chatterbus_gateway.attachments.uploads import URL, StoredFile
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.rest.answers import passed_on
from chatterbus_gateway.rest.backend import Backend, UsedBackend, new_command_id
from chatterbus_gateway.rest.identity import Caller
from chatterbus_gateway.rest.openapi import THREAD, WRITE, problems

router: Final = APIRouter(prefix=URL, tags=["attachments"])

NAME_MAX_CHARS: Final = 4_096  # of what is sent; what is kept is much shorter

AttachmentIdPath = Annotated[
    AttachmentId,
    type_of_attachment_id,
    Path(alias="attachmentId", examples=["order-4711~f00112233445566778899aabbccddeeff"]),
]
OfThread = Annotated[ThreadId, type_of_id, Query(alias="threadId", description="the thread it will be sent in")]
FileNameQuery = Annotated[
    str | None,
    StringConstraints(pattern=NO_NUL, max_length=NAME_MAX_CHARS),
    Query(description="name of the file; a form may name it itself"),
]
Thumbnail = Annotated[bool, Query(description="the small picture instead of the file; see `thumbnailUrl`")]

_BYTES: Final = {"type": "string", "format": "binary"}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "description": "The file itself, under any Content-Type (it is not believed), or a form with one file in it. "
        "No body is an empty file.",
        "content": {
            "application/octet-stream": {"schema": _BYTES},
            FORM: {"schema": {"type": "object", "properties": {"file": _BYTES}, "required": ["file"]}},
        },
    }
}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The file.", "content": {"*/*": {"schema": _BYTES}}},
    206: {"description": "The range that was asked for.", "content": {"*/*": {"schema": _BYTES}}},
}


def _attachments(request: Request) -> Attachments:
    attachments: Attachments | None = request.app.state.attachments
    if attachments is None:
        raise Refusal(ErrorCode.STORAGE_UNAVAILABLE, "this server keeps no files")
    return attachments


UsedAttachments = Annotated[Attachments, Depends(_attachments)]


@router.post(
    "",
    operation_id="uploadAttachment",
    summary="Upload a file",
    status_code=HTTP_201_CREATED,
    response_model=AttachmentState,
    responses=problems(*THREAD, *WRITE, ErrorCode.ATTACHMENT_TOO_LARGE, ErrorCode.STORAGE_UNAVAILABLE),
    openapi_extra=_BODY,
)
async def upload(
    request: Request,
    thread_id: OfThread,
    caller: Caller,
    backend: UsedBackend,
    attachments: UsedAttachments,
    name: FileNameQuery = None,
) -> Response:
    """For members who may write. Send its `id` in a message's `attachmentIds`; a file that is in no message after a day
    is removed. The content type is found in the bytes."""
    with attachments.transfers.one(caller.user_id):
        await _require_writer(caller, thread_id, backend)
        incoming = Incoming(request, max_bytes=attachments.max_bytes, idle_timeout_s=attachments.idle_timeout_s)
        named = await incoming.begin()
        stored = await attachments.uploads.store(thread_id, clean_name(name or named), incoming.chunks())
        try:
            await backend.apply(_register(stored, thread_id, caller, backend))
        except BaseException:
            await attachments.uploads.forget(stored.id)
            raise
    return passed_on(encode(stored.state()), HTTP_201_CREATED, location=f"{URL}/{stored.id}")


@router.get(
    "/{attachmentId}",
    operation_id="downloadAttachment",
    summary="Download a file",
    response_class=Response,
    responses={
        **_FILE,
        **problems(
            *THREAD, ErrorCode.ATTACHMENT_NOT_FOUND, ErrorCode.STORAGE_UNAVAILABLE, ErrorCode.TOO_MANY_IN_FLIGHT
        ),
    },
)
async def download(
    attachment_id: AttachmentIdPath,
    request: Request,
    caller: Caller,
    backend: UsedBackend,
    attachments: UsedAttachments,
    thumbnail: Thumbnail = False,
) -> Response:
    """For members of its thread; before it is in a message, for its uploader. One `Range` may be asked for (206, or 416
    behind the end); a file never changes, so `If-None-Match` with its ETag gives 304. Only png, jpeg, gif and webp are
    shown in place; everything else comes as a download."""
    file = await _file(attachment_id, caller, backend)
    return await attachments.downloads.answer(file, caller.user_id, request.headers, thumbnail=thumbnail, body=True)


@router.head("/{attachmentId}", include_in_schema=False)
async def look_up(
    attachment_id: AttachmentIdPath,
    request: Request,
    caller: Caller,
    backend: UsedBackend,
    attachments: UsedAttachments,
    thumbnail: Thumbnail = False,
) -> Response:
    """As GET, without the bytes."""
    file = await _file(attachment_id, caller, backend)
    return await attachments.downloads.answer(file, caller.user_id, request.headers, thumbnail=thumbnail, body=False)


async def _require_writer(caller: Principal, thread_id: ThreadId, backend: Backend) -> None:
    question = AskMembership(thread_id=thread_id, user_id=caller.user_id)
    member = from_json(await backend.read_thread(caller, thread_id, "membership", question))
    if member["role"] == Role.READER:
        raise Refusal(ErrorCode.FORBIDDEN, "readers may not write in this thread")


async def _file(attachment_id: AttachmentId, caller: Principal, backend: Backend) -> AttachmentState:
    question = AskAttachment(attachment_id=attachment_id, user_id=caller.user_id)
    return AttachmentState.model_validate_json(await backend.read("attachment", question))


def _register(stored: StoredFile, thread_id: ThreadId, caller: Principal, backend: Backend) -> RegisterAttachment:
    state = stored.state()
    return RegisterAttachment(
        id=new_command_id(),
        thread_id=thread_id,
        user_id=caller.user_id,
        user_type=caller.user_type,
        gateway=backend.gateway_id,
        attachment_id=state.id,
        name=state.name,
        content_type=state.content_type,
        size_bytes=state.size_bytes,
        width=state.width,
        height=state.height,
        thumbnail=stored.has_thumbnail,
    )
