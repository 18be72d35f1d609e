"""Errors of Invoke's parser → errors for users, with the command or flag that may be meant."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import zip_longest

from invoke.parser.context import ParserContext

from tasks.commands.shell.definitions import write_flag
from tasks.runner.command_lines import compose_command, quote_words
from tasks.runner.errors import UsageError
from tasks.runner.spelling import nearest

_UNKNOWN = re.compile(r"No idea what (?P<word>.+) is!", re.DOTALL)
_MISSING = re.compile(r"'(?P<command>.+)' did not receive required positional arguments: (?P<names>.+)")
_AMBIGUOUS = re.compile(r".+ is ambiguous when given after an optional-value flag", re.DOTALL)
_NO_VALUE = re.compile(r"Flag <Argument: (?P<name>[\w-]+).*> needed value and was not given one!")
_TIMESTAMP_BEGINS = re.compile(r"\d{4,}")
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_SHORT = re.compile(r"-[A-Za-z]")
_STATE = "Nothing was changed."
_LIST = "inv lists the commands."

_VALUES = {
    "env": "NAME", "to": "VERSION", "only": "VERSION", "version": "VERSION", "assume_present": "VERSION",
    "assume_absent": "VERSION", "steps": "N", "limit": "N", "timeout": "SECONDS", "html": "FILE", "prometheus": "FILE",
    "output": "FILE", "sql": "FILE", "plan": "ID", "folder": "PATH", "as_migration": "NAME", "without_extension": "NAME",
    "rename": "OLD=NEW", "drop": "NAME", "kill": "PID", "from_models": "MODULE:NAME",
    "from_schema": "FILE", "from_env": "NAME", "exclude": "TABLE", "base": "REVISION", "queries": "FILE", "models": "MODULE:NAME",
    "versions": "PATH", "record": "REVISION", "x": "KEY=VALUE",
}  # fmt: skip
"""What the help and the errors write for the value of a flag."""
_ANY = "VALUE"
_OPTIONAL = {"--from-models": ":"}
"""The flags whose value is optional, each with a character that all its values have, and no argument."""
_OTHER_NAMES = {
    "db.migrate": ("up", "upgrade", "update", "apply", "deploy", "run", "push"),
    "db.rollback": ("down", "downgrade", "undo", "revert"),
    "db.new": ("generate", "revision", "make", "add", "create"),
    "db.status": ("info", "list", "ls", "current", "show", "pending"),
    "db.history": ("log", "logs"),
    "db.mark": ("stamp", "fake", "resolve"),
    "db.adopt": ("baseline", "init", "import"),
    "db.verify": ("validate", "test", "check"),
    "db.lint": ("squawk", "review"),
    "db.plan": ("forecast", "preview", "explain", "impact", "locks"),
    "db.repair": ("fix", "clean"),
    "db.psql": ("shell", "console", "connect", "sql"),
    "db.reset": ("recreate", "refresh", "fresh"),
}
"""What other tools call the same, for names that are not similar."""


def name_value(parameter: str) -> str:
    """Return the word for the value of a parameter, as in --to=VERSION."""
    return _VALUES.get(parameter, _ANY)


def explain_parse_error(
    message: str,
    words: Sequence[str],
    context: ParserContext | None,
    commands: Mapping[str, ParserContext],
    environments: Collection[str],
) -> UsageError:
    """Return the error for a message of Invoke's parser.

    `words` is what was typed, and `context` the command at which the parser was.
    """
    if context is not None and (flag := _find_flag_as_value(context, words)):
        return _explain_flag(flag, words, context, commands)
    if (match := _UNKNOWN.fullmatch(message)) is not None:
        word = literal_eval(match["word"])
        command = context if context is not None and context.name else None
        if word.startswith("-"):
            return _explain_flag(word, words, command, commands)
        if command is not None and (flag := _find_switch(word, words, command)):
            return _refuse(f"{flag} takes no value", f"Write it without ={word}.")
        return _explain_word(word, words, command, commands, environments)
    if (match := _MISSING.fullmatch(message)) is not None:
        return _refuse_missing(match["command"], [name.strip("' ") for name in match["names"].split(",")])
    if _AMBIGUOUS.fullmatch(message) and any(word.partition("=")[0] in _OPTIONAL for word in words):
        name = next(each for each in reversed(words) if each in commands)
        return _refuse_missing(name, [argument.name or "" for argument in commands[name].positional_args])
    if (match := _NO_VALUE.fullmatch(message)) is not None:
        return _refuse_without_value(write_flag(match["name"]), context)
    return _refuse(message, _LIST)


def put_optional_last(words: Sequence[str], commands: Collection[str]) -> list[str]:
    """Return the words with flags whose value is optional behind the argument that follows them.

    Invoke's parser refuses them before it: https://docs.pyinvoke.org/en/stable/concepts/invoking-tasks.html
    """
    ordered: list[str] = []
    moved: list[str] = []
    is_flag_first = False
    for before, word in zip(["", *words], words, strict=False):
        if word in commands:
            ordered, moved = [*ordered, *moved], []
        elif before in commands:
            is_flag_first = word.startswith("-")
        is_value = before in _OPTIONAL and _OPTIONAL[before] in word and not word.startswith("-")
        is_moved = is_value or word.partition("=")[0] in _OPTIONAL
        (moved if is_flag_first and is_moved and word not in commands else ordered).append(word)
    return [*ordered, *moved]


def refuse_flags_as_values(contexts: Iterable[ParserContext], words: Sequence[str]) -> None:
    """Raise UsageError for an unknown flag that Invoke's parser took as the value of an argument."""
    for context in contexts:
        if flag := _find_flag_as_value(context, words):
            raise _explain_flag(flag, words, context, {})


