import os
import stat
from pathlib import Path

import pytest

from chatterbus.child import Account
from chatterbus.data_dir import SCHEMA, DataDir, Layout, lock_holder, parse_layout, read_secret, settle_layout
from chatterbus.errors import CommandError
from chatterbus.postgres_home import blocked_at

HERE = Path("/data")
STORED = Layout(SCHEMA, "abc", 4)


def test_layout_is_kept_when_nothing_or_the_same_is_asked() -> None:
    assert settle_layout(STORED, None, HERE) == STORED
    assert settle_layout(STORED, 4, HERE) == STORED
    assert settle_layout(None, 8, HERE).partitions == 8
    assert settle_layout(None, None, HERE).partitions == 4


def test_other_partitions_or_another_schema_are_refused_with_a_way_out() -> None:
    with pytest.raises(CommandError, match="created with 4 partitions; 8") as caught:
        settle_layout(STORED, 8, HERE)
    assert "--data-dir" in caught.value.next_step
    with pytest.raises(CommandError, match="data layout 99"):
        settle_layout(Layout(99, "abc", 4), None, HERE)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": 1, "id": "x", "partitions": "many"}'])
def test_unreadable_layout_is_refused_not_replaced(text: str) -> None:
    with pytest.raises(CommandError, match="not readable as a layout"):
        parse_layout(text, HERE)


def test_secret_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "jwt.secret"
    secret = read_secret(path)
    assert read_secret(path) == secret
    assert len(secret) >= 48
    assert secret.isalnum()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_data_directory_is_held_by_one_process_and_names_it(tmp_path: Path) -> None:
    assert lock_holder(tmp_path / "data") is None
    with DataDir.open(tmp_path / "data"):
        assert lock_holder(tmp_path / "data") == os.getpid()
        with pytest.raises(CommandError, match=f"pid {os.getpid()}"):
            DataDir.open(tmp_path / "data")
    assert lock_holder(tmp_path / "data") is None
    with DataDir.open(tmp_path / "data") as again:
        assert again.layout.partitions == 4


def test_data_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="cannot be used"):
        DataDir.open(tmp_path / "file" / "data")


def test_account_is_blocked_by_the_first_directory_it_may_not_enter(tmp_path: Path) -> None:
    stranger = Account("stranger", uid=54_321, gid=54_321)
    program = tmp_path / "closed" / "program"
    program.parent.mkdir()
    program.touch(mode=0o755)
    program.parent.chmod(0o700)
    blocked = blocked_at(program, stranger)
    assert blocked is not None
    assert program.is_relative_to(blocked)
    owner = Account("owner", uid=program.stat().st_uid, gid=54_321)
    program.chmod(0o055)
    assert blocked_at(program, owner) == program  # the owner's bits count for the owner, whatever others may
    assert blocked_at(Path("/bin/sh"), stranger) is None
