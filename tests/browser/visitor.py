"""One person at a page: what they do, and what they see.

Promises: waits with a deadline for what it looks for, never for a time; text is looked for as a person would see it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from playwright.async_api import BrowserContext, Locator, Page, Response, WebSocket, expect
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from tests.e2e.deployment import Deployment
from tests.kit.waiting import until

SEEN_WITHIN_MS: Final = 10_000
POINTINGS: Final = 3  # at a button of a row that may move
BACK_WITHIN_MS: Final = 40_000
STARTED_WITHIN_S: Final = 30
STARTS_MAX: Final = 5
# By a container that comes or goes, say.
NETWORK_CHANGED: Final = "ERR_NETWORK_CHANGED"
DEMO_READY: Final = "document.documentElement.dataset.theme"


@dataclass
class Visitor:
    """A person, the page in front of them, and (on the tests' host page) `window.client` behind it."""

    user: str
    page: Page
    sockets: list[WebSocket] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def attach(self) -> None:
        """Remember the page's sockets, and what must never happen on any page."""
        self.page.set_default_timeout(SEEN_WITHIN_MS)
        self.page.on("websocket", lambda socket: self.sockets.append(socket))
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("dialog", self._dialog)
        self.page.on("requestfailed", lambda request: self.failed.append(f"{request.failure}: {request.url}"))
        self.page.on("response", self._answered)

    def _answered(self, response: Response) -> None:
        if response.status >= HTTPStatus.BAD_REQUEST:
            self.failed.append(f"{response.status}: {response.url}")

    async def _dialog(self, dialog: Any) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    async def start(self, address: str, ready: str = "window.hostReady") -> None:
        """Open a page; again when the network changed meanwhile, for browsers drop all requests then."""
        for _ in range(STARTS_MAX):
            self.failed.clear()
            await self.page.goto(address)
            await until(lambda: self._started_or_failed(ready), STARTED_WITHIN_S, "the page starts")
            if not any(NETWORK_CHANGED in failure for failure in self.failed):
                assert not self.faults, f"{self.faults}, {self.failed}"
                return
            self.faults.clear()
        raise AssertionError("the network does not stop changing")

    async def _started_or_failed(self, ready: str) -> bool:
        return bool(self.faults or self.failed) or bool(await self.page.evaluate(ready))

    @property
    def open_sockets(self) -> int:
        return sum(not socket.is_closed() for socket in self.sockets)

    # --- the thread element ------------------------------------------------------------------------------------------

    def thread(self, thread_id: str | None = None) -> Locator:
        """The element, of one thread if there are several."""
        return self.page.locator(
            "chatterbus-thread" if thread_id is None else f"chatterbus-thread[thread-id='{thread_id}']"
        )

    def inbox_row(self, thread_id: str) -> Locator:
        return self.page.locator(f"chatterbus-inbox .thread[data-id='{thread_id}']")

    def composer(self, thread_id: str | None = None) -> Locator:
        return self.thread(thread_id).get_by_role("textbox", name="Write a message")

    def bubble(self, text: str, thread_id: str | None = None) -> Locator:
        """The row of the message that says `text`."""
        said = self.page.locator(".text").filter(has_text=text)  # not what it quotes
        return self.thread(thread_id).locator(".message").filter(has=said)

    def tick(self, text: str) -> Locator:
        return self.bubble(text).locator(".tick")

    async def say(self, text: str, thread_id: str | None = None) -> None:
        """Type it and press Enter."""
        await self.composer(thread_id).fill(text)
        await self.composer(thread_id).press("Enter")

    async def sees(self, text: str, thread_id: str | None = None, within_ms: int = SEEN_WITHIN_MS) -> None:
        await expect(self.bubble(text, thread_id)).to_have_count(1, timeout=within_ms)
        await expect(self.bubble(text, thread_id)).to_be_visible(timeout=within_ms)

    async def sees_status(self, text: str, status: str, within_ms: int = SEEN_WITHIN_MS) -> None:
        """The tick under one's own message: sending, queued, sent, delivered, read."""
        await expect(self.tick(text)).to_have_class(f"tick {status}", timeout=within_ms)

    async def texts(self, thread_id: str | None = None) -> list[str]:
        """What the messages say, in their order, without times and names."""
        texts: list[str] = await self.thread(thread_id).evaluate(
            """(element) => [...element.shadowRoot.querySelectorAll('.message .text')].map((text) => {
                 const copy = text.cloneNode(true);
                 copy.querySelector('.foot')?.remove();
                 return copy.textContent;
               })"""
        )
        return texts

    async def shows(self, expected: list[str], thread_id: str | None = None) -> None:
        """Wait until the messages say this, in this order."""
        shown: list[str] = []

        async def same() -> bool:
            shown[:] = await self.texts(thread_id)
            return shown == expected

        try:
            await until(same, SEEN_WITHIN_MS / 1_000, "the messages")
        except AssertionError:
            assert shown == expected

    async def act(self, text: str, action: str, *, keyboard: bool = False) -> None:
        """Press a button of the message's toolbar; when the list moves under the pointer, follow the message."""
        row = self.bubble(text)
        button = row.get_by_role("group", name="Message actions").get_by_role("button", name=action)
        if keyboard:
            await row.focus()
            await button.press("Enter")
            return
        for left in reversed(range(POINTINGS)):
            await row.hover()
            try:
                await button.click(timeout=SEEN_WITHIN_MS / POINTINGS)
            except PlaywrightTimeoutError:
                if not left:
                    raise
            else:
                return

    # --- the client behind it ----------------------------------------------------------------------------------------

    async def client(self, expression: str, argument: Any = None) -> Any:
        """The value of `expression`, in which `client`, `threads` and `argument` are known."""
        return await self.page.evaluate(
            f"async (argument) => {{ const {{ client, threads }} = window; return {expression}; }}", argument
        )

    async def until(self, condition: str, argument: Any = None, within_ms: int = SEEN_WITHIN_MS) -> None:
        """Wait until `condition` is true of `client`, `threads`, `told` and `argument`."""
        script = f"(argument) => {{ const {{ client, threads, told }} = window; return Boolean({condition}); }}"
        await self.page.wait_for_function(script, arg=argument, timeout=within_ms)

    async def online(self, within_ms: int = BACK_WITHIN_MS) -> None:
        await self.until("client?.connectionState === 'online' && !client.stale", within_ms=within_ms)


Mint = Callable[[], Awaitable[str]] | Callable[[], str]


@dataclass(frozen=True, slots=True)
class Hosts:
    """The tests' own page, at an origin that is not the gateway's."""

    url: str
    stack: Deployment

    def address(self, user: str, *threads: str, gateway: str | None = None, **setup: Any) -> str:
        """Of the page for `user`; `options` are the client's, `gateway` where its client connects."""
        options = {"url": gateway or self.stack.url, "userId": user, **setup.pop("options", {})}
        whole = {"sdk": self.stack.url, "threads": threads, "options": options, **setup}
        return f"{self.url}/host.html?setup={quote(json.dumps(whole))}"

    async def visit(
        self,
        context: BrowserContext,
        user: str,
        *threads: str,
        mint: Mint | None = None,
        online: bool = True,
        **setup: Any,
    ) -> Visitor:
        """A page of `context`, when it is there and (unless told otherwise) online."""
        visitor = Visitor(user, await context.new_page())
        visitor.attach()
        if mint is not None:
            await visitor.page.expose_function("mintToken", mint)
            setup["mint"] = True
        await visitor.start(self.address(user, *threads, **setup))
        if online:
            await visitor.online()
        return visitor
