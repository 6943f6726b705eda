"""What the routes do their work with: the queue for writes, the store for reads.

Promises: a write is answered by what became of it, or by a Refusal; once it is applied, no failure to read the result
back is reported as a rejection. In development mode a thread that nobody made comes to be when it is first used.
"""

from typing import Annotated, Any, Final, Protocol
from uuid import uuid4

from fastapi import Depends, Request

from chatterbus_contracts.codec import DecodeError, Wire
from chatterbus_contracts.commands import Command, CreateThread
from chatterbus_contracts.envelopes import Answer
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.frames.server import Ack, Error, MessageAck, decode_server_frame
from chatterbus_contracts.ids import CommandId, GatewayId, ThreadId
from chatterbus_gateway.command_queue import Queued
from chatterbus_gateway.principal import Principal

READ_BACK_FAILED: Final = "it was done, but the result cannot be read at the moment; the same request again shows it"


class Questions(Protocol):
    """The part of Store that is needed here."""

    async def ask(self, query_name: str, question: Wire) -> bytes: ...


class Commands(Protocol):
    """The part of CommandQueue that is needed here."""

    async def ask(self, command: Command, *, queued_after_s: float | None) -> Answer | Queued: ...


class Backend:
    """One per app."""

    def __init__(self, store: Questions, commands: Commands, gateway_id: GatewayId, queued_after_s: float) -> None:
        self._store = store
        self._commands = commands
        self._queued_after_s = queued_after_s
        self.gateway_id = gateway_id

    async def read(self, query_name: str, question: Wire) -> bytes:
        """The answer's JSON. Raises Refusal."""
        return await self._store.ask(query_name, question)

    async def read_thread(self, caller: Principal, thread_id: ThreadId, query_name: str, question: Wire) -> bytes:
        """As `read`, about a thread, which comes to be if it is unknown and the caller is in development mode."""
        try:
            return await self._store.ask(query_name, question)
        except Refusal as refusal:
            if not caller.dev or refusal.code is not ErrorCode.THREAD_NOT_FOUND:
                raise
        await self.open_thread(caller, thread_id)
        return await self._store.ask(query_name, question)

    async def read_back(self, query_name: str, question: Wire, *, otherwise: str = READ_BACK_FAILED) -> bytes:
        """As `read`, to show what a command has done. Its failure has the fate `unknown`, for `rejected` would be
        false; `otherwise` is what is said then."""
        try:
            return await self._store.ask(query_name, question)
        except Refusal as refusal:
            raise Refusal(ErrorCode.TIMEOUT, otherwise, retry_after_ms=refusal.retry_after_ms) from refusal

    async def apply(self, command: Command) -> Ack | MessageAck:
        """The ack, after commit. Raises Refusal: the ledger's, or the queue's."""
        return ack_of(await self._commands.ask(command, queued_after_s=None))

    async def change(
        self, caller: Principal, thread_id: ThreadId, command: type[Command], **fields: Any
    ) -> Ack | MessageAck:
        """As `apply`, for a command of the caller's about a thread, with these fields of its own."""
        return await self.apply(
            command(
                id=new_command_id(),
                thread_id=thread_id,
                user_id=caller.user_id,
                user_type=caller.user_type,
                gateway=self.gateway_id,
                **fields,
            )
        )

    async def apply_or_queue(self, command: Command) -> Ack | MessageAck | Queued:
        """As `apply`, but Queued when that takes longer than a sender should wait."""
        outcome = await self._commands.ask(command, queued_after_s=self._queued_after_s)
        return outcome if isinstance(outcome, Queued) else ack_of(outcome)

    async def open_thread(self, caller: Principal, thread_id: ThreadId) -> None:
        """Development mode: make the thread, or join it. A refusal by the ledger is passed over: the request that
        follows is refused for the same reason, in its own words."""
        await self._commands.ask(
            CreateThread(
                id=new_command_id(),
                thread_id=thread_id,
                user_id=caller.user_id,
                user_type=caller.user_type,
                gateway=self.gateway_id,
                open=True,
            ),
            queued_after_s=None,
        )


def new_command_id() -> CommandId:
    """A command's id, its message's id in the queue too; another one for each try."""
    return CommandId(uuid4().hex)


def ack_of(outcome: Answer | Queued) -> Ack | MessageAck:
    """The ack in an answer. Raises the Refusal of an error frame; INTERNAL for what is neither."""
    try:
        frame = decode_server_frame(outcome.frame) if isinstance(outcome, Answer) else None
    except DecodeError as error:
        raise Refusal(ErrorCode.INTERNAL, "the answer cannot be read") from error
    if isinstance(frame, Error):
        raise Refusal(frame.code, frame.message, retry_after_ms=frame.retry_after_ms)
    if not isinstance(frame, Ack | MessageAck):
        raise Refusal(ErrorCode.INTERNAL, "the answer is not an ack")
    return frame


def _backend(request: Request) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


UsedBackend = Annotated[Backend, Depends(_backend)]
