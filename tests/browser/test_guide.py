"""docs/embedding.md, followed to the letter: its own code, in a product of its own, under the policy that it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenContext
from tests.browser.needs import ROOT
from tests.browser.visitor import BACK_WITHIN_MS, Visitor
from tests.e2e.deployment import Deployment

pytestmark = pytest.mark.asyncio(loop_scope="session")
GUIDE: Final = (ROOT / "docs" / "embedding.md").read_text()
CHAT: Final = "https://chat.example.com"
CLIENT, BUILDER = "u17", "u18"


def blocks(language: str, text: str = GUIDE) -> list[str]:
    """The guide's code, in its order."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def policy() -> str:
    (found,) = re.findall(r"Content-Security-Policy: ((?:.+;\n)+.+)\n", GUIDE)
    return " ".join(str(found).split())


@pytest.fixture
def product(web: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, dict[str, Any]]]:
    """The product's backend and pages, and the names that its Python code defines."""
    monkeypatch.setenv("CHAT_SECRET", Path(web.stack.ready["jwtSecretFile"]).read_text().strip())

    def here(text: str) -> str:
        # A product's gateway has TLS; the one of the tests has not.
        return text.replace(CHAT, web.url).replace("wss://chat.example.com", web.ws.removesuffix("/ws"))

    backend: dict[str, Any] = {}
    for code in blocks("python"):
        exec(here(code), backend)
    section = GUIDE[GUIDE.index("## 4.") : GUIDE.index("## 5.")]
    page = "<!doctype html><html lang=en><title>Orders</title>" + "".join(blocks("html", section))
    script = "\n".join(code for code in blocks("javascript", section))
    csp = here(policy())

    class Backend(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            user = self.headers.get("Cookie", "").removeprefix("user=")
            kind, body = {
                "/": ("text/html", page),
                "/chat.js": ("text/javascript", here(script)),
                "/chat-token": ("text/plain", backend["chat_token"](user, user)),
            }.get(self.path, ("", ""))
            self.send_response(200 if kind else 404)
            self.send_header("Content-Type", kind or "text/plain")
            self.send_header("Content-Security-Policy", csp)
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing: the tests' output is for their failures."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    server.daemon_threads = True
    serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}", backend
    server.shutdown()
    server.server_close()
    serving.join()


async def visit(new_context: OpenContext, url: str, user: str) -> Visitor:
    context = await new_context()
    await context.add_cookies([{"name": "user", "value": user, "url": url}])
    await context.add_init_script(
        "window.violations = [];"
        "addEventListener('securitypolicyviolation', ({ violatedDirective: what }) => window.violations.push(what));"
    )
    visitor = Visitor(user, await context.new_page())
    visitor.attach()
    await visitor.page.goto(url)
    return visitor


async def test_the_guides_own_code_makes_two_users_of_a_product_talk(
    product: tuple[str, dict[str, Any]], web: Deployment, new_context: OpenContext
) -> None:
    url, backend = product
    open_thread: Callable[[str, str, str], None] = backend["open_thread"]
    open_thread("4711", CLIENT, BUILDER)
    client, builder = [await visit(new_context, url, user) for user in (CLIENT, BUILDER)]
    await client.say("Hello from the guide")
    await builder.sees("Hello from the guide", within_ms=BACK_WITHIN_MS)
    await builder.say("It took five minutes")
    await client.sees("It took five minutes")
    await client.sees_status("Hello from the guide", "read")
    await expect(client.inbox_row("order-4711").locator(".title")).to_have_text("Order 4711")
    await expect(client.thread().locator("header h2")).to_have_text("Order 4711")
    assert [m["senderId"] for m in await web.history("order-4711", CLIENT)] == [CLIENT, BUILDER]
    for visitor in (client, builder):
        assert await visitor.page.evaluate("window.violations") == []
        assert visitor.faults == []
