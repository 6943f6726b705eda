"""The chart, rendered by Helm itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kit.helm_tool import Helm, HelmMissing, find_helm

CHART: Final = Path(__file__).parents[3] / "deploy/helm/chatterbus"
EXAMPLES: Final = sorted((CHART / "ci").glob("*-values.yaml"))


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    try:
        return Helm(find_helm(), tmp_path_factory.mktemp("helm"))
    except HelmMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session", params=EXAMPLES, ids=lambda path: path.stem)
def objects(helm: Helm, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """Every object of the chart, with the values of one example after the other."""
    return helm.template(CHART, request.param)
