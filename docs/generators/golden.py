"""Examples in the documents are the golden files, so they are tested."""

import json
from pathlib import Path
from typing import Any, Final

GOLDEN: Final = Path(__file__).parents[2] / "tests" / "contract" / "golden"


def example(group: str, name: str) -> Any:
    """The JSON value of a golden file."""
    return json.loads((GOLDEN / group / f"{name}.json").read_bytes())
