"""Who is here, from outside: what others see, what they do not, and what breaks without anybody blinking."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from bench.stack import stack as running_stack
from chatterbus_client import Client, ClientSettings, ConnectionChanged, State
from chatterbus_contracts.presence import LEASE_TTL_S
from tests.e2e.deployment import Deployment
from tests.e2e.people import (
    DEBOUNCE_S,
    QUICK_NOTIFIER,
    SLACK_S,
    Cast,
    online_by_rest,
    seen_by_rest,
    sees,
    told,
)
from tests.kit.socket import Socket
from tests.kit.waiting import until

UNSEEN = {"status": "offline", "lastSeenAt": None}
GONE_S = DEBOUNCE_S + SLACK_S
LOST_S = LEASE_TTL_S + GONE_S
RESTART_S = 30.0


@asynccontextmanager
async def together(*sockets: Socket) -> AsyncIterator[None]:
    """Close them at the end."""
    try:
        yield
    finally:
        await asyncio.gather(*(socket.close() for socket in sockets))


async def test_a_subscribe_shows_who_is_here_and_changes_come_live(lively: Deployment, thread: str, cast: Cast) -> None:
    alice, bob, carol = cast("alice", "bob", "carol")
    await lively.create_thread(thread, alice, bob, carol)
    bobs = await lively.join(bob)
    alices = await lively.join(alice, thread, gateway=2)
    async with together(alices, bobs):
        here = await sees(alices, bob, "online")
        absent = await sees(alices, carol, "offline")
        assert (here["lastSeenAt"], absent["lastSeenAt"]) == (None, None)
        async with together(await lively.join(carol)):
            came = await sees(alices, carol, "online")
        left = await sees(alices, carol, "offline")
        assert left["lastSeenAt"] is not None
        assert absent["version"] < came["version"] < left["version"]
        assert await seen_by_rest(lively, alice, bob) == {"userId": bob, "status": "online", "lastSeenAt": None}
        assert await online_by_rest(lively, alice) == [bob]
        assert {alice, bob} <= set(await online_by_rest(lively, "root", scope="chat:admin"))


async def test_devices_merge_and_the_last_to_leave_decides(lively: Deployment, thread: str, cast: Cast) -> None:
    alice, bob = cast("alice", "bob")
    await lively.create_thread(thread, alice, bob)
    alices, phone = await lively.join(alice, thread), await lively.join(bob)
    laptop = await lively.join(bob, gateway=2)
    async with together(alices):
        await sees(alices, bob, "online")
        await phone.send("presence_set", status="away", ref="1")
        await phone.expect("ack", lambda f: f["ref"] == "1")
        await laptop.send("presence_set", status="away", ref="2")
        await sees(alices, bob, "away")
        await phone.send("presence_set", status="online", ref="3")
        await sees(alices, bob, "online")
        await phone.close()
        await sees(alices, bob, "away")
        await laptop.close()
        await sees(alices, bob, "offline")
        assert told(alices, bob) == ["online", "away", "online", "away", "offline"]


async def test_a_reconnect_within_the_debounce_is_not_seen(lively: Deployment, thread: str, cast: Cast) -> None:
    alice, bob, carol = cast("alice", "bob", "carol")
    await lively.create_thread(thread, alice, bob, carol)
    alices, bobs, carols = [await lively.join(user, thread) for user in (alice, bob, carol)]
    async with together(alices):
        await sees(alices, bob, "online")
        await sees(alices, carol, "online")
        await asyncio.gather(bobs.close(), carols.close())
        async with together(await lively.join(bob, gateway=2)):
            await sees(alices, carol, "offline", GONE_S)
            assert told(alices, bob) == ["online"]


async def test_away_comes_without_activity_and_ends_with_it(hooked: Deployment, thread: str, cast: Cast) -> None:
    alice, bob = cast("alice", "bob")
    await hooked.create_thread(thread, alice, bob)
    alices, bobs = await hooked.join(alice, thread), await hooked.join(bob)
    async with together(alices, bobs):
        await sees(alices, bob, "online")
        await bobs.send("ping", id="1")
        await sees(alices, bob, "away")
        await bobs.send("ping", id="2")
        await bobs.expect("pong", lambda f: f["id"] == "2")
        await bobs.send("typing", threadId=thread)
        await sees(alices, bob, "online")
        assert told(alices, bob) == ["online", "away", "online"]


async def test_dnd_is_shown_on_all_devices_while_one_is_connected(lively: Deployment, thread: str, cast: Cast) -> None:
    alice, bob = cast("alice", "bob")
    await lively.create_thread(thread, alice, bob)
    alices, bobs = await lively.join(alice, thread), await lively.join(bob)
    async with together(alices):
        await sees(alices, bob, "online")
        await bobs.send("presence_set", status="dnd", ref="1")
        await bobs.expect("ack", lambda f: f["ref"] == "1")
        await sees(alices, bob, "dnd")
        await bobs.close()
        await sees(alices, bob, "offline", GONE_S)
        bobs = await lively.join(bob, gateway=2)
        await sees(alices, bob, "dnd")
        await bobs.send("presence_set", status="online", ref="2")
        await sees(alices, bob, "online")
        await bobs.close()


async def test_the_invisible_look_exactly_like_those_who_have_left(lively: Deployment, thread: str, cast: Cast) -> None:
    alice, bob, carol = cast("alice", "bob", "carol")
    await lively.create_thread(thread, alice, bob, carol)
    alices, bobs, carols = [await lively.join(user, thread) for user in (alice, bob, carol)]
    other_device = await lively.join(bob, gateway=2)
    async with together(alices, other_device):
        await sees(alices, bob, "online")
        await sees(alices, carol, "online")
        chosen_at = time.monotonic()
        await asyncio.gather(bobs.send("presence_set", status="invisible", ref="1"), carols.close())
        assert (await sees(other_device, bob, "invisible"))["userId"] == bob, "one's own devices are told the truth"
        hidden, gone = await asyncio.gather(
            sees(alices, bob, "offline", GONE_S), sees(alices, carol, "offline", GONE_S)
        )
        assert hidden.keys() == gone.keys()
        seen_at = [datetime.fromisoformat(frame["lastSeenAt"]) for frame in (hidden, gone)]
        assert abs(seen_at[0] - seen_at[1]) < timedelta(seconds=0.5)
        assert hidden["at"] - chosen_at >= DEBOUNCE_S
        assert abs(hidden["at"] - gone["at"]) < 0.5
        by_rest = [await seen_by_rest(lively, alice, user) for user in (bob, carol)]
        assert [state["lastSeenAt"] for state in by_rest] == [hidden["lastSeenAt"], gone["lastSeenAt"]]
        assert bob not in await online_by_rest(lively, alice)
        await bobs.close()
        bobs = await lively.join(bob, thread)
        async with together(await lively.join(carol)):
            await sees(alices, carol, "online")
        await sees(alices, carol, "offline", GONE_S)
        assert told(alices, bob) == ["online", "offline"], "nothing that a hidden user does is seen"
        assert await seen_by_rest(lively, alice, bob) == by_rest[0]
        await bobs.send("presence_set", status="online", ref="2")
        await sees(alices, bob, "online")
        await bobs.close()


async def test_strangers_see_nothing_before_and_after_a_thread_is_shared(
    lively: Deployment, thread: str, cast: Cast
) -> None:
    bob, eve, nobody = cast("bob", "eve", "nobody")
    eves, bobs = await lively.join(eve), await lively.join(bob, gateway=2)
    async with together(eves, bobs):

        async def looks(known: bool) -> None:
            await eves.send("presence_watch", userIds=[bob, nobody])
            bob_seen, nobody_seen = [
                await eves.expect("presence", lambda f, user=user: f["userId"] == user) for user in (bob, nobody)
            ]
            assert {**nobody_seen, "userId": ""} == {"type": "presence", "userId": "", "version": 0, **UNSEEN}
            by_rest = await seen_by_rest(lively, eve, bob)
            if known:
                assert (bob_seen["status"], by_rest["status"]) == ("online", "online")
            else:
                assert bob_seen == {**nobody_seen, "userId": bob}
                assert by_rest == {"userId": bob, **UNSEEN}
            assert (bob in await online_by_rest(lively, eve)) is known

        await looks(known=False)
        await lively.create_thread(thread, eve, bob)
        await looks(known=True)
        async with lively.rest(eve) as client:
            (await client.delete(f"/api/chat/threads/{thread}/members/{bob}")).raise_for_status()
        await looks(known=False)
        before = len(eves.history)
        await bobs.send("presence_set", status="dnd", ref="1")
        await bobs.expect("presence", lambda f: f["status"] == "dnd")
        await eves.send("ping", id="after")
        await eves.expect("pong", lambda f: f["id"] == "after")
        assert not [f for f in eves.history[before:] if f["type"] == "presence" and f["userId"] == bob]


async def test_a_member_who_is_removed_is_not_seen_by_followers_any_more(
    lively: Deployment, thread: str, cast: Cast
) -> None:
    alice, bob, carol = cast("alice", "bob", "carol")
    await lively.create_thread(thread, alice, bob, carol)
    alices, bobs, carols = [await lively.join(user, thread) for user in (alice, bob, carol)]
    async with together(alices, carols):
        await sees(alices, bob, "online")
        async with lively.rest(alice) as client:
            (await client.delete(f"/api/chat/threads/{thread}/members/{bob}")).raise_for_status()
        await alices.expect("member_removed")
        await asyncio.gather(bobs.close(), carols.send("presence_set", status="dnd"))
        await sees(alices, carol, "dnd")
        await carols.send("presence_set", status="online")
        assert await seen_by_rest(lively, alice, bob) == {"userId": bob, **UNSEEN}
        await sees(alices, carol, "online")
        assert told(alices, bob) == ["online"]


@pytest.mark.embedded_only
async def test_of_a_killed_and_a_frozen_gateway_who_comes_back_never_blinks_and_who_does_not_is_gone(
    lively: Deployment, thread: str, cast: Cast
) -> None:
    alice, frozen, *others = cast("alice", "frozen", *(f"u{number}" for number in range(6)))
    back, lost = others[:3], others[3:]
    await lively.create_thread(thread, alice, frozen, *others)
    alices, waiting = await lively.join(alice, thread, gateway=2), await lively.join(frozen, gateway=3)
    sockets = {user: await lively.join(user, thread, gateway=1) for user in others}
    for user in (frozen, *others):
        await sees(alices, user, "online")
    former = lively.pid("gateway-1")
    began = time.monotonic()
    lively.kill("gateway-1")
    lively.kill("gateway-3", signal.SIGSTOP)
    try:
        for socket in sockets.values():
            await socket.expect_close()
        returned = [await lively.join(user, thread, gateway=2) for user in back]
        gone = [await sees(alices, user, "offline", LOST_S) for user in (frozen, *lost)]
    finally:
        lively.kill("gateway-3", signal.SIGCONT)
    async with together(alices, waiting, *returned):
        assert max(frame["at"] for frame in gone) - began < LOST_S
        assert all(frame["lastSeenAt"] is not None for frame in gone)
        await sees(alices, frozen, "online")
        assert {user: told(alices, user) for user in back} == {user: ["online"] for user in back}
        assert await online_by_rest(lively, alice, gateway=2) == sorted([frozen, *back]), "nobody is stuck"
        await until(lambda: lively.came_back("gateway-1", former), RESTART_S, "the gateway is started again")
        await until(lambda: lively.is_ready(1), RESTART_S, "the gateway is back")
        async with together(await lively.join(lost[0], gateway=1)):
            await sees(alices, lost[0], "online")


@pytest.mark.embedded_only
async def test_a_rolling_restart_of_gateways_is_not_seen(lively: Deployment, thread: str, cast: Cast) -> None:
    alice, bob, carol = cast("alice", "bob", "carol")
    await lively.create_thread(thread, alice, bob, carol)
    quick = replace(ClientSettings(), reconnect_initial_s=0.2, reconnect_maximum_s=1.0)
    alices = await lively.join(alice, thread, gateway=3)
    async with AsyncExitStack() as clients:
        clients.push_async_callback(alices.close)
        for user, number in ((bob, 1), (carol, 2)):
            client = await clients.enter_async_context(
                Client(lively.gateway(number), token=lively.token(user), settings=quick)
            )
            await client.thread(thread)
            await sees(alices, user, "online")
            events, former = client.events(), lively.pid(f"gateway-{number}")
            lively.kill(f"gateway-{number}", signal.SIGTERM)
            async with asyncio.timeout(RESTART_S):
                async for event in events:
                    if isinstance(event, ConnectionChanged) and event.state is State.ONLINE:
                        break
            assert lively.came_back(f"gateway-{number}", former)
        assert (told(alices, bob), told(alices, carol)) == (["online"], ["online"])


@pytest.mark.embedded_only
@pytest.mark.parametrize("service", ["notifier", "nats"])
async def test_while_a_service_is_away_nobody_blinks_and_what_happens_meanwhile_is_seen_after(
    lively: Deployment, thread: str, cast: Cast, service: str
) -> None:
    alice, bob, carol, dan = cast("alice", "bob", "carol", "dan")
    await lively.create_thread(thread, alice, bob, carol, dan)
    alices, bobs, carols = await lively.join(alice, thread), await lively.join(bob), await lively.join(carol, gateway=2)
    for user in (bob, carol):
        await sees(alices, user, "online")
    former = lively.pid(service)
    lively.kill(service)
    await carols.close()
    dans = await lively.join(dan, gateway=2)
    async with together(alices, bobs, dans):
        await until(lambda: lively.came_back(service, former), RESTART_S, "it is started again")
        await sees(alices, dan, "online", RESTART_S)
        await sees(alices, carol, "offline", RESTART_S)
        assert [told(alices, user) for user in (bob, carol, dan)] == [["online"], ["online", "offline"], ["online"]]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data directory that PostgreSQL's account can reach (pytest's tmp_path is 0700 and root's)."""
    root = Path(tempfile.mkdtemp(prefix="cb-test-"))
    if os.geteuid() == 0:
        root.chmod(0o711)
    yield root / "data"
    shutil.rmtree(root, ignore_errors=True)


