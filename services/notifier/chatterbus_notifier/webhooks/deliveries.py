"""Reading the log of attempts backwards, a page at a time.

Promises: attempts come newest first, each once over the pages of one reader, while new ones are written; the work of
one page is bounded: where few attempts have the outcome that is asked for, a page can be short, or empty, and still
name the place to go on from.
"""

from __future__ import annotations

from typing import Final

import structlog
from nats.js.errors import NotFoundError
from pydantic import TypeAdapter

from chatterbus_contracts.codec import DecodeError, decode
from chatterbus_contracts.subjects import ALL_DELIVERIES, delivery_subject
from chatterbus_contracts.topology import hook_streams
from chatterbus_contracts.webhooks import AskDeliveries, DeliveriesPage, DeliveryAttempt
from chatterbus_notifier.webhooks.stream_slice import PAGE, Stored, open_slice
from chatterbus_runtime.nats_link import NatsLink

log: Final = structlog.stdlib.get_logger(__name__)

STREAM: Final = hook_streams()[1].name
STRIDE: Final = 4 * PAGE  # places looked at in one step back when only one outcome is wanted
STRIDES_MAX: Final = 10

ATTEMPT: Final = TypeAdapter(DeliveryAttempt)


async def read_deliveries(link: NatsLink, ask: AskDeliveries) -> DeliveriesPage:
    """The page; raises what JetStream and the link raise."""
    try:
        state = (await link.jetstream.stream_info(STREAM)).state
    except NotFoundError:
        return DeliveriesPage(items=[], next_cursor=None)
    end = state.last_seq + 1 if ask.before is None else min(ask.before, state.last_seq + 1)
    subject = ALL_DELIVERIES if ask.outcome is None else delivery_subject(ask.outcome)
    stride = ask.limit if ask.outcome is None else STRIDE
    items: list[DeliveryAttempt] = []
    for _ in range(STRIDES_MAX):
        if end <= state.first_seq or len(items) >= ask.limit:
            break
        begin = max(end - stride, state.first_seq)
        found = await _between(link, subject, begin, end)
        missing = ask.limit - len(items)
        items += [attempt for stored in reversed(found[-missing:]) if (attempt := _attempt(stored)) is not None]
        end = found[-missing].seq if len(found) > missing else begin
    return DeliveriesPage(items=items, next_cursor=str(end) if end > state.first_seq else None)


async def _between(link: NatsLink, subject: str, begin: int, end: int) -> list[Stored]:
    found: list[Stored] = []
    async with open_slice(link, STREAM, [subject], from_seq=begin) as log_slice:
        while page := await log_slice.page(min(PAGE, end - begin)):
            found += [stored for stored in page if stored.seq < end]
            if page[-1].seq >= end - 1:
                break
    return found


def _attempt(stored: Stored) -> DeliveryAttempt | None:
    try:
        return decode(ATTEMPT, stored.data).model_copy(update={"place": stored.seq})
    except DecodeError as error:
        log.error("an entry of the delivery log cannot be read", place=stored.seq, reason=error.message)
        return None
