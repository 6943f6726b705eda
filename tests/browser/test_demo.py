"""The demo page: what a person who has just run `chatterbus up` does first."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import OpenContext
from tests.browser.visitor import DEMO_READY, Visitor
from tests.e2e.deployment import Deployment

pytestmark = pytest.mark.asyncio(loop_scope="session")
Cast = Callable[..., list[str]]


async def visit(web: Deployment, new_context: OpenContext, address: str, user: str = "") -> Visitor:
    visitor = Visitor(user, await (await new_context()).new_page())
    visitor.attach()
    await visitor.start(web.url + address, DEMO_READY)
    return visitor


def seat(visitor: Visitor, user: str) -> Locator:
    return visitor.page.locator(f"section.seat[data-user='{user}']")


async def online(place: Locator) -> None:
    await expect(place.locator("header .line .state")).to_have_text("Online", timeout=20_000)


async def say(place: Locator, text: str) -> None:
    box = place.get_by_role("textbox", name="Write a message")
    await box.fill(text)
    await box.press("Enter")


async def test_a_name_is_picked_and_two_windows_talk(web: Deployment, new_context: OpenContext, thread: str) -> None:
    alice = await visit(web, new_context, f"/#{thread}", "alice")
    await alice.page.get_by_label("Your name").fill("Alice")
    await alice.page.get_by_role("button", name="Start").click()
    await online(seat(alice, "alice"))
    bob = await visit(web, new_context, f"/#{thread}", "bob")
    await bob.page.get_by_role("button", name="Bob").click()
    await online(seat(bob, "bob"))
    await alice.say("Hello from the first window")
    await bob.sees("Hello from the first window")
    await bob.say("And from the second")
    await alice.sees("And from the second")
    await alice.sees_status("Hello from the first window", "read")
    await alice.page.reload()
    await alice.sees("And from the second")
    assert alice.faults == bob.faults == []


async def test_side_by_side_and_the_network_switch_shows_outbox_and_resume(
    web: Deployment, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    one, two = cast("ann", "ben")
    window = await visit(web, new_context, f"/?as={one},{two}#{thread}")
    ann, ben = seat(window, one), seat(window, two)
    await online(ann)
    await online(ben)
    await say(ann, "before")
    await expect(ben.locator(".message")).to_have_count(1)
    await ann.get_by_role("switch").click()
    await expect(ann.locator("header .line .state")).to_contain_text("Offline")
    for number in range(3):
        await say(ann, f"queued {number}")
    await expect(ann.locator("header .line .waiting")).to_have_text("3 waiting to be sent")
    await say(ben, "said meanwhile")
    await expect(ben.locator(".message")).to_have_count(2)
    await ann.get_by_role("switch").click()
    await online(ann)
    await expect(ann.locator("header .line .waiting")).to_have_text("")
    await expect(ben.locator(".message")).to_have_count(5)
    said = [message["content"] for message in await web.history(thread, one)]
    assert said == ["before", "said meanwhile", "queued 0", "queued 1", "queued 2"]
    for place in (ann, ben):
        for text in said:
            await expect(place.locator(".message").filter(has_text=text)).to_have_count(1)
    await expect(ann.locator("header .line")).to_contain_text(re.compile(r"stored in \d"))
    assert window.faults == []


async def test_a_new_thread_is_named_after_its_id_and_a_named_one_keeps_its_name(
    web: Deployment, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("dora")
    async with web.rest(user) as rest:
        (await rest.post("/api/chat/threads", json={"id": thread, "title": "Kitchen"})).raise_for_status()
    dora = await visit(web, new_context, f"/?as={user}#{thread}-new", user)
    title = dora.page.locator("chatterbus-thread header h2")
    await expect(title).to_have_text(re.compile("^T[- ].* New$"))
    await dora.inbox_row(thread).click()
    await expect(title).to_have_text("Kitchen")
    await dora.say("in the kitchen")
    await dora.sees_status("in the kitchen", "sent")
    async with web.rest(user) as rest:
        assert (await rest.get(f"/api/chat/threads/{thread}")).json()["title"] == "Kitchen"


async def test_the_demo_runs_under_its_own_policy(
    web: Deployment, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("carol")
    context = await new_context()
    await context.add_init_script(
        "window.violations = [];"
        "addEventListener('securitypolicyviolation', (event) => window.violations.push(event.violatedDirective));"
    )
    carol = Visitor(user, await context.new_page())
    carol.attach()
    response = await carol.page.goto(f"{web.url}/?as={user}#{thread}")
    assert response is not None
    assert "default-src 'self'" in response.headers["content-security-policy"]
    await online(seat(carol, user))
    await carol.say("within the rules")
    await carol.sees_status("within the rules", "sent")
    assert await carol.page.evaluate("window.violations") == []
    assert carol.faults == []