@pytest.mark.embedded_only
async def test_last_seen_and_the_choice_to_be_invisible_outlive_a_restart_of_everything(
    data_dir: Path, tmp_path: Path, thread: str, cast: Cast
) -> None:
    alice, bob, carol = cast("alice", "bob", "carol")
    with running_stack(tmp_path / "first.log", env=QUICK_NOTIFIER, data_dir=data_dir) as started:
        first = Deployment(started, tmp_path)
        await first.create_thread(thread, alice, bob, carol)
        alices = await first.join(alice, thread)
        bobs, carols = await first.join(bob), await first.join(carol)
        async with together(alices, bobs):
            await sees(alices, carol, "online")
            await bobs.send("presence_set", status="invisible", ref="1")
            await bobs.expect("ack", lambda f: f["ref"] == "1")
            await carols.close()
            gone = await sees(alices, carol, "offline", GONE_S)
            await sees(alices, bob, "offline", GONE_S)
            hidden = await seen_by_rest(first, alice, bob)
    with running_stack(tmp_path / "second.log", env=QUICK_NOTIFIER, data_dir=data_dir) as started:
        second = Deployment(started, tmp_path)
        bobs = await second.join(bob)
        async with together(bobs):
            assert (await sees(bobs, bob, "invisible"))["userId"] == bob
            seen = await seen_by_rest(second, alice, carol)
            assert seen == {"userId": carol, "status": "offline", "lastSeenAt": gone["lastSeenAt"]}
            assert await seen_by_rest(second, alice, bob) == hidden


async def test_presence_needs_a_token(lively: Deployment, cast: Cast) -> None:
    [bob] = cast("bob")
    async with httpx.AsyncClient(base_url=lively.url, headers={"Authorization": "Bearer no"}) as client:
        for path in ("/api/users/online", f"/api/users/{bob}/presence"):
            assert (await client.get(path)).status_code == 401
