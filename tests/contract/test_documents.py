"""The generated documents: the same every time, complete, and checked against what is on disk."""

import json
from pathlib import Path

import pytest

from chatterbus_contracts.errors import CloseCode, ErrorCode
from chatterbus_contracts.frames.client import CLIENT_FRAMES
from chatterbus_contracts.frames.server import SERVER_FRAMES
from chatterbus_contracts.limits import LIMITS
from docs import generate
from docs.generators import asyncapi, codes, protocol, schema, settings, typescript


def test_the_same_code_gives_the_same_documents(tmp_path: Path) -> None:
    generate.write(tmp_path, generate.DOCUMENTS)
    assert generate.stale(tmp_path, generate.DOCUMENTS) == []


def test_a_stale_document_is_named_and_fails_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate.write(tmp_path, generate.DOCUMENTS)
    (tmp_path / "docs/codes.md").write_text("older")
    (tmp_path / "docs/openapi.json").unlink()
    assert generate.main(["--check"], tmp_path) == 1
    said = capsys.readouterr().err
    assert "docs/codes.md" in said
    assert "docs/openapi.json" in said
    assert "docs/protocol.md" not in said
    assert (tmp_path / "docs/codes.md").read_text() == "older"


def test_the_protocol_names_every_frame_and_every_limit() -> None:
    page = protocol.document()
    for name in (*CLIENT_FRAMES, *SERVER_FRAMES):
        assert f"### `{name}`" in page
    for name in LIMITS:
        assert f"| {name} |" in page


def test_the_codes_page_names_every_code() -> None:
    page = codes.document()
    assert all(f"`{code}`" in page for code in ErrorCode)
    assert all(f"| {int(code)} |" in page for code in CloseCode)


def test_every_reference_of_the_schemas_leads_somewhere() -> None:
    for text, path in ((schema.document(), ("$defs",)), (asyncapi.document(), ("components", "schemas"))):
        document = json.loads(text)
        there = document
        for step in path:
            there = there[step]
        prefix = f"#/{'/'.join(path)}/"
        assert references(document, prefix) <= set(there)


def references(value: object, prefix: str) -> set[str]:
    """Names below `prefix` that the value refers to."""
    if isinstance(value, dict):
        inner = {name for each in value.values() for name in references(each, prefix)}
        own = value.get("$ref")
        return inner | ({own.removeprefix(prefix)} if isinstance(own, str) and own.startswith(prefix) else set())
    return {name for each in value for name in references(each, prefix)} if isinstance(value, list) else set()


def test_the_types_have_every_frame_code_and_nothing_unknown() -> None:
    types = typescript.document()
    for frame in (*CLIENT_FRAMES.values(), *SERVER_FRAMES.values()):
        assert f"export interface {frame.__name__} {{" in types
    assert all(f'  | "{code}"' in types for code in ErrorCode)
    assert all(f"  | {int(code)}" in types for code in CloseCode)
    assert "unknown[]" not in types
    assert ": unknown;" not in types


def test_every_setting_says_what_it_is_for() -> None:
    for service in settings.SERVICES.values():
        for name, field in service.model_fields.items():
            assert field.description, name
            assert f"`{name.upper()}`" in settings.document()
