"""ejabberd, from Debian's packages: a thread is a room whose archive is a table of the same PostgreSQL.

A room archives a message (one INSERT, committed by itself) and only then passes it on, in the order of its arrival; so
the copy that the sender gets back says "stored", as an ack does elsewhere (`bench/xmpp.py`).
"""

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bench import debian
from bench.peer_server import INSTALLED, PEERS, Launch
from bench.xmpp import ROOMS

PACKAGES: Final = ("ejabberd", "erlang-p1-pgsql")
FAMILY: Final = ("ejabberd", "erlang")
HOME: Final = INSTALLED / "ejabberd"
STAMP: Final = INSTALLED / "ejabberd.version"
PROCESSES: Final = "250000"
"""As ejabberd's own start script has it."""
STORED: Final = f"""
SELECT count(*), count(DISTINCT (username, nick, substring(xml FROM 'id=''([^'']*)''')))
FROM archive WHERE nick LIKE 'sender-%' AND username LIKE '%@{ROOMS.decode()}'
"""


class Ejabberd:
    """No node name, so it joins no cluster and starts no port mapper."""

    name = "ejabberd"
    path = "/xmpp"
    stored = STORED
    schema = HOME / "usr/share/ejabberd/sql/pg.sql"

    def missing(self) -> str | None:
        return None if STAMP.exists() else debian.missing(PACKAGES[0])

    def install(self) -> None:
        if not STAMP.exists():
            STAMP.write_text(debian.unpack(PACKAGES, FAMILY, HOME) + "\n")

    def launch(self, port: int, dsn: str, home: Path) -> Launch:
        config = home / "ejabberd.yml"
        config.write_text(configuration(dsn, port))
        config.chmod(0o600)
        root = HOME / "usr/lib/erlang"
        binaries = next(root.glob("erts-*")) / "bin"
        libraries = next(HOME.glob("usr/lib/*/ejabberd-*")).parent
        spool = home / "spool"
        argv = (str(binaries / "erlexec"), "-noinput", "+K", "true", "+P", PROCESSES)
        env = {
            **os.environ,
            "ROOTDIR": str(root),
            "BINDIR": str(binaries),
            "EMU": "beam",
            "PROGNAME": "erl",
            "ERL_LIBS": str(libraries),
            "LD_LIBRARY_PATH": str(libraries),
            "ERL_CRASH_DUMP_BYTES": "0",
            "EJABBERD_CONFIG_PATH": str(config),
            "EJABBERD_LOG_PATH": str(home / "ejabberd.log"),
            "HOME": str(home),
        }
        return Launch((*argv, "-mnesia", "dir", f'"{spool}"', "-s", "ejabberd"), home, env)


def configuration(dsn: str, port: int) -> str:
    """The file in bench/peers, filled in."""
    store = urlsplit(dsn)
    values = {
        "host": store.hostname,
        "sql_port": store.port,
        "database": store.path.removeprefix("/"),
        "user": store.username,
        "password": store.password,
        "port": port,
    }
    text = (PEERS / Ejabberd.name / "ejabberd.yml").read_text()
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text
