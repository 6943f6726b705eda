"""What the announcer says of itself while JetStream confirms, and while it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatterbus_persister.announcer import Announcer
from chatterbus_persister.batch import Announcement
from chatterbus_runtime.jetstream_publisher import PubAck, PublishFailure

Outcome = PubAck | PublishFailure
LATE = PublishFailure("timeout", "unknown", "no answer within 5 s")


class _Publisher:
    """Keeps what is to be told of each publish."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[Outcome], None]] = []

    def publish(
        self, subject: str, payload: bytes, *, message_id: str | None, on_done: Callable[[Outcome], None]
    ) -> None:
        self.waiting.append(on_done)


async def test_an_event_that_was_not_confirmed_is_said_until_one_is() -> None:
    # A stream that failed to write keeps answering every question about it: only its silence tells.
    publisher: Any = _Publisher()
    announcer = Announcer(None, publisher, 8, lambda: None, lambda _point: None)  # type: ignore[arg-type]
    announcer.announce(Announcement([("chat.evt.t", b"1"), ("chat.evt.t", b"2")], []), {0: (1, 7)})
    first, second = publisher.waiting
    assert not announcer.unconfirmed
    first(LATE)
    assert announcer.unconfirmed
    announcer.struggling = False  # the stream was asked, and says that it is well
    assert announcer.unconfirmed
    second(PubAck("EVENTS", 1, False))
    assert not announcer.unconfirmed
