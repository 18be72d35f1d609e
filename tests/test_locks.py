"""The lock files: what the scripts, CI and images install."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.kit.projects import REPOSITORY

LOCK, DEV_LOCK = (REPOSITORY / name for name in ("requirements.lock", "requirements-dev.lock"))
_PIN = re.compile(r"^([a-z0-9-]+)==([^\s;]+)", re.MULTILINE)


def read_pins(text: str) -> set[tuple[str, str]]:
    """Return the packages of a requirements file with their versions; a package can have one for each platform."""
    return set(_PIN.findall(text))


def test_the_locks_contain_the_versions_that_are_pinned() -> None:
    group = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    pinned = read_pins((REPOSITORY / "requirements.txt").read_text()), read_pins("\n".join(group))
    assert all(pinned)
    assert pinned[0] <= read_pins(LOCK.read_text())
    assert pinned[1] <= read_pins(DEV_LOCK.read_text())


def test_both_locks_can_be_installed_together() -> None:
    main, dev = (read_pins(path.read_text()) for path in (LOCK, DEV_LOCK))
    shared = {name for name, _ in main} & {name for name, _ in dev}
    assert {pin for pin in main if pin[0] in shared} == {pin for pin in dev if pin[0] in shared}


@pytest.mark.parametrize("lock", [LOCK, DEV_LOCK], ids=lambda path: path.name)
def test_each_locked_package_has_a_version_and_hashes(lock: Path) -> None:
    text = re.sub(r"^ *#.*\n", "", lock.read_text(), flags=re.MULTILINE).replace("\\\n", "")
    line = r"[a-z0-9-]+==\S+( ; [^;]+?)?( +--hash=sha256:[0-9a-f]{64})+"
    assert [each[:60] for each in text.splitlines() if not re.fullmatch(line, each.rstrip())] == []