def refuse_flags_without_values(contexts: Iterable[ParserContext], words: Sequence[str]) -> None:
    """Raise UsageError for a flag without its value that Invoke's parser ignores: a repeatable one, or one that is there twice.

    Like there, a word that is a flag of the command is no value.
    """
    commands = {context.name: context for context in contexts}
    context: ParserContext | None = None
    for word, following in zip_longest(words, words[1:], fillvalue=None):
        context = commands.get(word, context)
        argument = context.flags.get(word) if context is not None else None
        if context is None or word is None or argument is None or argument.optional or not argument.takes_value:
            continue
        if following is None or following.startswith("--") or following.partition("=")[0] in context.flags:
            raise _refuse_without_value(word, context)


def propose_command(word: str, commands: Iterable[str]) -> str:
    """Return the command that a word may mean; empty if none is near.

    A command without its collection, with another separator, or with the name that other tools use is near as well.
    """
    known = list(commands)
    joined = _SEPARATORS.sub("", word.lower())
    last = _SEPARATORS.split(word.lower())[-1]
    parts = {name.rpartition(".")[2]: name for name in reversed(known)}
    for candidates in (
        (name for name in known if _SEPARATORS.sub("", name) == joined),
        (name for part, name in parts.items() if _SEPARATORS.sub("", part) in (joined, last)),
        (name for name, others in _OTHER_NAMES.items() if name in known and last in others),
    ):
        if (found := next(candidates, "")) != "":
            return found
    return nearest(word, known) if "." in word else parts.get(nearest(word, parts), "") or nearest(word, known)


def propose_flags(word: str, flags: Iterable[str]) -> list[str]:
    """Return the flags that an unknown one may mean: the nearest, or those that begin with its letter."""
    name = word.partition("=")[0]
    long = [flag for flag in flags if flag.startswith("--")]
    if _SHORT.fullmatch(name):
        return [flag for flag in long if flag[2] == name[1].lower()][:3]
    found = nearest(f"--{name.lstrip('-')}".replace("_", "-"), long)
    return [found] if found else []


def _find_flag_as_value(context: ParserContext, words: Sequence[str]) -> str:
    values = (argument.value for argument in context.positional_args if argument.kind is not list)
    flags = (value for value in values if isinstance(value, str) and value.startswith("-") and len(value) > 1)
    return next((flag for flag in flags if flag in words or any(word.startswith(f"{flag}=") for word in words)), "")


