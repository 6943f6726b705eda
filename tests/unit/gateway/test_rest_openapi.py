from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chatterbus_contracts.errors import ERRORS, ErrorCode
from tests.unit.gateway.rest_fakes import Rest

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
    assert len(names) == len(set(names)) == 10
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
        assert all("$ref" in answer["content"]["application/json"]["schema"] for answer in good), where
        bad = {status: answer for status, answer in responses.items() if not status.startswith("2")}
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
            if parameter["in"] == "path":
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
