"""What administrators ask about webhooks: the log of attempts, and to deliver again."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatterbus_contracts.codec import encode
from chatterbus_contracts.subjects import ask_hooks_subject, dead_hook_subject, delivery_subject
from chatterbus_contracts.webhooks import CREATED, HOOK_ASKS, DeliveryAttempt, encode_hook
from chatterbus_notifier.webhooks import deliveries
from chatterbus_notifier.webhooks.publisher import ensure_hook_streams
from chatterbus_notifier.webhooks.questions import HookQuestions
from chatterbus_notifier.webhooks.retry import RetryPolicy
from tests.integration.notifier.webhook_receiver import answer
from tests.integration.notifier.webhook_stand import Stand, event
from tests.kit.nats_server import NatsServer
from tests.kit.waiting import until

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
async def stand(nats_server: NatsServer) -> AsyncIterator[Stand]:
    async with Stand(nats_server) as stand:
        questions = HookQuestions(stand.link)
        task = asyncio.create_task(questions.run())
        await stand.link.flush(5)
        yield stand
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ask(stand: Stand, what: str, **question: Any) -> dict[str, Any]:
    """The answer, or the error's code as {"refused": code}."""
    async with asyncio.timeout(20):
        reply = None
        while reply is None:
            # The question's task listens a moment after it was made.
            try:
                reply = await stand.link.request(ask_hooks_subject(what), json.dumps(question).encode(), 20)
            except Exception as error:
                if type(error).__name__ != "NoResponders":
                    raise
    code = (reply.headers or {}).get("Nats-Service-Error-Code")
    return json.loads(reply.data) if code is None else {"refused": code}


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


async def logged(stand: Stand, *outcomes: str) -> None:
    """Attempts 1, 2, 3 ... with these outcomes are in the log."""
    await ensure_hook_streams(stand.link, 1)
    for number, outcome in enumerate(outcomes, start=1):
        attempt = DeliveryAttempt(
            id=f"evt_{number}",
            type="message.missed",
            key="anna",
            attempt=1,
            at="2026-01-31T12:00:00.000Z",
            duration_ms=5,
            outcome=outcome,  # type: ignore[arg-type]
            status=200,
            error=None,
            next_attempt_at=None,
        )
        await stand.link.jetstream.publish(delivery_subject(outcome), encode(attempt))


async def all_pages(stand: Stand, **question: Any) -> list[list[str]]:
    """The ids of every page, from the newest on."""
    pages, before = [], {}
    while True:
        page = await ask(stand, "deliveries", **question, **before)
        pages.append([item["id"] for item in page["items"]])
        if page["nextCursor"] is None:
            return pages
        before = {"before": int(page["nextCursor"])}


def test_every_question_of_the_contract_has_an_answer() -> None:
    async def asked() -> set[str]:
        class NoLink:
            def __getattr__(self, name: str) -> Any:
                return lambda *_, **__: "_INBOX.x"

        return set(HookQuestions(NoLink()).answers)  # type: ignore[arg-type]

    assert asyncio.run(asked()) == set(HOOK_ASKS)


# --- deliveries --------------------------------------------------------------------------------------------------


async def test_without_a_log_the_page_is_empty(stand: Stand) -> None:
    assert await ask(stand, "deliveries") == {"items": [], "nextCursor": None}


async def test_attempts_come_newest_first_page_by_page_each_once(stand: Stand) -> None:
    await logged(stand, *["delivered"] * 25)
    assert await all_pages(stand, limit=10) == [
        [f"evt_{number}" for number in range(25, 15, -1)],
        [f"evt_{number}" for number in range(15, 5, -1)],
        [f"evt_{number}" for number in range(5, 0, -1)],
    ]
    first = await ask(stand, "deliveries", limit=1)
    assert (first["items"][0]["place"], first["nextCursor"]) == (25, "25")


async def test_what_is_logged_while_one_reads_does_not_shift_the_pages(stand: Stand) -> None:
    await logged(stand, *["delivered"] * 6)
    page = await ask(stand, "deliveries", limit=3)
    await logged(stand, *["dead"] * 4)
    rest = await ask(stand, "deliveries", limit=3, before=int(page["nextCursor"]))
    assert [item["place"] for item in page["items"] + rest["items"]] == [6, 5, 4, 3, 2, 1]


