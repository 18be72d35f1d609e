"""The parser of scripts/migrate.py: as argparse's, and wrong usage names the command or flag that may be meant.

The words "invalid choice" and "unrecognized arguments" stay: a laptop with a newer version of this tool recognises by them that
the image on a machine is older.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
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


class CommandFlags:
    """A command and its flags. Its parser is made where it is used: making all of them takes longer than reading the files."""

    def __init__(self, text: str, *parents: CommandFlags) -> None:
        self.text = text
        self._arguments: list[tuple[tuple[str, ...], dict[str, Any]]] = [
            argument for parent in parents for argument in parent._arguments
        ]

    def add_argument(self, *names: str, **options: Any) -> None:
        """Add an argument, with the parameters of argparse."""
        self._arguments.append((names, options))

    def fill(self, parser: CommandParser) -> CommandParser:
        """Add the arguments to a parser, and return it."""
        for names, options in self._arguments:
            parser.add_argument(*names, **options)
        return parser


class CommandParsers:
    """The parser of a program with commands, each with its own flags, one of them the default."""

    def __init__(self, program: str, description: str, *, default: str, internal: Sequence[str]) -> None:
        self._program = program
        self._description = description
        self._commands: dict[str, CommandFlags] = {}
        self._default = default
        self._internal = frozenset(internal)

    def add(self, name: str, text: str, *parents: CommandFlags) -> CommandFlags:
        """Add a command and return it; the help does not list internal ones."""
        self._commands[name] = CommandFlags(text, *parents)
        return self._commands[name]

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Return the parsed arguments; prints the usage and exits with 2 for wrong ones."""
        named = bool(arguments) and (not arguments[0].startswith("-") or arguments[0] in HELP)
        name, *words = arguments if named else [self._default, *arguments]
        public = [each for each in self._commands if each not in self._internal]
        if name in HELP:
            self._build(public).parse_args([name])
        if name not in self._commands:
            proposal = propose(name, public)
            proposals = " ".join(filter(None, (proposal, _list_commands(public))))
            self._build(public).error(f"invalid choice: {name!r}\n{proposals}")
        command = self._commands[name]
        parser = command.fill(CommandParser(prog=f"{self._program} {name}", description=command.text))
        options, rest = parser.parse_known_args(words)
        if rest:
            self._refuse(parser, rest, public, named=named)
        options.command = name
        return options

    def _build(self, names: Iterable[str]) -> CommandParser:
        """Return the parser that prints the help of the program."""
        epilog = f"{self._program} COMMAND --help explains the flags of a command. "
        epilog += f"Without a command, {self._program} runs {self._default}."
        parser = CommandParser(prog=self._program, description=self._description, epilog=epilog)
        commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
        for name in names:
            commands.add_parser(name, help=self._commands[name].text)
        return parser

    def _refuse(self, parser: CommandParser, rest: Sequence[str], public: Sequence[str], *, named: bool) -> None:
        flags = (propose(word.partition("=")[0], parser.flags) for word in rest if word.startswith("-"))
        proposals = [*dict.fromkeys(filter(None, flags))]
        misplaced = next((word for word in rest if word in public), "")
        if misplaced and not named:
            proposals = [f"Write the command first: {self._program} {misplaced} …"]
        parser.error("\n".join((f"unrecognized arguments: {' '.join(rest)}", *proposals)))


def _list_commands(names: Sequence[str]) -> str:
    return f"The commands are {', '.join(names)}."
