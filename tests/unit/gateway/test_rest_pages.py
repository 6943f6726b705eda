"""The browser's files, and that nothing else is served."""

from __future__ import annotations

import gzip
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from chatterbus_contracts.errors import ErrorCode
from chatterbus_gateway.rest.pages import TYPES, Folder
from chatterbus_web import client_files, demo_files
from tests.unit.gateway.rest_fakes import Rest, problem

SHOP = "https://shop.example"


async def get(rest: Rest, path: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with rest.client(token=None, **named) as client:
        return await client.get(path)


async def get_untidied(rest: Rest, path: str) -> httpx.Response:
    """The answer to a path as it is; httpx would resolve the dots before it asks."""
    sent: list[dict[str, Any]] = []
    scope = {"type": "http", "method": "GET", "path": unquote(path), "raw_path": path.encode(), "query_string": b""}
    scope |= {"http_version": "1.1", "scheme": "http", "root_path": "", "headers": [(b"host", b"localhost")]}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(dict(message))

    await rest.app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=body)


def development() -> Rest:
    return Rest(gateway_dev_mode=True, gateway_jwt_secret=None)


async def test_the_sdk_is_served_in_production_to_anyone() -> None:
    response = await get(Rest(), "/chatterbus/index.js")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.text == (client_files() / "index.js").read_text()


async def test_every_module_of_the_sdk_is_served_under_its_own_name() -> None:
    rest = Rest()
    names = [path.relative_to(client_files()).as_posix() for path in client_files().rglob("*.js")]
    assert len(names) > 10
    for name in names:
        assert (await get(rest, f"/chatterbus/{name}")).status_code == 200, name


@pytest.mark.parametrize("path", ["/", "/demo/demo.js", "/demo/index.html"])
async def test_the_demo_is_not_there_in_production(path: str) -> None:
    problem(await get(Rest(), path), ErrorCode.NOT_FOUND)


@pytest.mark.parametrize("path", ["/", "/demo/demo.js", "/chatterbus/index.js"])
async def test_nothing_is_served_when_the_setting_is_off(path: str) -> None:
    rest = Rest(gateway_dev_mode=True, gateway_jwt_secret=None, gateway_serve_client=False)
    problem(await get(rest, path), ErrorCode.NOT_FOUND)


async def test_the_demo_page_runs_no_inline_script_or_style_and_is_never_framed() -> None:
    response = await get(development(), "/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.split(maxsplit=1) for part in response.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in response.headers["content-security-policy"]
    assert not {"script-src", "style-src", "connect-src"} & set(policy)
    page = response.text
    assert "style=" not in page
    assert "<style" not in page
    assert page.count("<script") == page.count('<script type="module" src="/demo/')


async def test_every_address_in_the_demo_page_is_served() -> None:
    rest = development()
    page = (await get(rest, "/")).text
    links = [part.split('"')[0] for key in ('src="', 'href="') for part in page.split(key)[1:]]
    local = [link for link in links if link.startswith(("/demo/", "/chatterbus/"))]
    assert local
    for link in local:
        assert (await get(rest, link)).status_code == 200, link


@pytest.mark.parametrize(
    "path",
    [
        "/chatterbus",
        "/chatterbus/",
        "/chatterbus/core",
        "/chatterbus/core/",
        "/chatterbus/../pyproject.toml",
        "/chatterbus/..%2fpyproject.toml",
        "/chatterbus/%2e%2e/package.json",
        "/chatterbus/..%5cpackage.json",
        "/chatterbus/core/../index.js",
        "/chatterbus//index.js",
        "/chatterbus/./index.js",
        "/chatterbus/index.js%00",
        "/chatterbus//etc/passwd",
        "/chatterbus/INDEX.JS",
        "/demo/",
        "/demo/..%2fpackage.json",
        "/demo/../src/index.js",
    ],
)
async def test_only_exact_names_are_served(path: str) -> None:
    response = await get_untidied(development(), path)
    problem(response, ErrorCode.NOT_FOUND)


async def test_files_say_what_they_are_and_that_this_is_not_to_be_guessed() -> None:
    for path in ("/", "/demo/demo.css", "/chatterbus/index.js"):
        headers = (await get(development(), path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-cache"
        assert {"accept-encoding", "origin"} <= {each.strip().lower() for each in headers["vary"].split(",")}


async def test_a_browser_that_has_the_file_hears_304_until_it_changes() -> None:
    rest = Rest()
    first = await get(rest, "/chatterbus/index.js")
    again = await get(rest, "/chatterbus/index.js", If_None_Match=f'W/"old", {first.headers["etag"]}')
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]
    assert (await get(rest, "/chatterbus/index.js", If_None_Match='W/"old"')).status_code == 200


async def test_two_gateways_give_a_file_the_same_etag() -> None:
    etags = {(await get(Rest(), "/chatterbus/index.js")).headers["etag"] for _ in range(2)}
    assert len(etags) == 1


async def test_files_are_packed_for_those_who_can_unpack_them() -> None:
    rest = Rest()
    packed = await get(rest, "/chatterbus/index.js", Accept_Encoding="br, gzip")
    plain = await get(rest, "/chatterbus/index.js", Accept_Encoding="identity")
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(plain.content) or len(plain.content) < 200


async def test_pages_of_allowed_origins_may_import_the_sdk_and_others_may_not() -> None:
    rest = Rest(gateway_allowed_origins=SHOP)
    allowed = await get(rest, "/chatterbus/index.js", Origin=SHOP)
    assert allowed.headers["access-control-allow-origin"] == SHOP
    other = await get(rest, "/chatterbus/index.js", Origin="https://other.example")
    assert "access-control-allow-origin" not in other.headers


async def test_development_mode_answers_to_this_machine_only() -> None:
    async with development().client(token=None) as client:
        response = await client.get("/", headers={"Host": "evil.example"})
    problem(response, ErrorCode.FORBIDDEN)


async def test_a_file_takes_no_other_method() -> None:
    async with Rest().client(token=None) as client:
        assert (await client.head("/chatterbus/index.js")).status_code == 200
        refused = await client.post("/chatterbus/index.js")
    assert refused.status_code == 405
    assert refused.headers["allow"] == "GET, HEAD"


def test_a_live_folder_shows_what_was_changed_and_a_still_one_does_not(tmp_path: Path) -> None:
    page = tmp_path / "a.js"
    page.write_text("1")
    live, still = Folder(tmp_path, live=True), Folder(tmp_path, live=False)
    page.write_text("two")
    (tmp_path / "b.js").write_text("3")
    (tmp_path / "secret.txt").write_text("no")
    assert (found := live.file("a.js")) is not None
    assert found.body == b"two"
    assert gzip.decompress(found.packed) == b"two"
    assert live.file("b.js") is not None
    assert live.file("secret.txt") is None
    assert (kept := still.file("a.js")) is not None
    assert kept.body == b"1"
    assert still.file("b.js") is None


def test_a_link_that_leads_out_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.js"
    outside.write_text("secret")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.js").symlink_to(outside)
    assert Folder(inside, live=False).file("link.js") is None


def test_every_file_of_the_client_has_a_type_or_is_for_developers_only() -> None:
    files = [path for folder in (client_files(), demo_files()) for path in folder.rglob("*") if path.is_file()]
    others = {path.suffix for path in files} - set(TYPES)
    assert others <= {".ts", ".md"}
