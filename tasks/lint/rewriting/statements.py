"""The steps that replace one statement: what its kind needs, and what the finding is about."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from tasks.lint.model import LintContext, LintedStatement, Node
from tasks.lint.rewriting.columns import add_column, strip_name
from tasks.lint.rewriting.constraints import add_constraint, constrain_domain, require_value
from tasks.lint.rewriting.indexes import create_index, drop_index
from tasks.lint.rewriting.loops import change_in_batches
from tasks.lint.rewriting.names import NamesInUse, TableTarget, find_table
from tasks.lint.rewriting.steps import NotRewritableError, SafeStep
from tasks.lint.rewriting.texts import CutCommand, cut_alter_table, list_tokens
from tasks.lint.rewriting.touched import invert, list_commands, touch, touch_command
from tasks.lint.rewriting.type_change import change_type

_REMOVING = frozenset({"DropStmt", "RenameStmt", "AlterObjectSchemaStmt"})
_SKIPPED = frozenset({"if", "not", "exists", "only", "public"})
_DESCRIBED, _LONGEST = 200, 60
"""The characters of a statement that its description is made of, and of that description."""


def rewrite_statement(
    context: LintContext, statement: LintedStatement, piece: str, commands: Collection[int], names: NamesInUse
) -> list[SafeStep]:
    """Return the steps that replace a statement; `piece` is its text with the comments around it.

    `commands` are those of an ALTER TABLE to replace, from 0; all of them if there are none.
    """
    kind, node, text = statement.kind, statement.node, statement.text
    if kind == "IndexStmt":
        return create_index(context, node, text, names)
    if kind == "DropStmt" and node.get("removeType") == "OBJECT_INDEX":
        return drop_index(context, node)
    if kind == "AlterDomainStmt":
        return constrain_domain(node, text)
    if kind in ("UpdateStmt", "DeleteStmt"):
        return change_in_batches(context, kind, node, text, names)
    if kind == "AlterTableStmt" and node.get("objtype", "OBJECT_TABLE") == "OBJECT_TABLE":
        return list(_AlterTable(context, statement, commands, names).rewrite())
    if kind not in _REMOVING or context.file.after_deploy:
        raise NotRewritableError("no other form of it is known to be safe")
    return [keep(statement, piece, alone=True, after_deploy=True)]


def keep(statement: LintedStatement, piece: str, *, alone: bool = False, after_deploy: bool = False) -> SafeStep:
    """Return the step that contains a statement as it is."""
    kind, node = statement.kind, statement.node
    return SafeStep(
        _describe(statement),
        piece,
        alone=alone,
        after_deploy=after_deploy,
        touched=touch(kind, node),
        inverse=invert(kind, node),
        segment=statement.segment,
        original=True,
    )


def _describe(statement: LintedStatement) -> str:
    """Return the first words of a statement as the description of a file."""
    return _join_words(statement.text)


def _join_words(text: str) -> str:
    words = [token.text for token in list_tokens(text[:_DESCRIBED]) if token.kind in ("word", "identifier")]
    return " ".join(word.strip('"') for word in words if word.lower() not in _SKIPPED)[:_LONGEST]


def add_comments(steps: list[SafeStep], comments: str) -> list[SafeStep]:
    """Return steps of which the first has the comments of what they replace."""
    if not steps or steps[0].original or not comments.strip():
        return steps
    return [replace(steps[0], up=comments.lstrip("\r\n") + steps[0].up), *steps[1:]]


class _AlterTable:
    """An ALTER TABLE of which some commands are replaced, and others kept together."""

    def __init__(self, context: LintContext, statement: LintedStatement, commands: Collection[int], names: NamesInUse) -> None:
        self._statement = statement
        self._nodes = list_commands(statement.node)
        self._head, self._cut = cut_alter_table(statement.text, len(self._nodes))
        self._after_deploy = context.file.after_deploy
        self._wanted = set(commands) or set(range(len(self._nodes)))
        self._table: TableTarget = find_table(context, statement.node["relation"], names)
        self._kept: list[int] = []
        if self._table.partitioned and not statement.node["relation"].get("inh", False):
            raise NotRewritableError("what is changed of a partitioned table ONLY must be written by hand")

    def rewrite(self) -> Iterator[SafeStep]:
        """Yield the steps, in the order of the commands; raises NotRewritableError if no command is replaced."""
        for number, node in enumerate(self._nodes):
            steps = self._replace(number, node) if number in self._wanted else None
            if steps is None:
                self._kept.append(number)
                continue
            yield from self._flush()
            yield from add_comments(steps, self._cut[number].comments)
        if len(self._kept) == len(self._nodes):
            raise NotRewritableError("no other form of it is known to be safe")
        yield from self._flush()

    def _replace(self, number: int, node: Node) -> list[SafeStep] | None:
        """Return the steps that replace a command, or None if it is kept."""
        cut: CutCommand = self._cut[number]
        text, subtype, table = cut.text, node["subtype"], self._table
        if subtype == "AT_AddConstraint":
            constraint = node["def"]["Constraint"]
            body = strip_name(text[list_tokens(text)[0].end :].strip(), constraint)
            return add_constraint(table, constraint, body)
        if subtype == "AT_SetNotNull":
            return require_value(table, node["name"])
        if subtype == "AT_AddColumn":
            return add_column(table, node, cut, self._statement.text)
        if subtype == "AT_AlterColumnType":
            return change_type(table, node, text)
        if subtype == "AT_DropColumn" and not self._after_deploy:
            return list(self._write([number], alone=True, after_deploy=True))
        return None

    def _flush(self) -> Iterator[SafeStep]:
        """Yield the commands that are kept, as one statement."""
        kept, self._kept = self._kept, []
        if kept:
            yield from self._write(kept, alone=False, after_deploy=False)

    def _write(self, numbers: list[int], *, alone: bool, after_deploy: bool) -> Iterator[SafeStep]:
        relation = self._statement.node["relation"]["relname"]
        touched = frozenset().union(*(touch_command(relation, self._nodes[number]) for number in numbers))
        cut = [self._cut[number] for number in numbers]
        if after_deploy:
            cut = [replace(each, comments="") for each in cut]
        commands = ",\n    ".join(each.whole for each in cut)
        space = "\n    " if any(each.comments for each in cut) else " "
        yield SafeStep(
            f"{_join_words(self._cut[numbers[0]].text)} of {self._table.name}",
            f"{self._head}{space}{commands};\n",
            alone=alone,
            after_deploy=after_deploy,
            touched=touched,
            inverse=self._invert(numbers),
            segment=self._statement.segment,
        )

    def _invert(self, numbers: list[int]) -> str:
        commands = [{"AlterTableCmd": self._nodes[number]} for number in numbers]
        return invert("AlterTableStmt", {**self._statement.node, "cmds": commands})
