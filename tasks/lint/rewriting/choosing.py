"""What the findings of a file ask for: which statements are replaced, and which get a file of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from tasks.lint.model import LintContext, LintFinding
from tasks.lint.rewriting.steps import NotRewritableError
from tasks.lint.rewriting.texts import cut_alter_table
from tasks.lint.rewriting.touched import list_commands

MISSING_DOWN, ENUM_VALUE, SEVERAL_LOCKS = "missing-down", "enum-value-used", "several-exclusive-locks"
_BY_HAND = {
    "drop-in-use": "what still uses it must be changed by hand",
    "unused-ignore": "the comment must be removed by hand",
    "refused": "the file cannot be read",
}


@dataclass(frozen=True, slots=True)
class WantedChanges:
    """What the findings of a file ask for."""

    replaced: Mapping[int, Collection[int]] = field(default_factory=dict)
    """The numbers of the statements to replace, each with the commands of its ALTER TABLE, from 0; none means all of them."""
    alone: frozenset[int] = frozenset()
    """The statements that only need a file of their own."""
    by_table: frozenset[int] = frozenset()
    """The segments that are divided into a file for each table."""
    down: bool = False
    """Whether the down file is missing."""

    def __bool__(self) -> bool:
        """Return True if anything is to be changed."""
        return bool(self.replaced or self.alone or self.by_table or self.down)


def collect_changes(context: LintContext, findings: Iterable[LintFinding]) -> WantedChanges:
    """Return what the findings ask for; raises NotRewritableError for one that only the author can act on."""
    replaced: dict[int, set[int]] = {}
    whole, alone, by_table, down = set(), set(), set(), False
    for finding in findings:
        if finding.rule in _BY_HAND:
            raise NotRewritableError(_BY_HAND[finding.rule])
        if finding.rule == MISSING_DOWN:
            down = True
        elif finding.rule == ENUM_VALUE:
            alone |= {each.number for each in context.file.statements if each.kind == "AlterEnumStmt"}
        elif finding.rule == SEVERAL_LOCKS:
            by_table.add(context.file.statements[finding.statement - 1].segment)
        elif finding.statement:
            commands = replaced.setdefault(finding.statement, set())
            if finding.command < 0:
                whole.add(finding.statement)
            commands.add(finding.command)
        else:
            raise NotRewritableError("it concerns the whole file")
    chosen = {
        number: _leave_out_ignored(context, number) if number in whole else commands for number, commands in replaced.items()
    }
    return WantedChanges(chosen, frozenset(alone), frozenset(by_table), down)


def _leave_out_ignored(context: LintContext, number: int) -> set[int]:
    """Return the commands of a statement without those for which a comment ignores a rule; nothing for all of them."""
    statement = context.file.statements[number - 1]
    commands = list_commands(statement.node) if statement.kind == "AlterTableStmt" else []
    if len(commands) < 2:
        return set()
    _, parts = cut_alter_table(statement.text, len(commands))
    ignored = {ignore.target for ignore in context.file.ignores if ignore.reason}
    lines = [statement.line + statement.text.count("\n", 0, part.offset) for part in parts]
    kept = {place for place, line in enumerate(lines) if line in ignored and line != statement.line}
    return set(range(len(commands))) - kept if kept else set()
