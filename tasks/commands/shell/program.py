"""Invoke's program with this project's list of commands, help, and errors of the command line.

`inv` runs a Program of Invoke, which loads tasks.py. tasks.py changes the class of that object, so that the methods that Invoke
calls afterwards are the ones of this class.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext
from invoke.program import Program
from invoke.util import helpline

from tasks.commands.context import exit_on_error
from tasks.commands.overview import ALL
from tasks.commands.shell.groups import WIDTH, show_groups
from tasks.commands.shell.usage import (
    explain_parse_error,
    name_value,
    put_optional_last,
    refuse_flags_as_values,
    refuse_flags_without_values,
)
from tasks.config.environments import check_environment_name, list_environments
from tasks.runner.errors import UsageError

_FLAGS_AFTER_COMMANDS = ("help", "dry", "list")
"""The flags of Invoke that have an effect after a command."""
_HELP = ("-h", "--help")
_FORMATS = ("flat", "nested", "json")


class CommandLine(Program):
    """The command line of `inv` in this project: wrong usage names what may be meant, runs nothing and exits with 2."""

    def parse_tasks(self) -> None:
        """Parse the commands with their flags; exits with 2 for wrong usage, and lists the commands of a bare collection."""
        with self._explain_errors():
            self._list_bare_collection()
            self._follow_help_flag()
            self.core.unparsed = put_optional_last(self.core.unparsed, self.collection.task_names)
            super().parse_tasks()
            refuse_flags_as_values(self.tasks, self.core.unparsed)
            refuse_flags_without_values(self.tasks, self.core.unparsed)
            self._refuse_core_flags()
            self._check_environments()

    def parse_cleanup(self) -> None:
        """Print help or a list if requested; exits with 2 for an unknown name."""
        with self._explain_errors():
            name = self.args.list.value
            if isinstance(name, str) and name not in self.collection.collections:
                known = ", ".join(self.collection.collections)
                raise UsageError(f"there is no collection {name}", hint=f"The collections are {known}.")
            if self.args["list-format"].value not in _FORMATS:
                raise UsageError(
                    f"there is no format {self.args['list-format'].value}", hint=f"The formats are {', '.join(_FORMATS)}."
                )
            if self.args.help.value in self.collection.collections:
                self._print_commands(self.args.help.value)
                raise Exit
            super().parse_cleanup()

    def no_tasks_given(self) -> None:
        """Print the commands in groups."""
        self._print_commands()
        raise Exit

    def list_flat(self) -> None:
        """Print the commands in groups, or those of a collection."""
        self._print_commands(self.list_root or "")

    def print_task_help(self, name: str) -> None:
        """Print what a command does, and its flags."""
        context = self.parser.contexts[name]
        positional = [argument for argument in context.positional_args if argument.kind is not list]
        flags = [argument for argument in context.args.values() if argument not in positional]
        required = "".join(f" {argument.name.upper()}" for argument in positional)
        print(f"Usage: inv {name}{required}{' [FLAGS]' if flags else ''}\n")
        for paragraph in (inspect.getdoc(self.collection[name]) or "").split("\n\n"):
            print(textwrap.fill(paragraph, WIDTH), end="\n\n")
        pairs = [(argument.name.upper(), argument.help or "") for argument in positional]
        pairs += sorted(((_show_flag(argument), argument.help or "") for argument in flags), key=lambda pair: pair[0].strip())
        if pairs:
            self.print_columns(pairs)

    def _print_commands(self, collection: str = "") -> None:
        names = [name for name in self.collection.task_names if name.startswith(f"{collection}." if collection else "")]
        print("Usage: inv COMMAND [FLAGS] [COMMAND [FLAGS] …]")
        for line in show_groups({name: helpline(self.collection[name]) or "" for name in names}):
            print(line)
        print("\ninv --help COMMAND explains a command and its flags.")

    def _list_bare_collection(self) -> None:
        """Print the commands of a collection, if nothing else was typed."""
        words = [word for word in self.core.unparsed if word not in _HELP]
        if len(words) == 1 and words[0] in self.collection.collections:
            self._print_commands(words[0])
            raise Exit

    def _follow_help_flag(self) -> None:
        """Print the help of a command that `-h` comes after, also where Invoke would take it as the value of an argument."""
        for command, word in pairwise(self.core.unparsed):
            if command in self.collection.task_names and word in _HELP:
                self.parser = self._make_parser()
                self.print_task_help(command)
                raise Exit

    def _refuse_core_flags(self) -> None:
        """Raise UsageError for a flag of Invoke after a command, where it would be ignored."""
        for argument in self.core_via_tasks.args.values():
            if argument.got_value and argument.name not in _FLAGS_AFTER_COMMANDS:
                names = [f"-{name}" if len(name) == 1 else f"--{name}" for name in argument.names]
                typed = next((name for name in names if name in self.core.unparsed), names[0])
                has_dry_run = any("dry_run" in context.args for context in self.tasks)
                dry = " For a dry run, use --dry-run." if argument.name == "debug" and has_dry_run else ""
                raise UsageError(
                    f"{typed} is Invoke's own flag{'' if typed == names[0] else f' {names[0]}'}, not a flag of this command",
                    hint=f"Write it before the command: inv --{argument.name} …{dry}",
                    state="Nothing was changed.",
                )

    def _check_environments(self) -> None:
        """Raise UsageError for an unknown environment of any command, before the first one runs."""
        for context in self.tasks:
            named = context.args["env"].value if "env" in context.args else None
            for name in map(str.strip, (named or "").split(",")):
                if name not in ("", ALL):
                    check_environment_name(name)

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        words = self.core.unparsed
        with exit_on_error(json=not {"--json", "-j"}.isdisjoint(words)):
            try:
                yield
            except ParseError as error:
                context: ParserContext | None = error.context
                raise explain_parse_error(str(error), words, context, dict(self.parser.contexts), list_environments()) from error


def _show_flag(argument: Argument) -> str:
    name = argument.attr_name or argument.name or ""
    short = next((f"-{each}, " for each in argument.names if len(each) == 1), "    ")
    return f"{short}--{name.replace('_', '-')}{f'={name_value(name)}' if argument.takes_value else ''}"


def take_over() -> None:
    """Make the running program of Invoke one of this class."""
    main = sys.modules.get("invoke.main")
    if main is not None:
        main.program.__class__ = CommandLine
