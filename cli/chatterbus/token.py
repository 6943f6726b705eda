"""`chatterbus token`: mint a token for trying things out, signed with the secret of a data directory.

Prints the token alone on stdout. In production the embedding product mints tokens; this is the same shape: HS256 with
sub, user_type, name, scope (space separated), iat, exp.
"""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import jwt
import typer

from chatterbus.errors import CommandError, reported
from chatterbus.up import DEFAULT_DATA_DIR

ALGORITHM = "HS256"
TTL = re.compile(r"(\d{1,9})([smhd]?)")
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


def token(
    user: Annotated[str, typer.Option(help="Who the token speaks for (claim sub).")],
    user_type: Annotated[str, typer.Option("--type", help="Kind of user, as your product names it.")] = "user",
    name: Annotated[str | None, typer.Option(help="Display name.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="Granted scope, e.g. chat:admin; repeatable.")] = None,
    ttl: Annotated[str, typer.Option(help="Lifetime: 45s, 30m, 12h, 1d.")] = "1d",
    secret_file: Annotated[Path | None, typer.Option(help="Secret to sign with.")] = None,
    data_dir: Annotated[Path, typer.Option(help="Data directory of `up`, whose secret is used.")] = DEFAULT_DATA_DIR,
) -> None:
    """Mint a token: chatterbus token --user alice"""
    with reported():
        secret = read_signing_secret(secret_file or data_dir.expanduser() / "jwt.secret")
        claims = claims_for(user, user_type, name, scope or [], parse_ttl(ttl), now=int(time.time()))
        typer.echo(jwt.encode(claims, secret, algorithm=ALGORITHM))


def claims_for(
    user: str, user_type: str, name: str | None, scopes: Sequence[str], ttl_s: int, *, now: int
) -> dict[str, str | int]:
    claims: dict[str, str | int] = {"sub": user, "user_type": user_type, "iat": now, "exp": now + ttl_s}
    if name:
        claims["name"] = name
    words = [word for scope in scopes for word in scope.replace(",", " ").split()]
    if words:
        claims["scope"] = " ".join(words)
    return claims


def parse_ttl(text: str) -> int:
    """Seconds of '45s', '30m', '12h', '1d' or a bare number of seconds."""
    match = TTL.fullmatch(text.strip())
    if not match or int(match.group(1)) == 0:
        raise CommandError(f"--ttl {text!r} is not a lifetime.", "Write it as 45s, 30m, 12h or 1d.")
    return int(match.group(1)) * SECONDS[match.group(2)]


def read_signing_secret(path: Path) -> str:
    try:
        secret = path.read_text().strip()
    except OSError as error:
        raise CommandError(
            f"No secret to sign with: {path}: {error.strerror}.",
            "Run `chatterbus up` first (it creates one), or name yours: --secret-file or --data-dir.",
        ) from error
    if len(secret.encode()) < 32:
        raise CommandError(f"The secret in {path} is shorter than 32 bytes.", "Make one: openssl rand -hex 32")
    return secret
