"""Tickets: the office over a bucket in memory, the route, and what the session makes of them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
from nats.errors import ConnectionClosedError, NoRespondersError
from nats.js.errors import BadRequestError, KeyNotFoundError, NoStreamResponseError

from chatterbus_contracts.errors import CloseCode, ErrorCode, Refusal
from chatterbus_contracts.ids import UserId
from chatterbus_gateway.policy import SocketPolicy
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.tickets import RETRY_AFTER_MS, TTL_S, TicketOffice, key_of
from tests.unit.gateway.rest_fakes import Rest, problem
from tests.unit.gateway.session_shell import ANNA, Shell

ALICE = Principal(
    user_id=UserId("alice"),
    user_type="client",
    name="Alice",
    scopes=frozenset({"chat:system", "chat:admin"}),
    expires_at=5_000.5,
    token_id="jti-1",
)


@dataclass
class Found:
    value: bytes
    revision: int


class FakeBucket:
    """A key-value bucket: a delete must name the revision. `fails` is raised by the next call."""

    def __init__(self) -> None:
        self.entries: dict[str, Found] = {}
        self.fails: list[Exception] = []
        self.silent = False

    async def put(self, key: str, value: bytes) -> int:
        await self._turn()
        self.entries[key] = Found(value, len(self.entries) + 1)
        return self.entries[key].revision

    async def get(self, key: str) -> Found:
        await self._turn()
        if key not in self.entries:
            raise KeyNotFoundError
        return self.entries[key]

    async def delete(self, key: str, last: int) -> bool:
        await self._turn()
        if key not in self.entries or self.entries[key].revision != last:
            raise BadRequestError(code=400, err_code=10071, description="wrong last sequence")
        del self.entries[key]
        return True

    async def _turn(self) -> None:
        await asyncio.sleep(0)
        if self.silent:
            await asyncio.Event().wait()
        if self.fails:
            raise self.fails.pop(0)


class FakeLink:
    is_connected = True

    def __init__(self) -> None:
        self.bucket = FakeBucket()
        self.created: list[dict[str, Any]] = []
        self.refuses: Exception | None = None

    @property
    def jetstream(self) -> Any:
        return SimpleNamespace(create_key_value=self._create, key_value=self._existing)

    async def _create(self, **config: Any) -> FakeBucket:
        self.created.append(config)
        if self.refuses is not None:
            raise self.refuses
        return self.bucket

    async def _existing(self, bucket: str) -> FakeBucket:
        assert bucket == "tickets"
        return self.bucket


@pytest.fixture
def link() -> FakeLink:
    return FakeLink()


def office(link: FakeLink, *, unix_s: list[float] | None = None) -> TicketOffice:
    now = unix_s or [1_000.0]
    return TicketOffice(link, timeout_s=0.2, clock=lambda: now[0])


async def refusal(work: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await work
    return caught.value


# --- the office ---


async def test_a_ticket_brings_back_the_whole_principal_that_bought_it_at_any_gateway(link: FakeLink) -> None:
    ticket, ends_at = await office(link).issue(ALICE)
    assert ends_at == 1_000.0 + TTL_S
    assert await office(link).redeem(ticket) == ALICE


async def test_a_principal_of_development_mode_stays_one(link: FakeLink) -> None:
    dev = Principal(user_id=UserId("bob"), dev=True)
    ticket, _ = await office(link).issue(dev)
    assert await office(link).redeem(ticket) == dev


async def test_a_ticket_is_good_once(link: FakeLink) -> None:
    ticket, _ = await office(link).issue(ALICE)
    await office(link).redeem(ticket)
    assert (await refusal(office(link).redeem(ticket))).code is ErrorCode.AUTH_FAILED


async def test_of_those_who_redeem_at_the_same_time_one_wins(link: FakeLink) -> None:
    ticket, _ = await office(link).issue(ALICE)
    outcomes = await asyncio.gather(*(office(link).redeem(ticket) for _ in range(10)), return_exceptions=True)
    assert [outcome for outcome in outcomes if isinstance(outcome, Principal)] == [ALICE]
    assert {o.code for o in outcomes if isinstance(o, Refusal)} == {ErrorCode.AUTH_FAILED}


async def test_a_ticket_ends_on_time_though_its_entry_is_still_there(link: FakeLink) -> None:
    now = [1_000.0]
    sold = office(link, unix_s=now)
    ticket, ends_at = await sold.issue(ALICE)
    now[0] = ends_at
    assert (await refusal(sold.redeem(ticket))).code is ErrorCode.AUTH_FAILED
    assert not link.bucket.entries


@pytest.mark.parametrize("ticket", ["", "x", "../..", "*", ">", "é" * 128, "\ud800", "a.b c"])
async def test_a_text_that_nobody_sold_is_refused_and_not_echoed(link: FakeLink, ticket: str) -> None:
    refused = await refusal(office(link).redeem(ticket))
    assert (refused.code, refused.message) == (
        ErrorCode.AUTH_FAILED,
        "the ticket is unknown, was used, or is too old",
    )


async def test_an_entry_that_cannot_be_read_lets_nobody_in(link: FakeLink) -> None:
    await link.bucket.put(key_of("x"), b'{"principal":{"user_id":7}}')
    assert (await refusal(office(link).redeem("x"))).code is ErrorCode.AUTH_FAILED


async def test_the_ticket_itself_is_not_kept(link: FakeLink) -> None:
    ticket, _ = await office(link).issue(ALICE)
    assert len(ticket) == 43
    ((key, found),) = link.bucket.entries.items()
    assert key == key_of(ticket)
    assert ticket.encode() not in found.value


async def test_no_two_tickets_are_alike(link: FakeLink) -> None:
    sold = office(link)
    assert len({(await sold.issue(ALICE))[0] for _ in range(50)}) == 50


async def test_the_bucket_is_made_on_first_use_in_memory_and_forgets(link: FakeLink) -> None:
    sold = office(link)
    assert not link.created
    await sold.issue(ALICE)
    await sold.issue(ALICE)
    (config,) = link.created
    assert (config["bucket"], config["storage"], config["ttl"], config["history"]) == ("tickets", "memory", 30.0, 1)
    assert config["max_bytes"] > 0
    assert not config["direct"]


async def test_a_bucket_that_an_operator_made_otherwise_is_used_as_it_is(link: FakeLink) -> None:
    link.refuses = BadRequestError(code=400, err_code=10058, description="stream name already in use")
    ticket, _ = await office(link).issue(ALICE)
    assert await office(link).redeem(ticket) == ALICE


async def test_a_bucket_that_went_with_its_server_is_made_again(link: FakeLink) -> None:
    sold = office(link)
    await sold.issue(ALICE)
    link.bucket.fails = [NoStreamResponseError()]
    ticket, _ = await sold.issue(ALICE)
    assert len(link.created) == 2
    assert await sold.redeem(ticket) == ALICE


@pytest.mark.parametrize("error", [NoRespondersError(), ConnectionClosedError(), None])
async def test_without_nats_buying_and_redeeming_are_to_come_again(link: FakeLink, error: Exception | None) -> None:
    sold = office(link)
    ticket, _ = await sold.issue(ALICE)
    link.bucket.silent = error is None
    for work in (sold.issue, sold.redeem):
        link.bucket.fails = [error] if error is not None else []
        refused = await refusal(work(ticket if work == sold.redeem else ALICE))  # type: ignore[arg-type]
        assert (refused.code, refused.retry_after_ms) == (ErrorCode.STORE_UNAVAILABLE, RETRY_AFTER_MS)
        assert ticket not in refused.message


# --- the route ---


class FakeTickets:
    def __init__(self) -> None:
        self.buyers: list[Principal] = []
        self.refuses: Refusal | None = None

    async def issue(self, principal: Principal) -> tuple[str, float]:
        if self.refuses is not None:
            raise self.refuses
        self.buyers.append(principal)
        return "a-ticket", 1_000.25


def rest_with(tickets: FakeTickets | None, **settings: Any) -> Rest:
    rest = Rest(**settings)
    rest.app.state.tickets = tickets
    return rest


async def test_a_token_buys_a_ticket() -> None:
    tickets = FakeTickets()
    async with rest_with(tickets).client() as client:
        response = await client.post("/api/auth/ticket")
    assert response.status_code == 201
    assert response.json() == {"ticket": "a-ticket", "expiresAt": "1970-01-01T00:16:40.250Z"}
    assert response.headers["cache-control"] == "no-store"
    assert [buyer.user_id for buyer in tickets.buyers] == ["alice"]


async def test_development_mode_buys_a_ticket_without_a_token() -> None:
    tickets = FakeTickets()
    rest = rest_with(tickets, gateway_host="127.0.0.1", gateway_dev_mode=True)
    async with rest.client(None, **{"X-User-Id": "bob"}) as client:
        assert (await client.post("/api/auth/ticket")).status_code == 201
    assert [(buyer.user_id, buyer.dev) for buyer in tickets.buyers] == [("bob", True)]


async def test_nobody_buys_a_ticket_without_a_token_or_with_a_bad_one() -> None:
    tickets = FakeTickets()
    rest = rest_with(tickets)
    async with rest.client(None) as client:
        problem(await client.post("/api/auth/ticket"), ErrorCode.AUTH_REQUIRED)
    async with rest.client("expired") as client:
        problem(await client.post("/api/auth/ticket"), ErrorCode.TOKEN_EXPIRED)
    assert not tickets.buyers


async def test_without_nats_the_buyer_is_told_to_come_again() -> None:
    tickets = FakeTickets()
    tickets.refuses = Refusal(ErrorCode.STORE_UNAVAILABLE, "no", retry_after_ms=1_000)
    for rest in (rest_with(tickets), rest_with(None)):
        async with rest.client() as client:
            problem(await client.post("/api/auth/ticket"), ErrorCode.STORE_UNAVAILABLE)


# --- the session ---


def test_a_ticket_opens_a_session_until_the_token_that_bought_it_ends() -> None:
    shell = Shell()
    assert shell.say(type="auth", ticket="later", threadId="t1") == []
    assert shell.redeeming == ["later"]
    shell.session.authenticated(ANNA, 0.0, 1_000.0)
    assert shell.sent == [{"type": "auth_success", "userId": "anna"}]
    assert [thread for thread, _, _ in shell.follows] == ["t1"]
    assert shell.session.expires_s == 4_000.0


def test_a_ticket_that_outlived_its_token_is_refused() -> None:
    shell = Shell()
    shell.say(type="auth", ticket="later")
    shell.session.authenticated(replace(ANNA, expires_at=999.0), 0.0, 1_000.0)
    assert shell.sent[-1]["code"] == "TOKEN_EXPIRED"
    assert shell.closed == [CloseCode.TOKEN_EXPIRED]


def test_a_refused_ticket_ends_the_socket_and_is_never_echoed() -> None:
    shell = Shell()
    shell.say(type="auth", ticket="later-secret", userId="anna")
    shell.session.auth_refused(Refusal(ErrorCode.AUTH_FAILED, "the ticket is unknown"))
    assert shell.sent[-1]["originalMessage"] == {"type": "auth", "userId": "anna"}
    assert "later-secret" not in json.dumps(shell.sent)
    assert shell.closed == [CloseCode.AUTH_FAILED]


def test_a_ticket_renews_an_open_session_of_the_same_user_only() -> None:
    shell = Shell().open()
    shell.say(type="auth", ticket="later")
    shell.session.authenticated(replace(ANNA, expires_at=9_000.0), 0.0, 1_000.0)
    assert shell.session.expires_s == 8_000.0
    shell.say(type="auth", ticket="later-2")
    shell.session.authenticated(Principal(user_id=UserId("bob"), expires_at=9_500.0), 0.0, 1_000.0)
    assert shell.sent[-1]["code"] == "IDENTITY_MISMATCH"
    assert (shell.session.expires_s, shell.closed) == (8_000.0, [])


def test_token_and_ticket_together_are_a_bad_frame_and_neither_is_tried() -> None:
    shell = Shell()
    (error,) = shell.say(type="auth", token="anna", ticket="later")
    assert error["code"] == "BAD_FRAME"
    assert shell.closed == [CloseCode.AUTH_FAILED]
    assert not shell.redeeming
    opened = Shell().open()
    (error,) = opened.say(type="auth", token="anna", ticket="later")
    assert error["code"] == "BAD_FRAME"
    assert not opened.closed


def test_a_ticket_longer_than_any_is_a_bad_frame_that_is_not_echoed() -> None:
    shell = Shell()
    (error,) = shell.say(type="auth", ticket="x" * 129)
    assert error["code"] == "BAD_FRAME"
    assert "xxx" not in json.dumps(error)


@pytest.mark.parametrize(("dev_mode", "answer"), [(True, "auth_success"), (False, "error")])
def test_a_ticket_of_development_mode_is_good_in_development_mode_only(dev_mode: bool, answer: str) -> None:
    shell = Shell(SocketPolicy(dev_mode=dev_mode))
    shell.say(type="auth", ticket="later")
    shell.session.authenticated(Principal(user_id=UserId("anna"), dev=True), 0.0, 1_000.0)
    assert shell.sent[-1]["type"] == answer
