"""Writes the documents that are read off the code, or with --check says which of them are stale.

Promises: the same code gives the same bytes; --check writes nothing and exits 1 if a document differs. Nothing here
decides anything: a wrong sentence in a generated document is corrected where the code says it.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from docs.generators import asyncapi, codes, openapi, protocol, schema, settings, typescript

ROOT: Final = Path(__file__).parent.parent

DOCUMENTS: Final[dict[str, Callable[[], str]]] = {
    "docs/protocol.md": protocol.document,
    "docs/codes.md": codes.document,
    "docs/settings.md": settings.document,
    "docs/openapi.json": openapi.document,
    "docs/asyncapi.json": asyncapi.document,
    "docs/schema/frames.schema.json": schema.document,
    "clients/web/src/core/protocol.d.ts": typescript.document,
}


def stale(root: Path, documents: Mapping[str, Callable[[], str]]) -> list[str]:
    """Names of the documents below `root` that are missing or differ from what the code says."""
    return [name for name, generate in documents.items() if _read(root / name) != generate()]


def write(root: Path, documents: Mapping[str, Callable[[], str]]) -> None:
    """All documents, new."""
    for name, generate in documents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(generate(), encoding="utf-8", newline="\n")


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description="Writes the generated documents.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a document is stale")
    if not parser.parse_args(arguments).check:
        write(root, DOCUMENTS)
        return 0
    differing = stale(root, DOCUMENTS)
    for name in differing:
        sys.stderr.write(f"stale: {name} (run `make docs` and commit what it writes)\n")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
