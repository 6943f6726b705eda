"""Golden files hold the wire format still: what an older version sent is read, and what is written is what it reads."""

import json

import pytest

from chatterbus_contracts.codec import decode, encode
from chatterbus_contracts.commands import COMMAND
from chatterbus_contracts.frames.client import decode_client_frame
from chatterbus_contracts.frames.server import decode_server_frame
from tests.contract.golden_files import GOLDEN, GROUPS, adapter, golden, names, parts

DECODERS = {
    "client": decode_client_frame,
    "server": decode_server_frame,
    "commands": lambda data: decode(COMMAND, data),
}


def test_no_golden_file_is_missing_or_left_over() -> None:
    there = {(path.parent.name, path.stem) for path in GOLDEN.rglob("*") if path.is_file()}
    assert there == set(names())


def test_the_groups_are_the_folders() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(GROUPS)


@pytest.mark.parametrize(("group", "name"), names())
def test_decoding_and_encoding_a_golden_file_changes_nothing(group: str, name: str) -> None:
    for model, value in parts(group, name):
        data = json.dumps(value).encode()
        assert json.loads(encode(decode(adapter(model), data))) == value


@pytest.mark.parametrize(("group", "name"), [pair for pair in names() if pair[0] in DECODERS])
def test_the_tag_alone_finds_the_model(group: str, name: str) -> None:
    assert type(DECODERS[group](json.dumps(golden(group, name)).encode())) is GROUPS[group][name]


@pytest.mark.parametrize(("group", "name"), names())
def test_a_golden_file_shows_every_field(group: str, name: str) -> None:
    for model, value in parts(group, name):
        assert set(value) == {field.alias for field in model.model_fields.values()}


@pytest.mark.parametrize(("group", "name"), names())
def test_unknown_fields_are_ignored(group: str, name: str) -> None:
    for model, value in parts(group, name):
        newer = {**value, "addedInALaterVersion": {"x": 1}}
        assert json.loads(encode(decode(adapter(model), json.dumps(newer)))) == value


@pytest.mark.parametrize(("group", "name"), names())
def test_optional_fields_may_be_absent(group: str, name: str) -> None:
    for model, value in parts(group, name):
        required = {field.alias for field in model.model_fields.values() if field.is_required()}
        decode(adapter(model), json.dumps({key: value[key] for key in required if key in value}))


@pytest.mark.parametrize(("group", "name"), names())
def test_required_fields_may_not_be_absent(group: str, name: str) -> None:
    for model, value in parts(group, name):
        for field in model.model_fields.values():
            if field.is_required():
                rest = {key: item for key, item in value.items() if key != field.alias}
                with pytest.raises(ValueError, match=f"{field.alias}: Field required"):
                    decode(adapter(model), json.dumps(rest))
