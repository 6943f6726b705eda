"""What `npm pack` makes is all that a product needs: with a bundler, without one, and for a type checker."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest

from tests.browser.conftest import OpenContext
from tests.browser.needs import WEB, need_node_modules
from tests.browser.page_server import PageServer
from tests.browser.visitor import Visitor
from tests.e2e.deployment import Deployment

pytestmark = pytest.mark.asyncio(loop_scope="session")
Cast = Callable[..., list[str]]
TIMEOUT_S: Final = 90
PAGE: Final = """
const { url, user, thread } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
const client = new ChatClient({ url, userId: user });
const element = document.createElement("chatterbus-thread");
element.threadId = thread;
element.client = client;
document.body.append(element);
client.connect();
"""
BUNDLED: Final = 'import { ChatClient } from "chatterbus-web";\nimport "chatterbus-web/element";\n' + PAGE
PLAIN: Final = (
    'import { ChatClient } from "/node_modules/chatterbus-web/src/index.js";\n'
    'import "/node_modules/chatterbus-web/src/element/index.js";\n' + PAGE
)
TYPED: Final = """
import { ChatClient, type ClientOptions, type Message } from "chatterbus-web";
import "chatterbus-web/element";
const options: ClientOptions = { token: async () => "t" };
const client = new ChatClient(options);
const sent: Message = client.thread("t").send({ content: "hello" });
const state: string = client.connectionState;
// @ts-expect-error a status is one of six
const wrong: "nonsense" = sent.status;
void [state, wrong];
"""


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}"
    return done.stdout


def html(script: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title><link rel="icon" href="data:,">'
        f'<body><script type="module" src="{script}"></script></body></html>'
    )


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a product that has the package installed."""
    need_node_modules()
    folder = tmp_path_factory.mktemp("product")
    run(WEB, "npm", "pack", "--silent", "--pack-destination", str(folder))
    (tarball,) = folder.glob("*.tgz")
    package = folder / "node_modules" / "chatterbus-web"
    with tarfile.open(tarball) as packed:
        packed.extractall(folder / "unpacked", filter="data")
    package.parent.mkdir()
    (folder / "unpacked" / "package").rename(package)
    (folder / "package.json").write_text('{"name": "shop", "private": true, "type": "module"}')
    (folder / "main.js").write_text(BUNDLED)
    (folder / "index.html").write_text(html("/main.js"))
    (folder / "plain.js").write_text(PLAIN)
    (folder / "plain.html").write_text(html("/plain.js"))
    return folder


@pytest.fixture(scope="module")
def shop(product: Path) -> Iterator[PageServer]:
    """Serves the built page below /dist/ and the plain one."""
    run(product, "node", str(WEB / "node_modules" / "vite" / "bin" / "vite.js"), "build", "--base", "/dist/")
    with PageServer(product) as server:
        yield server


async def visit(new_context: OpenContext, address: str, stack: Deployment, user: str, thread: str) -> Visitor:
    visitor = Visitor(user, await (await new_context()).new_page())
    visitor.attach()
    setup = quote(json.dumps({"url": stack.url, "user": user, "thread": thread}))
    await visitor.page.goto(f"{address}#{setup}")
    return visitor


async def test_a_vite_page_and_a_script_of_type_module_talk_from_the_tarball(
    web: Deployment, shop: PageServer, new_context: OpenContext, cast: Cast, thread: str
) -> None:
    users = cast("alice", "bob")
    await web.create_thread(thread, *users)
    bundled = await visit(new_context, f"{shop.url}/dist/index.html", web, users[0], thread)
    plain = await visit(new_context, f"{shop.url}/plain.html", web, users[1], thread)
    await bundled.say("bundled by Vite")
    await plain.sees("bundled by Vite")
    await plain.say("not bundled at all")
    await bundled.sees("not bundled at all")
    await bundled.sees_status("bundled by Vite", "read")
    assert bundled.faults == plain.faults == []


def test_the_tarball_holds_sources_types_and_nothing_else(product: Path) -> None:
    package = product / "node_modules" / "chatterbus-web"
    assert {path.name for path in package.iterdir()} <= {"package.json", "README.md", "LICENSE", "src", "types"}
    about = json.loads((package / "package.json").read_text())
    assert not about.get("dependencies"), "no runtime dependencies"
    for entry in about["exports"].values():
        for target in entry.values() if isinstance(entry, dict) else [entry]:
            assert (package / target).is_file(), f"{target} is exported and not in the tarball"


def test_a_type_checker_finds_the_types(product: Path) -> None:
    (product / "typed.ts").write_text(TYPED)
    compiler = str(WEB / "node_modules" / "typescript" / "bin" / "tsc")
    options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom,dom.iterable"]
    run(product, "node", compiler, *options, "typed.ts")
