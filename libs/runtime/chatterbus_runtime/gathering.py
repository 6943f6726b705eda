"""One question to many, and their answers.

Promises: returns what has come when `enough` says so, or after `timeout_s`; never more than one wait. Nobody listening
is not an error: the list is empty then. Raises what `publish` raises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chatterbus_runtime.nats_link import NO_RESPONDERS, NatsLink
from chatterbus_runtime.nats_message import Message


async def gather_answers(
    link: NatsLink, subject: str, payload: bytes, timeout_s: float, enough: Callable[[list[Message]], bool]
) -> list[Message]:
    """Ask everybody who listens on `subject`; the answers in the order in which they came."""
    answers: list[Message] = []
    done = asyncio.Event()

    def answered(message: Message) -> None:
        if message.status == NO_RESPONDERS:
            done.set()
            return
        answers.append(message)
        if enough(answers):
            done.set()

    inbox = link.inbox()
    listener = link.listen(inbox, answered)
    try:
        link.publish(subject, payload, inbox)
        async with asyncio.timeout(timeout_s):
            await done.wait()
    except TimeoutError:
        pass
    finally:
        listener.close()
    return answers
