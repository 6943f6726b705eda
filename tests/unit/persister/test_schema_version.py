"""Which schema suits which program."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from chatterbus_persister.schema_version import FOLDERS, MIGRATIONS, Fit, SchemaUnfitError, Steps, require_usable

NEEDED = Steps("0004", "after_0002")


@pytest.mark.parametrize(
    ("applied", "fit"),
    [
        (Steps(), Fit.BEHIND),
        (Steps("0003"), Fit.BEHIND),
        (Steps("0003", "after_0002"), Fit.BEHIND),
        (Steps("0004"), Fit.FITS),
        (Steps("0004", "after_0002"), Fit.FITS),
        (Steps("0005", "after_0002"), Fit.AHEAD),
        (Steps("0010"), Fit.AHEAD),
        (Steps("0005", "after_0003"), Fit.STRIPPED),
    ],
)
def test_a_schema_that_was_only_added_to_suits_and_any_other_does_not(applied: Steps, fit: Fit) -> None:
    assert applied.fit(NEEDED) is fit
    if fit in (Fit.FITS, Fit.AHEAD):
        require_usable(applied, NEEDED)
    else:
        with pytest.raises(SchemaUnfitError):
            require_usable(applied, NEEDED)


def test_the_table_of_alembic_holds_a_row_of_either_kind() -> None:
    assert Steps.applied([]) == Steps()
    assert Steps.applied(["0004"]) == Steps("0004")
    assert Steps.applied(["after_0001", "0004"]) == Steps("0004", "after_0001")


def test_steps_are_read_off_the_names_of_files(tmp_path: Path) -> None:
    for name in ("versions/0001_first.py", "versions/0002_next.py", "after/after_0001_gone.py", "after/__init__.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert Steps.shipped(tmp_path) == Steps("0002", "after_0001")
    assert Steps.shipped(tmp_path).number == 2


def test_files_are_named_as_the_steps_in_them_and_each_kind_is_one_line() -> None:
    config = Config()
    config.set_main_option("path_separator", "newline")
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("version_locations", "\n".join(str(MIGRATIONS / name) for name in FOLDERS.values()))
    steps = sorted(ScriptDirectory.from_config(config).walk_revisions(), key=lambda step: step.revision)
    for step in steps:
        assert Path(step.path).stem.startswith(f"{step.revision}_")
        assert step.dependencies is None
    for kind in (False, True):
        line = [step for step in steps if step.revision.startswith("after_") is kind]
        assert [step.down_revision for step in line[:1]] == [None] * len(line[:1])
        assert all(later.down_revision == former.revision for former, later in pairwise(line))