def _explain_flag(
    word: str, words: Sequence[str], command: ParserContext | None, commands: Mapping[str, ParserContext]
) -> UsageError:
    following = next((commands[each] for each in words if each in commands), None)
    owner = command if command is not None and command.name else following
    meant = propose_flags(word, owner.flags) if owner is not None else []
    value = _find_value(word, words, commands)
    meant = [f"{flag}{value if value and owner and owner.flags[flag].takes_value else ''}" for flag in meant]
    if command is not None and command.name:
        return _refuse(f"{command.name} has no flag {word}", _ask(meant, _point_to_help(command.name)))
    if owner is not None and owner.name and meant:
        return _refuse(f"inv has no flag {word}", f"Write flags after the command: {compose_command(owner.name, meant[0])}")
    return _refuse(f"inv has no flag {word}", "inv --help lists the flags of inv, inv --help COMMAND those of a command.")


def _find_value(flag: str, words: Sequence[str], commands: Collection[str]) -> str:
    """Return the value that was typed for a flag, after `=`; empty if there is none."""
    for word, following in zip(words, [*words[1:], "-"], strict=True):
        if word.startswith(f"{flag}="):
            return word.removeprefix(flag)
        if word == flag and not following.startswith("-") and following not in commands:
            return f"={quote_words(following)}"
    return ""


def _explain_word(
    word: str,
    words: Sequence[str],
    command: ParserContext | None,
    commands: Mapping[str, ParserContext],
    environments: Collection[str],
) -> UsageError:
    shown = quote_words(word)
    if command is not None and command.name:
        flag = _propose_value(word, command, environments)
        if flag:
            return _refuse(f"{command.name} takes no argument {shown}", f"Did you mean {flag}={shown}?")
    elif word in environments:
        return _refuse(f"there is no command {shown}", f"Write an environment after the command, as --env={shown}.")
    following = next(iter(words[list(words).index(word) + 1 :]), "") if word in words else ""
    meant = f"{word}.{following}" if f"{word}.{following}" in commands else propose_command(word, commands)
    if meant or command is None or not command.name:
        return _refuse(f"there is no command {shown}", _ask([meant] if meant else [], _LIST))
    joined = "Quote an argument that contains spaces. " if command.positional_args else ""
    return _refuse(f"{command.name} takes no argument {shown}", f"{joined}{_point_to_help(command.name)}")


def _propose_value(word: str, command: ParserContext, environments: Collection[str]) -> str:
    """Return the flag whose value a word may be."""
    if "--env" in command.flags and all(name in environments for name in word.split(",")):
        return "--env"
    if _TIMESTAMP_BEGINS.match(word):
        return next((flag for flag in ("--to", "--only", "--version") if flag in command.flags), "")
    if word.isdecimal():
        return next((flag for flag in ("--steps", "--limit") if flag in command.flags), "")
    return ""


def _find_switch(value: str, words: Iterable[str], command: ParserContext) -> str:
    """Return the flag without a value that this value was typed for; empty if there is none."""
    flags = (word.partition("=")[0] for word in words if word.startswith("-") and word.endswith(f"={value}"))
    return next((flag for flag in flags if flag in command.flags and not command.flags[flag].takes_value), "")


def _refuse_without_value(flag: str, context: ParserContext | None) -> UsageError:
    argument = context.flags.get(flag) if context is not None else None
    name = (argument.attr_name or argument.name or "" if argument is not None else flag.lstrip("-")).replace("-", "_")
    meaning = f": {argument.help}" if argument is not None and argument.help else "."
    joined = "=" if flag.startswith("--") else " "
    return _refuse(f"{flag} needs a value", f"Write {flag}{joined}{name_value(name)}{meaning}")


def _refuse_missing(command: str, arguments: Sequence[str]) -> UsageError:
    names = " ".join(name.upper() for name in arguments)
    return _refuse(f"{command} needs {names}", f"Run: {compose_command(command)} {names}\n{_point_to_help(command)}")


def _ask(meant: Sequence[str], otherwise: str) -> str:
    return f"Did you mean {' or '.join(meant)}? {otherwise}" if meant else otherwise


def _point_to_help(command: str) -> str:
    return f"inv --help {command} explains its flags."


def _refuse(message: str, hint: str) -> UsageError:
    return UsageError(message, hint=hint, state=_STATE)
