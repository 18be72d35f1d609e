"""The author's down file, divided among the files of a safe migration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.lint.rewriting.indexes import parse_node
from tasks.lint.rewriting.steps import NotRewritableError, SafeStep, Touched
from tasks.lint.rewriting.texts import cut_alter_table, cut_file
from tasks.lint.rewriting.touched import list_commands, touch, touch_command
from tasks.runner.errors import RunnerError
from tasks.runner.parsing import read_script
from tasks.runner.parsing.script import Statement

_LOCAL = ("VariableSetStmt",)


@dataclass(frozen=True, slots=True)
class _Undo:
    """A statement of the down file, or a command of its ALTER TABLE, and what it changes."""

    text: str
    touched: frozenset[Touched]
    table: str = ""
    head: str = ""
    """The text before the commands of an ALTER TABLE."""
    leading: str = ""
    setting: bool = False
    raw: str = ""
    """The whole statement with its comments, if it is not divided."""


@dataclass(frozen=True, slots=True)
class AuthorsDown:
    """The down file of an author: the comments at its top, its statements, and the reason why it is irreversible, if it is."""

    header: str
    undos: tuple[_Undo, ...]
    irreversible: bool
    rest: str = ""


def read_down(text: str, shown: str, version: str) -> AuthorsDown:
    """Read a down file; raises NotRewritableError if it cannot be divided."""
    try:
        script = read_script(text, file=shown, version=version)
    except RunnerError as error:
        raise NotRewritableError(f"the down file cannot be read: {error.message}") from error
    if script.irreversible is not None:
        return AuthorsDown(text, (), irreversible=True)
    statements = [each for each in script.statements if each.kind or each.text]
    if not script.parsed or any(each.copy_data is not None for each in statements):
        raise NotRewritableError("the down file cannot be parsed")
    cut = cut_file(text, statements)
    undos = [
        undo
        for statement, piece, leading in zip(statements, cut.pieces, cut.leading, strict=True)
        for undo in _list_undos(statement, piece, leading)
    ]
    return AuthorsDown(cut.header, tuple(undos), irreversible=False, rest=cut.rest)


def _list_undos(statement: Statement, piece: str, leading: str) -> list[_Undo]:
    if not statement.kind:
        raise NotRewritableError("the down file cannot be parsed")
    node = parse_node(statement.text, statement.kind)
    table = node.get("relation", {}).get("relname", "") if isinstance(node.get("relation", {}), dict) else ""
    if statement.kind != "AlterTableStmt" or len(list_commands(node)) == 1:
        setting = statement.kind in _LOCAL
        return [_Undo(statement.text, touch(statement.kind, node), table, leading=leading, setting=setting, raw=piece)]
    commands = list_commands(node)
    head, parts = cut_alter_table(statement.text, len(commands))
    return [
        _Undo(part.whole, touch_command(table, command), table, f"{head} ", "" if number else leading)
        for number, (part, command) in enumerate(zip(parts, commands, strict=True))
    ]


def divide_down(down: AuthorsDown | None, files: Sequence[Sequence[SafeStep]]) -> list[str]:
    """Return the statements of the down of each file: those of its steps, and those of the author that undo what is kept."""
    undos = [] if down is None else [undo for undo in down.undos if not undo.setting]
    settings = "".join(undo.raw for undo in down.undos if undo.setting) if down else ""
    settings = settings or "".join(step.setting for steps in files for step in steps)
    places = {id(undo): _find_place(undo, files) for undo in undos}
    written = []
    for number, steps in enumerate(files):
        generated = [step.down for step in reversed(steps) if step.down]
        own = _join([undo for undo in undos if places[id(undo)] == number])
        if down is None:
            generated = [step.inverse if step.down is None else step.down for step in reversed(steps)]
        body = "".join([*generated, own])
        written.append(f"{settings.strip()}\n{body}" if settings.strip() and body.strip() else body)
    return written


def _find_place(undo: _Undo, files: Sequence[Sequence[SafeStep]]) -> int:
    """Return the file whose down contains a statement of the author; -1 if the down of a step replaces it."""
    steps = [(number, step) for number, file in enumerate(files) for step in file]
    exact = [(number, step) for number, step in steps if step.touched & undo.touched]
    for number, step in reversed(exact):
        if step.down is None:
            return number
    if exact:
        return -1
    kept = [(number, step) for number, step in steps if step.down is None and not step.setting]
    near = [number for number, step in kept if undo.table and any(undo.table in touched for touched in step.touched)]
    return (near or [number for number, _ in kept] or [len(files) - 1])[-1]


def _join(undos: Sequence[_Undo]) -> str:
    """Return statements of the author, in which the commands of one ALTER TABLE are together."""
    parts: list[str] = []
    head = ""
    for undo in undos:
        if undo.head and undo.head == head:
            parts[-1] = f"{parts[-1].removesuffix(';' + chr(10))},\n    {undo.text};\n"
        else:
            parts.append(undo.raw if undo.raw else f"{undo.leading}{undo.head}{undo.text};\n")
        head = undo.head
        if not parts[-1].endswith("\n"):
            parts[-1] += "\n"
    return "".join(parts)
