"""Read .env files; what cannot be read, and names that look like ours and are not, are reported with their lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from tasks.runner.setting_names import find_misplaced, find_misspelling, list_names
from tasks.runner.settings import ENVIRONMENT_FILE, SHARED_FILE

_FOLDER_NAMES = ("MIGRATIONS_DIR", "SEEDS_DIR")


@dataclass(frozen=True, slots=True)
class EnvFile:
    """The values of a .env file, and what is wrong with it."""

    values: dict[str, str]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    """A name that is set, and its line."""

    name: str
    line: int
    has_value: bool


def read_shared_file(project: Path, environment: str, environments: tuple[str, ...]) -> EnvFile:
    """Read .env for an environment; `environments` are all that are known, for the names of their Fly apps."""
    return _read(project / SHARED_FILE, SHARED_FILE, environment, environments)


def read_environment_file(project: Path, environment: str, environments: tuple[str, ...]) -> EnvFile:
    """Read .env.<environment>."""
    return _read(project / f"{SHARED_FILE}.{environment}", ENVIRONMENT_FILE, environment, environments)


def _read(path: Path, place: str, environment: str, environments: tuple[str, ...]) -> EnvFile:
    """Read a .env file, if there is one."""
    if not path.is_file():
        return EnvFile({})
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        return EnvFile({}, (f"{path.name} cannot be read: {error.strerror}",))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return EnvFile({}, (f"{path.name}:{line} is not UTF-8",))
    values, entries, problems = _parse(text, path.name)
    problems += _check_names(entries, path.name, place, environment, list_names(environments))
    folders = {name: str(path.parent / values[name]) for name in _FOLDER_NAMES if name in values}
    return EnvFile(values | folders, tuple(problems))


def _parse(text: str, file: str) -> tuple[dict[str, str], list[_Entry], list[str]]:
    """Return the values that are not empty, all names, and the lines that are not assignments."""
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    good: list[str] = []
    entries: list[_Entry] = []
    problems: list[str] = []
    for binding in parse_stream(StringIO(text)):
        original = binding.original.string
        blank = len(original) - len(original.lstrip())
        line = binding.original.line + original.count("\n", 0, blank)
        if binding.error or (binding.key is not None and binding.value is None):
            problems.append(f"{file}:{line} is not a setting: write NAME=value, one per line")
            continue
        good.append(original)
        if binding.key is not None:
            entries.append(_Entry(binding.key, line, bool(binding.value)))
    values = {key: value for key, value in dotenv_values(stream=StringIO("".join(good))).items() if value}
    return values, entries, problems


def _check_names(entries: list[_Entry], file: str, place: str, environment: str, known: tuple[str, ...]) -> Iterator[str]:
    """Yield a problem for each name that is misspelt, or that has no effect in this file."""
    for entry in entries:
        misspelling = find_misspelling(entry.name, known)
        if misspelling is not None:
            yield f"{file}:{entry.line}: {entry.name} is not a setting; did you mean {misspelling.nearest}?"
        elif entry.has_value and (reason := find_misplaced(entry.name, place, environment)):
            yield f"{file}:{entry.line}: {reason}"
