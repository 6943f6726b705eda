from pathlib import Path

import jwt
import pytest
from typer.testing import CliRunner

from chatterbus.errors import CommandError
from chatterbus.main import app
from chatterbus.token import claims_for, parse_ttl

SECRET = "0123456789abcdef0123456789abcdef"


def test_token_is_alone_on_stdout_and_verifies_with_the_secret(tmp_path: Path) -> None:
    (tmp_path / "jwt.secret").write_text(SECRET + "\n")
    options = ["--user", "alice", "--name", "Alice", "--scope", "chat:admin", "--scope", "chat:read", "--ttl", "2h"]
    done = CliRunner().invoke(app, ["token", *options, "--data-dir", str(tmp_path)])
    assert done.exit_code == 0
    claims = jwt.decode(done.stdout.strip(), SECRET, algorithms=["HS256"])
    assert claims.pop("exp") - claims.pop("iat") == 7_200
    assert claims == {"sub": "alice", "user_type": "user", "name": "Alice", "scope": "chat:admin chat:read"}


def test_absent_name_and_scope_are_absent_claims() -> None:
    assert claims_for("bob", "builder", None, [], 60, now=1_000) == {
        "sub": "bob",
        "user_type": "builder",
        "iat": 1_000,
        "exp": 1_060,
    }


@pytest.mark.parametrize(("text", "seconds"), [("45s", 45), ("30m", 1_800), ("12h", 43_200), ("1d", 86_400), ("9", 9)])
def test_lifetime_is_written_with_a_unit(text: str, seconds: int) -> None:
    assert parse_ttl(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "-1h", "1w", "1h30m", "soon"])
def test_other_lifetimes_are_refused(text: str) -> None:
    with pytest.raises(CommandError, match="not a lifetime"):
        parse_ttl(text)


def test_absent_and_short_secrets_are_refused_with_what_to_do(tmp_path: Path) -> None:
    missing = CliRunner().invoke(app, ["token", "--user", "a", "--data-dir", str(tmp_path)])
    assert missing.exit_code == 1
    assert "chatterbus up" in missing.stderr
    (tmp_path / "jwt.secret").write_text("short")
    short = CliRunner().invoke(app, ["token", "--user", "a", "--data-dir", str(tmp_path)])
    assert short.exit_code == 1
    assert "shorter than 32 bytes" in short.stderr
    assert short.stdout == ""
