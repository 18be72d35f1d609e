"""The parser of scripts/migrate.py: as argparse's, and wrong usage names the command or flag that may be meant.

The words "invalid choice" and "unrecognized arguments" stay: a laptop with a newer version of this tool recognises by them that
the image on a machine is older.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from tasks.runner.spelling import propose

HELP = ("-h", "--help")


class CommandParser(argparse.ArgumentParser):
    """A parser that accepts no abbreviated flags: one that is added later would change what they mean."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **options})

    @property
    def flags(self) -> list[str]:
        """Return the flags that the help explains."""
        shown = (action for action in self._actions if action.help != argparse.SUPPRESS)
        return [flag for action in shown for flag in action.option_strings if flag.startswith("--")]


class CommandParsers:
    """The parser of a program with commands, each with its own flags, one of them the default."""

    def __init__(self, program: str, description: str, *, default: str, internal: Sequence[str]) -> None:
        epilog = f"{program} COMMAND --help explains the flags of a command. Without a command, {program} runs {default}."
        self._parser = CommandParser(prog=program, description=description, epilog=epilog)
        self._subparsers = self._parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
        self._commands: dict[str, CommandParser] = {}
        self._default = default
        self._internal = frozenset(internal)

    def add(self, name: str, text: str, *parents: CommandParser) -> CommandParser:
        """Add a command and return its parser; the help does not list internal ones."""
        # A command without `help` is not listed.
        listed: dict[str, Any] = {} if name in self._internal else {"help": text}
        self._commands[name] = self._subparsers.add_parser(name, parents=parents, description=text, **listed)
        return self._commands[name]

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Return the parsed arguments; prints the usage and exits with 2 for wrong ones."""
        named = bool(arguments) and (not arguments[0].startswith("-") or arguments[0] in HELP)
        words = list(arguments) if named else [self._default, *arguments]
        public = [name for name in self._commands if name not in self._internal]
        if words[0] not in (*self._commands, *HELP):
            proposal = propose(words[0], public)
            self._parser.error(f"invalid choice: {words[0]!r}\n{' '.join(filter(None, (proposal, _list_commands(public))))}")
        options, rest = self._parser.parse_known_args(words)
        if rest:
            self._refuse(rest, words[0], public, named=named)
        return options

    def _refuse(self, rest: Sequence[str], command: str, public: Sequence[str], *, named: bool) -> None:
        parser = self._commands[command]
        flags = (propose(word.partition("=")[0], parser.flags) for word in rest if word.startswith("-"))
        proposals = [*dict.fromkeys(filter(None, flags))]
        misplaced = next((word for word in rest if word in public), "")
        if misplaced and not named:
            proposals = [f"Write the command first: {self._parser.prog} {misplaced} …"]
        parser.error("\n".join((f"unrecognized arguments: {' '.join(rest)}", *proposals)))


def _list_commands(names: Sequence[str]) -> str:
    return f"The commands are {', '.join(names)}."
