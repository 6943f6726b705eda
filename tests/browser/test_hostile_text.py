"""What people write, wherever they write it, stays text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import FilePayload, expect

from tests.browser.conftest import OpenContext
from tests.browser.test_files import png
from tests.browser.visitor import Hosts, Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")
Cast = Callable[..., list[str]]
ATTEMPTS = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(2)</script>",
    '"><svg onload=alert(3)><a href=javascript:alert(3)>x</a>',
    "</textarea></template></style><iframe srcdoc='<script>alert(4)</script>'></iframe>",
    'javascript:alert(5)//https://example.org/"onmouseover=alert(5)',
    "{{constructor.constructor('alert(6)')()}} ${alert(6)} &lt;b&gt;",
]
# Whatever could run, in the page and in all shadow roots.
DANGEROUS = """() => {
  const found = [];
  const look = (root) => {
    for (const element of root.querySelectorAll('*')) {
      const attributes = [...element.attributes];
      const runs = /^(SCRIPT|IFRAME|OBJECT|EMBED)$/i.test(element.tagName) && !element.src?.endsWith('/host.js');
      const handler = attributes.some(({ name }) => name.startsWith('on'));
      const address = attributes.some(({ name, value }) => /^(href|src|action|xlink:href)$/.test(name)
        && !/^(https?:|blob:|data:,|\\/)/.test(value));
      if (runs || handler || address) found.push(element.outerHTML);
      if (element.shadowRoot) look(element.shadowRoot);
    }
  };
  look(document);
  return found;
}"""


async def unharmed(visitor: Visitor) -> None:
    assert await visitor.page.evaluate(DANGEROUS) == []
    assert await visitor.page.evaluate("violations") == []
    assert visitor.faults == []


async def test_markup_in_messages_quotes_edits_and_metadata_stays_text(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    users = cast("alice", "mallory")
    await host.stack.create_thread(thread, *users)
    alice, mallory = [await host.visit(await new_context(), user, thread, inbox=True) for user in users]
    for text in ATTEMPTS:
        await mallory.client(
            "threads[argument[0]].send({ content: argument[1], metadata: { [argument[1]]: argument[1] } })",
            [thread, text],
        )
        await expect(alice.inbox_row(thread).locator(".last")).to_contain_text(text)
    await alice.until("Object.values(threads)[0].messages.length === argument", len(ATTEMPTS))
    await alice.shows(ATTEMPTS)
    for seq in range(1, len(ATTEMPTS) + 1):
        await mallory.client(
            "threads[argument[0]].send({ content: 'x', replyToId: argument[1] })", [thread, f"{thread}~{seq}"]
        )
    await expect(alice.thread().locator(".quote")).to_have_count(len(ATTEMPTS))
    said = await alice.thread().evaluate(
        "(e) => [...e.shadowRoot.querySelectorAll('.quote .said')].map((s) => s.textContent)"
    )
    assert [quote[:10] for quote in said] == [text[:10] for text in ATTEMPTS]
    await mallory.client("threads[argument[0]].edit(argument[0] + '~1', argument[1])", [thread, ATTEMPTS[2]])
    await expect(alice.thread().locator(".message .text").first).to_contain_text(ATTEMPTS[2])
    await alice.page.hover("chatterbus-thread .message >> nth=0")
    await unharmed(alice)
    await unharmed(mallory)


async def test_markup_in_names_titles_and_file_names_stays_text(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    alice_id, mallory_id, third_id = cast("alice", "mallory", "trent")
    async with host.stack.rest(mallory_id) as client:
        members = [{"userId": alice_id}, {"userId": third_id}]
        body = {"id": thread, "title": ATTEMPTS[0], "metadata": {"note": ATTEMPTS[1]}, "members": members}
        assert (await client.post("/api/chat/threads", json=body)).status_code == 201
    names = {mallory_id: ATTEMPTS[1], third_id: ATTEMPTS[2]}
    setup: dict[str, Any] = {"inbox": True, "names": names}
    alice = await host.visit(await new_context(), alice_id, thread, **setup)
    mallory = await host.visit(await new_context(), mallory_id, thread, options={"name": ATTEMPTS[2]}, **setup)
    trent = await host.visit(await new_context(), third_id, thread, **setup)
    await expect(alice.thread().locator("header h2")).to_have_text(ATTEMPTS[0])
    await expect(alice.inbox_row(thread).locator(".title")).to_have_text(ATTEMPTS[0])
    await mallory.composer().press_sequentially("x")
    await expect(alice.thread().locator(".typing")).to_have_text(f"{ATTEMPTS[1]} is typing…")
    names_of_files = ["<img src=x onerror=alert(7)>.png", '"><svg onload=alert(8)>.txt']
    files: list[FilePayload] = [
        {"name": names_of_files[0], "mimeType": "image/png", "buffer": png(30, 30)},
        {"name": names_of_files[1], "mimeType": "text/html", "buffer": b"<script>alert(9)</script>"},
    ]
    await mallory.thread().locator("input[type=file]").set_input_files(files)
    await expect(mallory.thread().locator(".uploads li")).to_have_count(2)
    await expect(mallory.thread().locator(".uploads progress")).to_have_count(0)
    await mallory.say("files")
    await trent.say("and I")
    row = alice.bubble("files")
    await expect(row.locator(".name").first).to_have_text(ATTEMPTS[1])
    await expect(row.get_by_role("button", name=names_of_files[0])).to_be_visible()
    await expect(row.locator(".file > bdi")).to_have_text(names_of_files[1])
    await alice.page.wait_for_function("(img) => img.naturalWidth > 0", arg=await row.locator("img").element_handle())
    await row.get_by_role("button", name=names_of_files[0]).click()
    await expect(alice.page.get_by_role("dialog")).to_be_visible()
    for visitor in (alice, mallory, trent):
        await unharmed(visitor)


async def test_only_web_addresses_become_links_and_they_tell_nobody(
    host: Hosts, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    (user,) = cast("alice")
    await host.stack.create_thread(thread, user)
    alice = await host.visit(await new_context(), user, thread)
    await alice.say("see https://example.org/a?b=<i> or javascript:alert(1) or data:text/html,x")
    links = alice.thread().locator(".message a")
    await expect(links).to_have_count(1)
    assert (await links.first.get_attribute("href") or "").startswith("https://example.org/a")
    assert "noopener" in (await links.first.get_attribute("rel") or "")
    await unharmed(alice)