async def test_one_outcome_is_found_however_rare_it_is(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "STRIDE", 7)
    monkeypatch.setattr(deliveries, "STRIDES_MAX", 2)
    outcomes = ["dead" if number in (2, 3, 30, 55) else "delivered" for number in range(1, 61)]
    await logged(stand, *outcomes)
    pages = await all_pages(stand, outcome="dead", limit=1)
    assert [one for page in pages for one in page] == ["evt_55", "evt_30", "evt_3", "evt_2"]
    assert await all_pages(stand, outcome="retrying") == [[]] * len(await all_pages(stand, outcome="retrying"))


async def test_a_question_that_makes_no_sense_is_refused(stand: Stand) -> None:
    assert await ask(stand, "deliveries", limit=0) == {"refused": "BAD_REQUEST"}
    assert await ask(stand, "deliveries", outcome="lost") == {"refused": "BAD_REQUEST"}
    assert await ask(stand, "replay") == {"refused": "BAD_REQUEST"}
    assert await ask(stand, "replay", since="yesterday") == {"refused": "BAD_REQUEST"}


# --- replay ------------------------------------------------------------------------------------------------------


async def test_replaying_a_span_delivers_what_happened_in_it_again_with_the_same_ids_and_bodies(stand: Stand) -> None:
    events = [event(number, f"user{number % 3}", at=NOW - timedelta(minutes=60 - number)) for number in range(60)]
    stand.desk()
    await stand.happen(*events)
    await until(lambda: len(stand.receiver.taken) == 60, 15, "all are delivered")
    since, until_ = ((NOW - timedelta(minutes=60 - number)).isoformat() for number in (20, 39))
    assert await ask(stand, "replay", since=since, until=until_) == {"events": 20}
    await until(lambda: len(stand.receiver.taken) == 80, 15, "twenty are delivered again")
    again = stand.receiver.taken[60:]
    assert {one.id: one.body for one in again} == {one.id: one.body for one in events[20:40]}
    for key in ("user0", "user1", "user2"):
        mine = [one.id for one in events[20:40] if one.key == key]
        assert [one.id for one in again if one.id in mine] == mine


async def test_replaying_again_does_not_multiply_what_was_replayed_before(stand: Stand) -> None:
    stand.desk()
    await stand.happen(*(event(number, "anna") for number in range(5)))
    for _ in range(3):
        assert await ask(stand, "replay", since=ago(hours=1)) == {"events": 5}
    await until(lambda: len(stand.receiver.taken) >= 20, 15, "all are delivered four times")
    assert set(Counter(stand.taken_ids()).values()) == {4}


async def test_only_the_type_asked_for_is_replayed(stand: Stand) -> None:
    await stand.happen(event(1, "anna"), event(2, "anna", CREATED), event(3, "anna"))
    assert await ask(stand, "replay", since=ago(hours=1), type=CREATED) == {"events": 1}
    assert await stand.count("WEBHOOKS") == 4


async def test_a_dead_letter_is_replayed_once(stand: Stand) -> None:
    stand.receiver.behave = answer(500)
    stand.desk(policy=RetryPolicy(random=lambda: 0.0, retry_for_s=0.05, first_s=0.02, longest_s=0.1))
    await stand.happen(event(1, "anna"))
    await until(lambda: stand.count_is("WEBHOOK_DEAD", 1), 10, "the event is given up")
    stand.receiver.behave = answer(200)
    assert await ask(stand, "replay", since=ago(hours=1)) == {"events": 1}
    await until(lambda: stand.taken_ids() == ["evt_1"], 10, "it is delivered")


async def test_a_dead_letter_that_the_stream_of_events_forgot_is_replayed_before_what_it_still_has(
    stand: Stand,
) -> None:
    old = event(1, "anna", at=NOW - timedelta(days=5))
    await ensure_hook_streams(stand.link, 1)
    await stand.link.jetstream.publish(dead_hook_subject("anna"), encode_hook(old))
    await stand.happen(event(2, "anna"))
    # Its place in the stream tells when NATS took it, so the read begins at the time of the burial or before.
    assert await ask(stand, "replay", since=(NOW - timedelta(days=6)).isoformat()) == {"events": 2}
    stand.desk()
    await until(lambda: len(stand.receiver.taken) == 3, 10, "all are delivered")
    assert stand.taken_ids() == ["evt_2", "evt_1", "evt_2"]


async def test_without_events_nothing_is_replayed(stand: Stand) -> None:
    assert await ask(stand, "replay", since=ago(hours=1)) == {"events": 0}


async def test_many_events_are_replayed_in_one_go(stand: Stand) -> None:
    await asyncio.gather(*(stand.publisher.publish(event(number, f"user{number % 50}")) for number in range(3_000)))
    assert await ask(stand, "replay", since=ago(hours=1)) == {"events": 3_000}
    assert await stand.count("WEBHOOKS") == 6_000
