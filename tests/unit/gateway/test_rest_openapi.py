from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chatterbus_contracts.errors import ERRORS, ErrorCode
from tests.unit.gateway.rest_fakes import Rest

BODILESS = {"304", "416"}
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return Rest().app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert method in METHODS
            yield f"{method} {path}", operation


def test_every_route_has_a_name_of_its_own_a_tag_and_a_summary(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(names) == len(set(names)) >= 25
    declared = {tag["name"] for tag in document["tags"]}
    for where, operation in operations(document):
        assert operation["operationId"].isalnum(), where
        assert set(operation["tags"]) <= declared, where
        assert operation["summary"], where
        assert operation["description"], where


def test_every_route_has_a_success_model_and_problems(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        responses = operation["responses"]
        good = [answer for status, answer in responses.items() if status.startswith("2")]
        assert good, where
        for answer in good:
            for content in answer.get("content", {}).values():
                assert "$ref" in content["schema"] or content["schema"].get("format") == "binary", where
        # 304 and 416 are what HTTP itself says of a file, and have no body.
        bad = {status: answer for status, answer in responses.items() if status[0] != "2" and status not in BODILESS}
        assert {"401", "403", "422", "429", "500", "503"} <= set(bad), where
        for status, answer in bad.items():
            (media_type,) = answer["content"]
            assert media_type == "application/problem+json", where
            for code, example in answer["content"][media_type]["examples"].items():
                assert ERRORS[ErrorCode(code)].status == int(status) == example["value"]["status"], where


def test_every_route_takes_the_token(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for where, operation in operations(document):
        assert operation["security"] == [{"token": []}], where


def test_every_body_and_every_state_that_is_answered_has_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for where, operation in operations(document):
        good = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        for described in (*good, operation.get("requestBody", {})):
            content = described.get("content", {}).get("application/json", {})
            schema = content.get("schema", {})
            for arm in schema.get("anyOf", [schema]):
                if "$ref" in arm:
                    assert content.get("examples") or schemas[arm["$ref"].rpartition("/")[2]]["examples"], (where, arm)


def test_every_parameter_of_a_path_has_an_example(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert parameter["in"] != "path" or parameter["schema"]["examples"], (where, parameter["name"])


@pytest.mark.parametrize(
    ("operation_id", "codes"),
    [
        ("editMessage", {"MESSAGE_NOT_FOUND", "MESSAGE_DELETED", "CONTENT_EMPTY", "CONTENT_TOO_LONG", "FORBIDDEN"}),
        ("deleteMessage", {"MESSAGE_NOT_FOUND", "THREAD_NOT_FOUND", "NOT_A_MEMBER", "FORBIDDEN"}),
        ("addReaction", {"BAD_EMOJI", "TOO_MANY_REACTIONS", "MESSAGE_DELETED", "MESSAGE_NOT_FOUND"}),
        ("removeMember", {"LAST_OWNER", "FORBIDDEN", "THREAD_NOT_FOUND"}),
        ("listMessageReceipts", {"MESSAGE_NOT_FOUND", "STORE_UNAVAILABLE"}),
    ],
)
def test_what_a_route_may_refuse_with_is_said(document: dict[str, Any], operation_id: str, codes: set[str]) -> None:
    (operation,) = [each for _, each in operations(document) if each["operationId"] == operation_id]
    said = {
        code
        for answer in operation["responses"].values()
        for code in answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }
    assert codes <= said


def test_bodies_are_described_in_the_names_of_the_wire_with_examples(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    send = schemas["SendMessageBody"]
    assert {"threadId", "content", "clientMessageId", "replyToId"} <= set(send["properties"])
    assert send["examples"]
    assert schemas["CreateThreadBody"]["examples"]
    assert "retryAfterMs" in schemas["Problem"]["properties"]


def test_path_parameters_carry_the_pattern_of_ids(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path" and parameter["name"] != "emoji":
                assert parameter["schema"]["pattern"].startswith("^[A-Za-z0-9_"), where


def test_every_reference_of_the_document_is_defined(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    used = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert used <= set(schemas)
    assert not used & {"HTTPValidationError", "ValidationError"}


async def test_the_document_and_its_page_are_served() -> None:
    async with Rest().client(None) as client:
        assert (await client.get("/openapi.json")).json()["info"]["title"] == "Chatterbus"
        assert "swagger" in (await client.get("/docs")).text
