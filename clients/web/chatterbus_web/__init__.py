"""Where the browser's files are, for servers that hand them out.

Promises: the same two folders from a checkout (an editable install) and from a wheel. Reads and serves nothing.
"""

from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent


def client_files() -> Path:
    """The SDK, the elements and the React hooks: ES modules that import each other by relative paths."""
    return _folder("src")


def demo_files() -> Path:
    """The demo page: index.html and what it loads."""
    return _folder("demo")


def _folder(name: str) -> Path:
    # A wheel has them inside of the package (force-include), a checkout beside it.
    inside = _HERE / name
    return inside if inside.is_dir() else _HERE.parent / name
