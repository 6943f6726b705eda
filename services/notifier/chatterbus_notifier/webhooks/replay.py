"""Delivering again what happened in a span of time.

Promises: an event counts as of the time in its body (`timestamp`); each event is put behind what waits for delivery
once, with its own id, be it delivered, waiting or dead; events of one key keep their order among themselves. At most
`REPLAY_MAX` events at a time: the oldest. Only what the streams still have can be replayed (three days; dead letters
thirty). When it fails half-way, some events wait already, and are delivered once more by the next.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from nats.js.errors import NotFoundError
from pydantic_core import from_json

from chatterbus_contracts.codec import DecodeError
from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_contracts.subjects import ALL_DEAD_HOOKS, ALL_HOOKS, hook_subject
from chatterbus_contracts.topology import hook_streams
from chatterbus_contracts.webhooks import AskReplay, HookEvent, Replayed, decode_hook, encode_hook
from chatterbus_notifier.webhooks.stream_slice import open_slice
from chatterbus_runtime.jetstream_publisher import JetStreamPublisher, PubAck
from chatterbus_runtime.nats_link import NatsLink

log: Final = structlog.stdlib.get_logger(__name__)

WAITING_STREAM: Final = hook_streams()[0].name
DEAD_STREAM: Final = hook_streams()[2].name
REPLAY_MAX: Final = 20_000
CLOCKS_DIFFER: Final = timedelta(minutes=5)  # a producer's clock may be ahead of the one of NATS by this much


@dataclass(slots=True)
class _Span:
    since: datetime
    until: datetime
    type: str | None
    seen: set[str] = field(default_factory=set)

    def takes(self, event: HookEvent) -> bool:
        """Whether it is to be replayed, the first time that it is met."""
        if event.id in self.seen or self.type not in (None, event.type):
            return False
        at = happened_at(event)
        return at is not None and self.since <= at <= self.until


async def replay(link: NatsLink, publisher: JetStreamPublisher, ask: AskReplay) -> Replayed:
    """Raises Refusal for a time that is none, and what JetStream and the link raise."""
    until = datetime.now(UTC) if ask.until is None else parse_time(ask.until)
    span = _Span(parse_time(ask.since), until, ask.type)
    run = secrets.token_hex(8)
    # Dead letters that the stream of all events forgot are older than what it still has: these go first.
    forgotten_before = await _first_event_at(link)
    async with aclosing(_events(link, DEAD_STREAM, ALL_DEAD_HOOKS, span)) as dead:
        async for page in dead:
            old = [one for one in page if forgotten_before is None or (happened_at(one) or until) < forgotten_before]
            await _publish(publisher, old, span, run)
    for stream, subjects in ((WAITING_STREAM, ALL_HOOKS), (DEAD_STREAM, ALL_DEAD_HOOKS)):
        # Dead letters once more: some whose time lies within the stream's may be missing in it all the same.
        async with aclosing(_events(link, stream, subjects, span)) as events:
            async for page in events:
                await _publish(publisher, page, span, run)
    log.info("webhooks are replayed", since=ask.since, until=ask.until, type=ask.type, events=len(span.seen))
    return Replayed(events=len(span.seen))


async def _events(link: NatsLink, stream: str, subjects: str, span: _Span) -> AsyncGenerator[list[HookEvent], None]:
    """Those of the span that were not met yet, in stream order. What is added meanwhile is not read."""
    async with open_slice(link, stream, [subjects], since=span.since - CLOCKS_DIFFER) as events:
        while page := await events.page():
            decoded = [event for stored in page if (event := _decoded(stored.data)) is not None and span.takes(event)]
            yield list({event.id: event for event in decoded}.values())


async def _publish(publisher: JetStreamPublisher, events: list[HookEvent], span: _Span, run: str) -> None:
    some = events[: REPLAY_MAX - len(span.seen)]
    outcomes = await asyncio.gather(
        *(
            publisher.publish_wait(hook_subject(event.key), encode_hook(event), message_id=f"{event.id}.{run}")
            for event in some
        )
    )
    failure = next((outcome for outcome in outcomes if not isinstance(outcome, PubAck)), None)
    if failure is not None:
        log.warning("a replay of webhooks stopped", reason=failure.reason, events=len(span.seen))
        raise Refusal(ErrorCode.WEBHOOKS_UNAVAILABLE, "NATS did not take all events; replay again")
    span.seen.update(event.id for event in some)


async def _first_event_at(link: NatsLink) -> datetime | None:
    """Since when the stream has all events; None when it has none."""
    try:
        state = (await link.jetstream.stream_info(WAITING_STREAM)).state
        return (await link.jetstream.get_msg(WAITING_STREAM, state.first_seq)).time if state.messages else None
    except NotFoundError:
        return None


def parse_time(text: str) -> datetime:
    """The time of an ISO 8601 text, UTC where it names no zone, or Refusal."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(ErrorCode.BAD_REQUEST, "since and until are times, such as 2026-01-31T12:00:00Z") from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def happened_at(event: HookEvent) -> datetime | None:
    """The time in the body; None when it has none."""
    try:
        return parse_time(from_json(event.body)["timestamp"])
    except (ValueError, KeyError, TypeError, Refusal):
        return None


def _decoded(data: bytes) -> HookEvent | None:
    try:
        return decode_hook(data)
    except DecodeError:
        return None  # whoever delivers has logged it
