"""docs/reference.md lists exactly the settings that there are."""

import re

from tasks.runner.settings import SETTINGS
from tests.kit.projects import REPOSITORY

_NAME = re.compile(r"`([A-Z_]+(?:<ENVIRONMENT>)?)`")


def read_rows() -> list[tuple[str, str, str, str]]:
    """Return name, type, default and places of each row."""
    text = (REPOSITORY / "docs/reference.md").read_text(encoding="utf-8")
    section = text[text.index("## Settings\n") : text.index("## Files\n")]
    rows = [[cell.strip() for cell in line.split("|")] for line in section.splitlines() if line.startswith("|")]
    named = [(_NAME.fullmatch(cells[1]), cells) for cells in rows]
    return [(name[1], cells[2], cells[3], cells[4]) for name, cells in named if name]


def test_the_reference_lists_exactly_the_settings() -> None:
    assert [name for name, *_ in read_rows()] == [setting.name for setting in SETTINGS]


def test_the_reference_has_their_types_and_defaults() -> None:
    shown = {name: (kind, default.replace("`", "")) for name, kind, default, _ in read_rows()}
    assert shown == {setting.name: (setting.type, setting.default or setting.fallback) for setting in SETTINGS}


def test_only_settings_of_the_process_are_marked_so() -> None:
    shown = {name for name, _, _, places in read_rows() if places == "process"}
    assert shown == {setting.name for setting in SETTINGS if len(setting.places) == 1}
