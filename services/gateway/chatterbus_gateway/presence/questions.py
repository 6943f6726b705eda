"""Answers what the notifier asks this gateway.

Promises: `connections` is answered with everybody in the asked slots, as of a version that has been published;
`attending` with those of the asked users who look at the thread: an active device here, whose connection follows it
live. A question that cannot be read is not answered, and logged without what it said.
Does not cut answers: the asker asks for as many slots as fit into a NATS message; what does not fit is not answered,
and logged.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Literal

import structlog
from pydantic import TypeAdapter

from chatterbus_contracts.codec import DecodeError, Wire, decode, encode
from chatterbus_contracts.ids import GatewayId, ThreadId, UserId
from chatterbus_contracts.presence import AskAttending, AskConnections, Attending
from chatterbus_contracts.subjects import ask_gateway_subject
from chatterbus_gateway.presence.reporter import Reporter
from chatterbus_runtime.link_errors import LinkError
from chatterbus_runtime.nats_link import Listener, NatsLink
from chatterbus_runtime.nats_message import Message

log: Final = structlog.stdlib.get_logger(__name__)

_ASK_CONNECTIONS: Final = TypeAdapter(AskConnections)
_ASK_ATTENDING: Final = TypeAdapter(AskAttending)

What = Literal["connections", "attending"]
Attends = Callable[[UserId, ThreadId], bool]


class Questions:
    """Listens from the start until `close`."""

    def __init__(self, link: NatsLink, gateway_id: GatewayId, reporter: Reporter, attends: Attends) -> None:
        self._link = link
        self._reporter = reporter
        self._attends = attends
        answers: dict[What, Callable[[bytes], Wire]] = {
            "connections": self._connections,
            "attending": self._attending,
        }
        self._listeners: list[Listener] = [
            link.listen(ask_gateway_subject(gateway_id, what), partial(self._asked, what, answer))
            for what, answer in answers.items()
        ]

    def close(self) -> None:
        """Answer no more."""
        for listener in self._listeners:
            listener.close()

    def _asked(self, what: What, answer: Callable[[bytes], Wire], message: Message) -> None:
        if not message.reply:
            return
        try:
            self._link.publish(message.reply, encode(answer(message.data)))
        except DecodeError as error:
            log.warning("a question cannot be read", question=what, reason=error.message)
        except LinkError as error:
            log.warning("a question cannot be answered", question=what, reason=str(error))

    def _connections(self, data: bytes) -> Wire:
        return self._reporter.snapshot(decode(_ASK_CONNECTIONS, data).slots)

    def _attending(self, data: bytes) -> Wire:
        ask = decode(_ASK_ATTENDING, data)
        users = dict.fromkeys(ask.user_ids)
        return Attending(user_ids=[user_id for user_id in users if self._attends(user_id, ask.thread_id)])
