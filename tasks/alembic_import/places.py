"""Where a project keeps what Alembic needs: the folder of its revisions, env.py and alembic.ini or pyproject.toml."""

from __future__ import annotations

import configparser
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tasks.runner.errors import UsageError
from tasks.runner.files.checkout import show_path

_STATE = "Nothing was written."
_INI, _TOML, _ENV = "alembic.ini", "pyproject.toml", "env.py"
_HINT = "Name Alembic's folder of revisions, beside which env.py is: inv db.import-alembic --versions=alembic/versions"
_DEPTH = 3
_SKIPPED = {"node_modules", "site-packages"}


@dataclass(frozen=True, slots=True)
class AlembicProject:
    """A project of Alembic; `script` and `versions` are None if its configuration names them.

    What alembic.ini does not state is in pyproject.toml: https://alembic.sqlalchemy.org/en/latest/tutorial.html#using-pyproject-toml-for-configuration
    """

    folder: Path
    """Where Alembic is run: the folder of the configuration file, or else the current one."""
    ini: Path | None = None
    toml: Path | None = None
    script: Path | None = None
    versions: Path | None = None
    arguments: tuple[str, ...] = ()
    """What `-x` of Alembic adds for env.py and the revisions, as KEY=VALUE."""

    @property
    def shown(self) -> str:
        """Return the place to print."""
        return show_path(self.versions or self.script or self.ini or self.toml or self.folder)


def find_project(versions: str, here: Path) -> AlembicProject:
    """Return the project with this folder of revisions, or the only one below a folder.

    Raises UsageError if there is none, or more than one.
    """
    if versions:
        return _find_by_versions((here / versions).absolute(), here)
    ini, toml = _find_ini([here]), _find_toml([here])
    if ini or toml:
        return AlembicProject(here, ini, toml)
    found = [folder for folder in _list_scripts(here, _DEPTH) if (folder / "versions").is_dir()]
    if len(found) == 1:
        return _place(found[0], found[0] / "versions", here)
    if found:
        listed = "\n".join(f"  {show_path(folder / 'versions')}" for folder in found)
        raise UsageError(f"there are several folders with revisions of Alembic:\n{listed}", hint=_HINT, state=_STATE)
    raise UsageError(f"there is no {_INI} in {here}, and no env.py with versions/ beside it below", hint=_HINT, state=_STATE)


def _find_by_versions(versions: Path, here: Path) -> AlembicProject:
    if not versions.is_dir():
        raise UsageError(f"there is no folder {show_path(versions)}", hint=_HINT, state=_STATE)
    if (versions.parent / _ENV).is_file():
        return _place(versions.parent, versions, here)
    if (versions / _ENV).is_file() and (versions / "versions").is_dir():
        return _place(versions, versions / "versions", here)
    # One of several folders, of which the configuration names the others, and env.py.
    ini, toml = _find_ini([versions.parent, here]), _find_toml([versions.parent, here])
    if ini or toml:
        place = ini or toml
        assert place is not None
        return AlembicProject(place.parent, ini, toml, versions=versions)
    raise UsageError(
        f"there is no {_ENV} in {show_path(versions.parent)}, the folder above the revisions", hint=_HINT, state=_STATE
    )


def _place(script: Path, versions: Path, here: Path) -> AlembicProject:
    folders = [script, script.parent, here]
    ini, toml = _find_ini(folders), _find_toml(folders)
    place = ini or toml
    return AlembicProject(place.parent if place and place.parent != script else here, ini, toml, script, versions)


def _find_ini(folders: list[Path]) -> Path | None:
    return next((path for folder in folders if _has_section(path := folder / _INI)), None)


def _has_section(path: Path) -> bool:
    if not path.is_file():
        return False
    parser = configparser.RawConfigParser(strict=False)
    with suppress(configparser.Error, UnicodeDecodeError, OSError):
        parser.read(path, encoding="utf-8")
        return bool(parser.sections())
    return True  # Alembic itself reports what is wrong with it.


def _find_toml(folders: list[Path]) -> Path | None:
    for folder in folders:
        with suppress(OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
            data = tomllib.loads((folder / _TOML).read_text(encoding="utf-8"))
            if "alembic" in data.get("tool", {}):
                return folder / _TOML
    return None


def _list_scripts(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the folders with an env.py, this one first, without hidden ones and those of packages."""
    if (folder / _ENV).is_file():
        yield folder
    if depth == 0:
        return
    with suppress(OSError):
        for each in sorted(folder.iterdir()):
            if each.is_dir() and not each.is_symlink() and not each.name.startswith(".") and each.name not in _SKIPPED:
                yield from _list_scripts(each, depth - 1)
