"""The peers are pinned, and their locks can be installed from anywhere."""

import json
import re

import pytest

from bench.contenders import KINDS, SERVERS
from bench.ejabberd import configuration
from bench.peer_server import PEERS, PeerServer

PEERS_OF_NODE = [peer for peer in SERVERS if (peer.folder / "package.json").exists()]


def test_every_folder_is_a_contender() -> None:
    assert {path.name for path in PEERS.iterdir() if path.is_dir()} == set(KINDS)
    assert all(peer.schema.exists() for peer in SERVERS)


@pytest.mark.parametrize("peer", PEERS_OF_NODE, ids=lambda peer: peer.name)
def test_a_node_peer_is_locked_by_hash_and_names_no_place(peer: PeerServer) -> None:
    lock = json.loads((peer.folder / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert all("integrity" in package and "resolved" not in package for package in packages.values())
    wanted = json.loads((peer.folder / "package.json").read_text())["dependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_the_python_peer_is_locked_by_hash_and_names_no_index() -> None:
    text = (PEERS / "fastapi" / "requirements.lock").read_text()
    assert "http" not in text.replace("httptools", "")
    pinned = re.findall(r"^[a-z].*", text, re.MULTILINE)
    assert pinned
    assert all("==" in line and line.endswith("\\") for line in pinned)


def test_ejabberd_is_told_where_to_listen_and_where_to_store() -> None:
    lines = configuration("postgresql://u:p@127.0.0.1:5433/d", 8123).splitlines()
    assert not [line for line in lines if re.search(r"[{}]", line) and not line.startswith("#")]
    for line in ("sql_server: 127.0.0.1", "sql_port: 5433", "sql_database: d", "sql_username: u", "  - port: 8123"):
        assert line in lines
