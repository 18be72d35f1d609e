"""Completion in bash, zsh and fish: the words that are typed → the words that may be meant.

Only the standard library and `definitions` are imported, and nothing is run or connected to, so that an answer takes less time
than a user notices. Whatever fails, the answer is empty: an error would be printed into the line that is being typed.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tasks.commands.shell.definitions import CommandSyntax, read_commands

EXACT = "--exact"
"""Comes before the words in a request of our own scripts: the last word is the one that is typed, even if it is empty."""
DESCRIBED = "--described"
"""The same, for a shell that shows what follows a tab as a description."""
FILES = ":files"
"""The answer where the name of a file is typed: a shell completes these itself."""
SHELLS = ("bash", "zsh", "fish")
FIXED_ENVIRONMENTS = ("local", "dev", "staging", "prod")
CORE_FLAGS = ("--help", "--list", "--version", "--dry", "--print-completion-script")
"""The flags of Invoke that are useful here."""

_CORE_VALUES = frozenset(
    {
        *("-T", "--command-timeout", "-f", "--config", "-D", "--list-depth", "-F", "--list-format", "--hide"),
        *("-c", "--collection", "-r", "--search-root", "--print-completion-script"),
    }
)
_VERSIONS = frozenset({"to", "only", "version", "unmark"})
_FILES = frozenset({"html", "prometheus", "output", "sql", "file", "folder", "queries", "from_schema", "versions"})
_OTHER_VALUES = frozenset({("db.diagram", "only")})
"""Parameters whose name means something else in this command."""
_ENVIRONMENT = re.compile(r"\w[\w.-]{0,63}")
_SETTING = re.compile(r"^\s*(?:export\s+)?MIGRATIONS_DIR\s*=\s*([\"']?)(.+?)\1\s*(?:#.*)?$", re.MULTILINE)


class _Typed(NamedTuple):
    """What the complete words mean for the one that is being typed."""

    command: CommandSyntax | None
    pending: str | None
    """The parameter whose value it is, because its flag comes before; empty for a flag of Invoke."""
    positional: str | None
    """The parameter whose value it is, unless it is a flag."""
    seen: frozenset[str]
    """The parameters that have a value already."""


def answer(arguments: Sequence[str], folder: Path, environ: Mapping[str, str], entry: str = "tasks") -> str | None:
    """Return the output for the arguments of `inv`, if they request a completion or the script of a shell; else None.

    `folder` is where the user is: the project is the nearest folder above it that has the file `entry`.
    """
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if argument == "--":
            break
        if name == "--print-completion-script":
            shell = value if equals else next(iter(arguments[index + 1 :]), "")
            return _read_script(shell) if shell in SHELLS else None
        if argument == "--complete":
            with suppress(Exception):
                words = list(arguments[arguments.index("--") + 1 :])
                return "".join(f"{line}\n" for line in _complete_words(words, folder, environ, entry))
            return ""
    return None


def find_entry(folder: Path, entry: str) -> Path | None:
    """Return the file that Invoke would load in a folder: the nearest one above it."""
    return next((path for parent in (folder, *folder.parents) if (path := parent / f"{entry}.py").is_file()), None)


def _complete_words(words: list[str], folder: Path, environ: Mapping[str, str], entry: str) -> Iterator[str]:
    form = words.pop(0) if words[:1] in ([EXACT], [DESCRIBED]) else ""
    found = find_entry(folder, entry)
    if found is None or not words:
        return
    joined, prefix = _join_values(words[1:])
    project = _Project(found.parent, read_commands(found), environ)
    candidates = list(project.complete(joined))
    if not form:
        # Invoke's own scripts leave out an empty last word, and let the shell complete files after an empty answer.
        candidates += project.complete([*joined, ""]) if joined and project.is_complete(joined[-1]) else []
        candidates = [candidate for candidate in candidates if candidate != FILES]
    for candidate in dict.fromkeys(candidates):
        yield project.describe(candidate) if form == DESCRIBED else candidate.removeprefix(prefix)


def _join_values(words: Sequence[str]) -> tuple[list[str], str]:
    """Return the words as they were typed, and what bash has completed already: it splits `--env=dev` into three words."""
    joined: list[str] = []
    prefix = ""
    for word in words:
        if joined and joined[-1].startswith("-") and (word == "=" or joined[-1].endswith("=")):
            joined[-1] += word
            prefix = joined[-1].partition("=")[0] + "="
        else:
            joined.append(word)
            prefix = ""
    return joined, prefix


class _Project:
    """The commands of a project and the values of their flags."""

    def __init__(self, folder: Path, commands: Mapping[str, CommandSyntax], environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._commands = commands
        self._environ = environ

    def is_complete(self, word: str) -> bool:
        """Return True if another word follows this one, as far as that is known."""
        flags = _CORE_VALUES.union(*(command.flags for command in self._commands.values()))
        return word in self._commands or word in flags

    def describe(self, candidate: str) -> str:
        """Return a candidate, followed by a tab and its description if it is a command."""
        return f"{candidate}\t{self._commands[candidate].description}" if candidate in self._commands else candidate

    def complete(self, words: Sequence[str]) -> Iterator[str]:
        """Yield the words that the last one may become."""
        *before, current = words or [""]
        typed = self._read(before)
        flag, equals, value = current.partition("=")
        if typed.pending is not None:
            yield from self._list_values(typed.command, typed.pending, current)
        elif current.startswith("-") and equals:
            found = self._list_values(typed.command, _find_parameter(typed.command, flag), value)
            yield from (each if each == FILES else f"{flag}={each}" for each in found)
        elif typed.positional is not None and not current.startswith("-"):
            yield from self._list_values(typed.command, typed.positional, current)
        else:
            flags = _list_flags(typed, short=current == "-") if typed.command or current else []
            words = [*flags, *self._commands]
            yield from (each for each in words if each.startswith(current))

    def _read(self, words: Iterable[str]) -> _Typed:
        command: CommandSyntax | None = None
        pending: str | None = None
        seen: set[str] = set()
        for word in words:
            if pending is not None:
                pending = None
            elif word.startswith("-"):
                flag, equals, _ = word.partition("=")
                parameter = _find_parameter(command, flag)
                seen.add(parameter)
                takes_value = command.takes_value(flag) if command and parameter else flag in _CORE_VALUES
                pending = parameter if takes_value and not equals else None
            elif command and (missing := _find_missing(command, seen)):
                seen.add(missing)
            elif word in self._commands:
                command, seen = self._commands[word], set()
        return _Typed(command, pending, _find_missing(command, seen) if command else None, frozenset(seen))

    def _list_values(self, command: CommandSyntax | None, parameter: str, typed: str) -> Iterator[str]:
        """Yield the values of a parameter that begin as typed."""
        if command is None or (command.name, parameter) in _OTHER_VALUES:
            return
        if parameter in _FILES:
            yield FILES
        elif parameter in _VERSIONS:
            yield from (version for version in self._list_versions() if version.startswith(typed))
        elif parameter in ("env", "from_env"):
            before, comma, last = typed.rpartition(",")
            chosen = before.split(",")
            known = [*self._list_environments(), *(["all"] if command.name == "db.status" and not comma else [])]
            yield from (f"{before}{comma}{name}" for name in known if name.startswith(last) and name not in chosen)

    def _list_environments(self) -> list[str]:
        named = sorted(path.name.removeprefix(".env.") for path in self._folder.glob(".env.*"))
        others = (name for name in named if name not in (*FIXED_ENVIRONMENTS, "example", "sample"))
        return [*FIXED_ENVIRONMENTS, *(name for name in others if _ENVIRONMENT.fullmatch(name))]

    def _list_versions(self) -> list[str]:
        with os.scandir(self._find_migrations() / "up") as entries:
            return sorted(entry.name.removesuffix(".sql") for entry in entries if entry.name.endswith(".sql"))

    def _find_migrations(self) -> Path:
        """Return the folder of MIGRATIONS_DIR; only the forms of a file that are common are understood."""
        value = self._environ.get("MIGRATIONS_DIR", "")
        for name in (".env.local", ".env"):
            path = self._folder / name
            match = None if value or not path.is_file() else _SETTING.search(path.read_text(encoding="utf-8", errors="replace"))
            value = match[2] if match else value
        return Path(value) if value else self._folder / "migrations"


def _list_flags(typed: _Typed, *, short: bool) -> list[str]:
    """Return the flags that may follow, without those that were typed already, and short ones only if requested."""
    if typed.command is None:
        return list(CORE_FLAGS)
    flags = [flag for flag, parameter in typed.command.flags.items() if parameter not in typed.seen]
    return sorted(flag for flag in [*flags, "--help"] if short or flag.startswith("--"))


def _find_parameter(command: CommandSyntax | None, flag: str) -> str:
    return command.flags.get(flag, "") if command else ""


def _find_missing(command: CommandSyntax, seen: Collection[str]) -> str | None:
    return next((name for name in command.positional if name not in seen), None)


def _read_script(shell: str) -> str:
    return Path(__file__).with_name(f"completion.{shell}").read_text(encoding="utf-8")


def main() -> None:
    """Answer the request in the arguments; the name of the file that Invoke loads is the first of them."""
    entry, *arguments = sys.argv[1:]
    found = answer(arguments, Path.cwd(), os.environ, entry)
    if found is None:
        shells = ", ".join(SHELLS)
        print(f"ERROR: completion is available for {shells}\n  For example: inv --print-completion-script bash", file=sys.stderr)
        sys.exit(2)
    sys.stdout.buffer.write(found.encode("utf-8", "surrogateescape"))
