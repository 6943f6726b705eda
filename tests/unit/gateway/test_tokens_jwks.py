"""Rotation of published keys, against a server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
import structlog

from chatterbus_contracts.errors import ErrorCode, Refusal
from chatterbus_gateway.jwks import DOCUMENT_MAX_BYTES, FETCH_AT_MOST_EVERY_S, REFRESH_EVERY_S, PublishedKeys
from chatterbus_gateway.token_keys import secret_key
from chatterbus_gateway.tokens import TokenVerifier
from tests.kit.waiting import until
from tests.unit.gateway.token_maker import NOW_S, OTHER_RSA, RSA, SECRET, by_hand, claims, jwk, jwks, signed


class Issuer:
    """Publishes `document` with `status` over HTTP; holds answers back while `gate` is not set."""

    def __init__(self) -> None:
        self.document = jwks(jwk(RSA, kid="one"))
        self.status = "200 OK"
        self.fetches = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.url = ""
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/keys"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.fetches += 1
        await self.gate.wait()
        head = f"HTTP/1.1 {self.status}\r\nContent-Length: {len(self.document)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + self.document)
        writer.close()


class Clock:
    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    await issuer.start()
    yield issuer
    issuer.gate.set()
    await issuer.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def published(issuer: Issuer, clock: Clock) -> AsyncIterator[PublishedKeys]:
    published = PublishedKeys(issuer.url, 5, clock=clock)
    yield published
    await published.close()


@pytest.fixture
def checks(published: PublishedKeys) -> TokenVerifier:
    return TokenVerifier((), published, clock=lambda: NOW_S)


ONE = signed(RSA, "RS256", headers={"kid": "one"})
TWO = signed(OTHER_RSA, "RS256", headers={"kid": "two"})


async def refused(checks: TokenVerifier, token: str) -> ErrorCode:
    with pytest.raises(Refusal) as caught:
        await checks.verify(token)
    return caught.value.code


async def test_keys_are_fetched_for_the_first_token_and_kept(checks: TokenVerifier, issuer: Issuer) -> None:
    assert checks.verify_now(ONE) is None
    assert (await checks.verify(ONE)).user_id == "alice"
    assert checks.verify_now(ONE) is not None
    assert issuer.fetches == 1


async def test_a_new_key_is_found_when_its_first_token_comes(
    checks: TokenVerifier, issuer: Issuer, clock: Clock
) -> None:
    await checks.verify(ONE)
    issuer.document = jwks(jwk(RSA, kid="one"), jwk(OTHER_RSA, kid="two"))
    clock.s += FETCH_AT_MOST_EVERY_S
    assert checks.verify_now(TWO) is None
    assert (await checks.verify(TWO)).user_id == "alice"
    assert issuer.fetches == 2


async def test_invented_key_ids_cause_at_most_one_fetch_in_ten_seconds(
    checks: TokenVerifier, issuer: Issuer, clock: Clock
) -> None:
    await checks.verify(ONE)
    for number in range(20):
        token = signed(OTHER_RSA, "RS256", headers={"kid": f"invented-{number}"})
        assert await refused(checks, token) is ErrorCode.AUTH_FAILED
        clock.s += 1
    assert issuer.fetches == 2


async def test_tokens_that_no_published_key_can_fit_cause_no_fetch(checks: TokenVerifier, issuer: Issuer) -> None:
    for algorithm in ("HS256", "none", "RS1"):
        assert await refused(checks, by_hand({"alg": algorithm, "kid": "x"}, claims())) is not None
    assert issuer.fetches == 0


async def test_everybody_waits_for_the_same_fetch(checks: TokenVerifier, issuer: Issuer) -> None:
    issuer.gate.clear()
    waiting = [asyncio.create_task(checks.verify(ONE)) for _ in range(20)]
    await until(lambda: issuer.fetches == 1, 5, "the fetch began")
    waiting[0].cancel()  # who gives up does not take the fetch from the others
    issuer.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert not any(isinstance(result, BaseException) for result in results[1:])
    assert issuer.fetches == 1


async def test_a_withdrawn_key_is_refused_after_ten_minutes(
    checks: TokenVerifier, issuer: Issuer, clock: Clock
) -> None:
    await checks.verify(ONE)
    issuer.document = jwks(jwk(OTHER_RSA, kid="two"))
    assert checks.verify_now(ONE) is not None
    clock.s += REFRESH_EVERY_S
    assert await refused(checks, ONE) is ErrorCode.AUTH_FAILED


@pytest.mark.parametrize(
    "break_it",
    [
        lambda issuer: setattr(issuer, "status", "500 Oops"),
        lambda issuer: setattr(issuer, "status", "302 Found"),
        lambda issuer: setattr(issuer, "document", b"<html>maintenance</html>"),
        lambda issuer: setattr(issuer, "document", b'{"keys": []}'),
        lambda issuer: setattr(issuer, "document", b" " * (DOCUMENT_MAX_BYTES + 1)),
    ],
    ids=["error", "redirect", "html", "no keys", "too large"],
)
async def test_a_failing_refresh_keeps_the_old_keys(
    checks: TokenVerifier, issuer: Issuer, clock: Clock, break_it: Callable[[Issuer], None]
) -> None:
    await checks.verify(ONE)
    break_it(issuer)
    clock.s += REFRESH_EVERY_S
    assert (await checks.verify(ONE)).user_id == "alice"
    assert checks.verify_now(ONE) is not None, "no fetch is due again at once"
    assert issuer.fetches == 2


async def test_without_any_key_yet_the_refusal_is_one_to_try_again_after(clock: Clock) -> None:
    def away(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    published = PublishedKeys("http://issuer.test/keys", 5, clock=clock, transport=httpx.MockTransport(away))
    checks = TokenVerifier((secret_key(SECRET),), published, clock=lambda: NOW_S)
    assert await refused(checks, ONE) is ErrorCode.STORE_UNAVAILABLE
    assert (await checks.verify(signed())).user_id == "alice", "the shared secret needs no fetch"
    await checks.close()


async def test_an_issuer_that_never_answers_costs_its_deadline_and_no_more(issuer: Issuer, clock: Clock) -> None:
    issuer.gate.clear()
    published = PublishedKeys(issuer.url, 0.05, clock=clock)
    async with asyncio.timeout(5):
        assert await refused(TokenVerifier((), published), ONE) is ErrorCode.STORE_UNAVAILABLE
    await published.close()


async def test_no_password_in_the_address_reaches_the_log(issuer: Issuer, clock: Clock) -> None:
    issuer.status = "500 Oops"
    published = PublishedKeys(issuer.url.replace("//", "//user:hunter2@"), 5, clock=clock)
    with structlog.testing.capture_logs() as lines:
        await published.refresh()
    assert [line["reason"] for line in lines] == ["HTTP status 500"]
    assert "hunter2" not in repr(lines)
    await published.close()
