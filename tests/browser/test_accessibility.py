"""axe finds nothing, light and dark, on a phone and on a desktop; screenshots are kept for people to look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenContext
from tests.browser.needs import WEB, need_node_modules
from tests.browser.test_files import png
from tests.browser.visitor import DEMO_READY, Hosts, Visitor
from tests.e2e.deployment import Deployment

pytestmark = pytest.mark.asyncio(loop_scope="session")
Cast = Callable[..., list[str]]
Scheme = Literal["light", "dark"]
SIZES: Final = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 800}}
TOO_WIDE: Final = "document.documentElement.scrollWidth > innerWidth"
looks = pytest.mark.parametrize(
    ("scheme", "size"), [(scheme, size) for scheme in ("light", "dark") for size in SIZES]
)  # fmt: skip


async def looked_at(page: Page, picture: Path) -> None:
    """Keep a screenshot, and ask axe."""
    await page.screenshot(path=picture)
    found = await violations(page)
    assert not found, json.dumps(found, indent=2, ensure_ascii=False)


async def violations(page: Page) -> list[dict[str, Any]]:
    """What axe finds, short enough to be read in a failure."""
    need_node_modules()
    await page.evaluate((WEB / "node_modules" / "axe-core" / "axe.min.js").read_text() + "; undefined")
    found: list[dict[str, Any]] = await page.evaluate(
        """async () => (await axe.run(document)).violations.map(({ id, help, nodes }) => ({
             id, help, where: nodes.slice(0, 5).map(({ html, failureSummary }) => [html.slice(0, 200), failureSummary]),
           }))"""
    )
    return found


async def furnish(stack: Deployment, thread: str, alice: str, bob: str) -> None:
    """A thread with a bit of everything."""
    async with stack.rest(alice) as hers, stack.rest(bob) as his:
        uploaded = [
            (await hers.post("/api/chat/attachments", params={"threadId": thread, "name": name}, content=body))
            for name, body in (("harbour.png", png()), ("plan.txt", b"at ten"))
        ]
        files = [answer.raise_for_status().json()["id"] for answer in uploaded]

        async def say(client: Any, content: str, **more: Any) -> None:
            body = {"threadId": thread, "content": content, **more}
            (await client.post("/api/chat/messages", json=body)).raise_for_status()

        await say(hers, "Good morning! The ship is in, see https://example.org/harbour")
        await say(hers, "And here it is", attachmentIds=files)
        await say(his, "Lovely. When do we meet?", replyToId=f"{thread}~2")
        await say(his, "🎉")
        await say(hers, "At nine")
        await say(hers, "gone soon")
        await say(his, "Supercalifragilistic" * 8)
        await say(his, "שלום, this line begins on the right")
        (await hers.patch(f"/api/chat/messages/{thread}~5", json={"content": "At ten"})).raise_for_status()
        (await hers.delete(f"/api/chat/messages/{thread}~6")).raise_for_status()
        (await his.put(f"/api/chat/messages/{thread}~1/reactions/👍")).raise_for_status()
        (await hers.put(f"/api/chat/messages/{thread}~1/reactions/👍")).raise_for_status()


@looks
async def test_the_elements_have_no_violations(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str, pictures: Path, scheme: Scheme, size: str
) -> None:
    alice, bob = cast("alice", "bob")
    await host.stack.create_thread(thread, alice, bob)
    await host.stack.create_thread(f"{thread}-quiet", bob, alice)
    await furnish(host.stack, thread, alice, bob)
    context = await new_context(color_scheme=scheme, viewport=SIZES[size], reduced_motion="reduce")
    names = {alice: "Alice Archer", bob: "Bob Baker"}
    visitor = await host.visit(context, alice, thread, inbox=True, names=names)
    await visitor.sees("שלום")
    await expect(visitor.page.locator("chatterbus-inbox .thread")).to_have_count(2)
    await visitor.bubble("Good morning").hover()
    await visitor.act("Good morning", "Add a reaction")
    await visitor.client("threads[argument].send({ content: 'refused', replyToId: argument + '~99' })", thread)
    await expect(visitor.thread().locator(".failure")).to_be_visible()
    await looked_at(visitor.page, pictures / f"elements-{scheme}-{size}.png")
    await visitor.bubble("And here it is").get_by_role("button", name="Open picture harbour.png").press("Enter")
    await expect(visitor.page.get_by_role("dialog")).to_be_visible()
    await looked_at(visitor.page, pictures / f"picture-{scheme}-{size}.png")
    await visitor.page.keyboard.press("Escape")
    await context.set_offline(True)
    await visitor.until("client.connectionState === 'offline'")
    await expect(visitor.thread().locator(".banner")).to_be_visible()
    await looked_at(visitor.page, pictures / f"offline-{scheme}-{size}.png")


@looks
async def test_the_demo_has_no_violations(
    web: Deployment, new_context: OpenContext, cast: Cast, thread: str, pictures: Path, scheme: Scheme, size: str
) -> None:
    alice, bob = cast("alice", "bob")
    await web.create_thread(thread, alice, bob)
    await furnish(web, thread, alice, bob)
    context = await new_context(color_scheme=scheme, viewport=SIZES[size], reduced_motion="reduce")
    visitor = Visitor(alice, await context.new_page())
    visitor.attach()
    await visitor.start(web.url, DEMO_READY)
    await expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
    await looked_at(visitor.page, pictures / f"welcome-{scheme}-{size}.png")
    assert not await visitor.page.evaluate(TOO_WIDE), "nothing has to be scrolled sideways"
    await visitor.start(f"{web.url}/?as={alice},{bob}#{thread}", DEMO_READY)
    first = visitor.page.locator(f"section[data-user='{alice}']")
    await expect(first.locator(".line .state")).to_have_text("Online")
    await expect(first.locator(".message").last).to_be_visible()
    await looked_at(visitor.page, pictures / f"demo-{scheme}-{size}.png")
    assert not await visitor.page.evaluate(TOO_WIDE), "nothing has to be scrolled sideways"
    if size == "phone":
        await first.get_by_role("button", name="Threads").click()
        await expect(first.locator("chatterbus-inbox")).to_be_visible()
        await looked_at(visitor.page, pictures / f"inbox-{scheme}-{size}.png")
