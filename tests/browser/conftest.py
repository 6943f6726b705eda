"""A browser, a running stack, and people at pages.

One browser and one stack serve all tests that leave the stack whole; each test has contexts, users and threads of its
own. All of it lives in one event loop, so every module here says `loop_scope="session"`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright

from bench.stack import LIMITS_OFF
from bench.stack import stack as running_stack
from tests.browser.needs import CHROMIUM, need_chromium
from tests.browser.page_server import PageServer
from tests.browser.visitor import Hosts
from tests.e2e.deployment import Deployment
from tests.e2e.people import QUICK_NOTIFIER

OpenContext = Callable[..., Awaitable[BrowserContext]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's, without a sandbox: tests may run as root."""
    need_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A system in development mode, in which people who leave are soon seen to have left."""
    need_chromium()
    folder = tmp_path_factory.mktemp("web")
    with running_stack(folder / "up.log", env={**LIMITS_OFF, **QUICK_NOTIFIER}) as started:
        yield Deployment(started, folder)


@pytest.fixture(scope="session")
def page_server() -> Iterator[PageServer]:
    """Serves tests/browser/pages."""
    with PageServer(Path(__file__).parent / "pages") as server:
        yield server


@pytest.fixture
def host(page_server: PageServer, web: Deployment) -> Hosts:
    """The tests' own page."""
    return Hosts(page_server.url, web)


@pytest_asyncio.fixture(loop_scope="session")
async def new_context(chromium: Browser) -> AsyncIterator[OpenContext]:
    """Makes browser contexts: each is a person's own browser, with storage of its own."""
    opened: list[BrowserContext] = []

    async def make(**options: Any) -> BrowserContext:
        context = await chromium.new_context(locale="en-GB", timezone_id="UTC", **options)
        opened.append(context)
        return context

    yield make
    for context in opened:
        await context.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept, for people to look at."""
    return tmp_path_factory.mktemp("screenshots")
