"""What is revoked, for how long, and who may revoke."""

from __future__ import annotations

import pytest

from chatterbus_contracts.errors import ErrorCode
from chatterbus_contracts.ids import UserId
from chatterbus_contracts.rest import Revocation
from chatterbus_gateway.principal import Principal
from chatterbus_gateway.revocations import Revocations
from tests.unit.gateway.rest_fakes import Rest, problem

ALICE = UserId("alice")
DAY_S = 86_400.0


def bearer(**fields: object) -> Principal:
    return Principal(**{"user_id": ALICE, "issued_at": 1_000.0, "token_id": "t1", **fields})  # type: ignore[arg-type]


def test_a_revoked_token_is_covered_and_the_users_others_are_not() -> None:
    revocations = Revocations(DAY_S)
    revocations.revoke_token("t1", 2_000.0)
    assert revocations.covers(bearer())
    assert not revocations.covers(bearer(token_id="t2"))
    assert not revocations.covers(bearer(token_id=None))


def test_a_revoked_user_keeps_what_is_issued_afterwards() -> None:
    revocations = Revocations(DAY_S)
    revocations.revoke_user(ALICE, 2_000.5)
    assert revocations.covers(bearer(issued_at=2_000.0))
    assert not revocations.covers(bearer(issued_at=2_001.0))
    assert not revocations.covers(bearer(user_id=UserId("bob")))


def test_a_token_that_does_not_say_when_it_was_issued_is_older_than_any_revocation() -> None:
    revocations = Revocations(DAY_S)
    revocations.revoke_user(ALICE, 2_000.0)
    assert revocations.covers(bearer(issued_at=None))


def test_an_older_revocation_of_a_user_takes_nothing_back() -> None:
    revocations = Revocations(DAY_S)
    revocations.revoke_user(ALICE, 3_000.0)
    revocations.revoke_user(ALICE, 2_000.0)
    assert revocations.covers(bearer(issued_at=2_500.0))


def test_who_has_no_token_has_none_to_lose() -> None:
    revocations = Revocations(DAY_S)
    revocations.revoke_user(ALICE, 2_000.0)
    assert not revocations.covers(bearer(dev=True, issued_at=None, token_id=None))


def test_what_is_older_than_any_token_is_forgotten() -> None:
    revocations = Revocations(kept_s=100)
    for number in range(1_000):
        revocations.revoke_token(f"t{number}", float(number))
        revocations.revoke_user(UserId(f"u{number}"), float(number))
    assert len(revocations) == 2 * 101
    assert revocations.covers(bearer(token_id="t999"))
    assert not revocations.covers(bearer(token_id="t0"))


class FakeRevokes:
    def __init__(self) -> None:
        self.asked: list[tuple[str | None, UserId | None]] = []

    async def revoke(self, token_id: str | None, user_id: UserId | None) -> Revocation:
        self.asked.append((token_id, user_id))
        return Revocation(token_id=token_id, user_id=user_id, revoked_at="2026-01-31T12:00:00.000Z")


@pytest.fixture
def rest() -> Rest:
    rest = Rest()
    rest.app.state.revokes = FakeRevokes()
    return rest


async def test_an_admin_revokes_by_token_or_by_user(rest: Rest) -> None:
    async with rest.client("root-token") as client:
        by_user = await client.post("/api/admin/revocations", json={"userId": "alice"})
        by_token = await client.post("/api/admin/revocations", json={"tokenId": "t1"})
    assert (by_user.status_code, by_user.json()["userId"]) == (201, "alice")
    assert by_token.json() == {"tokenId": "t1", "userId": None, "revokedAt": "2026-01-31T12:00:00.000Z"}
    assert rest.app.state.revokes.asked == [(None, "alice"), ("t1", None)]


@pytest.mark.parametrize("body", [{}, {"userId": "alice", "tokenId": "t1"}])
async def test_one_of_both_is_named_and_not_more(rest: Rest, body: dict[str, str]) -> None:
    async with rest.client("root-token") as client:
        problem(await client.post("/api/admin/revocations", json=body), ErrorCode.BAD_REQUEST)
    assert not rest.app.state.revokes.asked


async def test_others_revoke_nothing(rest: Rest) -> None:
    async with rest.client() as client:
        problem(await client.post("/api/admin/revocations", json={"userId": "alice"}), ErrorCode.FORBIDDEN)
    assert not rest.app.state.revokes.asked


async def test_a_gateway_that_keeps_none_says_so() -> None:
    async with Rest().client("root-token") as client:
        answer = await client.post("/api/admin/revocations", json={"userId": "alice"})
    problem(answer, ErrorCode.STORE_UNAVAILABLE)
