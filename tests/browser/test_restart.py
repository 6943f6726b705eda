"""The server goes away under a page: killed, and drained."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from bench.stack import stack as running_stack
from tests.browser.conftest import OpenContext
from tests.browser.needs import need_chromium
from tests.browser.page_server import PageServer
from tests.browser.visitor import BACK_WITHIN_MS, Hosts
from tests.e2e.deployment import Deployment
from tests.kit.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")
Cast = Callable[..., list[str]]


@pytest.fixture(scope="module")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A system whose gateway may be killed, and that asks clients back soon."""
    need_chromium()
    folder = tmp_path_factory.mktemp("breakable")
    with running_stack(folder / "up.log", env={"GATEWAY_RECONNECT_JITTER_S": "0.5"}) as started:
        yield Deployment(started, folder)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_page_comes_back_after_the_gateway_is_gone_and_sends(
    breakable: Deployment,
    page_server: PageServer,
    new_context: OpenContext,
    cast: Cast,
    thread: str,
    number: signal.Signals,
) -> None:
    host = Hosts(page_server.url, breakable)
    users = cast("alice", "bob")
    await breakable.create_thread(thread, *users)
    alice, bob = [await host.visit(await new_context(), user, thread) for user in users]
    await alice.say("before")
    await bob.sees("before")
    pid = breakable.pid("gateway-1")
    breakable.kill("gateway-1", number)
    await alice.until("told.some(({ type, stale }) => type === 'stale' && stale)")
    await alice.say("while it is away")
    await until(lambda: breakable.came_back("gateway-1", pid), 30, "the gateway is started again")
    await alice.online()
    await bob.online()
    await alice.say("after")
    await bob.sees("after", within_ms=BACK_WITHIN_MS)
    expected = ["before", "while it is away", "after"]
    await bob.shows(expected)
    assert [m["content"] for m in await breakable.history(thread, users[0])] == expected
    await bob.say("heard")
    await alice.sees("heard")
