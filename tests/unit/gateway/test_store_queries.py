from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.queries import AskInfo, AskThread
from chatterbus_gateway.store import Store
from chatterbus_runtime.link_errors import LinkDown, LinkFull, NoResponders
from chatterbus_runtime.nats_message import Message, header_block

Outcome = Message | Exception


class Link:
    """Gives the outcomes in order, then the last again."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._outcomes = list(outcomes)
        self.requests: list[tuple[str, bytes, float]] = []

    async def request(self, subject: str, payload: bytes, timeout_s: float) -> Message:
        self.requests.append((subject, payload, timeout_s))
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def reply(data: bytes = b"{}", **headers: str) -> Message:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Message("reply", "", data, header_block(named) if named else b"")


async def refusal_from(link: Link, timeout_s: float = 5) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await Store(link, timeout_s).ask("info", AskInfo())
    return caught.value


async def test_an_answer_is_passed_on_byte_for_byte() -> None:
    link = Link(reply(b'{"any": "bytes"}'))
    assert await Store(link, 5).ask("thread", AskThread(thread_id="t", user_id="u")) == b'{"any": "bytes"}'
    subject, payload, timeout_s = link.requests[0]
    assert (subject, payload) == ("chat.store.thread", b'{"threadId":"t","userId":"u"}')
    assert 0 < timeout_s <= 5


async def test_an_error_reply_is_refused_with_its_code_and_text() -> None:
    link = Link(reply(Nats_Service_Error_Code="THREAD_NOT_FOUND", Nats_Service_Error="no such thread"))
    refusal = await refusal_from(link)
    assert (refusal.code, refusal.message) == (ErrorCode.THREAD_NOT_FOUND, "no such thread")


@pytest.mark.parametrize("code", ["500", "", "NO_SUCH_CODE", "internal"])
async def test_an_unknown_code_is_internal_and_its_text_stays_inside(code: str) -> None:
    refusal = await refusal_from(Link(reply(Nats_Service_Error_Code=code, Nats_Service_Error="relation x of y")))
    assert refusal.code is ErrorCode.INTERNAL
    assert "relation" not in refusal.message


@pytest.mark.parametrize(
    "failure", [TimeoutError, lambda: LinkDown("gone"), lambda: LinkFull(1, 1), lambda: NoResponders("nobody")]
)
async def test_a_store_that_cannot_be_asked_is_unavailable_and_says_when_to_ask_again(
    failure: Callable[[], Exception],
) -> None:
    refusal = await refusal_from(Link(failure()), timeout_s=0.3)
    assert refusal.code is ErrorCode.STORE_UNAVAILABLE
    assert refusal.retry_after_ms == 1_000


async def test_nobody_there_is_asked_once_more() -> None:
    link = Link(NoResponders("nobody"), reply(b"1"))
    assert await Store(link, 5).ask("info", AskInfo()) == b"1"
    assert len(link.requests) == 2


async def test_nobody_there_twice_is_not_asked_a_third_time() -> None:
    link = Link(NoResponders("nobody"))
    await refusal_from(link)
    assert len(link.requests) == 2


async def test_the_retry_keeps_the_deadline() -> None:
    link = Link(NoResponders("nobody"))
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    await refusal_from(link, timeout_s=0.1)
    assert loop.time() - started_s < 0.1
    assert len(link.requests) == 1
