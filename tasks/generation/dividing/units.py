"""The statements of a generated migration, with what a lint of them as one file finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from tasks.catalog import Catalog
from tasks.lint.engine import build_contexts, check_file
from tasks.lint.files import read_file
from tasks.lint.model import LintContext, LintedStatement, LintFinding
from tasks.lint.replaying import replay_files
from tasks.lint.rewriting.texts import cut_file
from tasks.lint.rules.sharing import list_exclusive
from tasks.lint.rules.table import RULES
from tasks.lint.schema import SchemaFacts
from tasks.lint.trees import list_commands, list_targets, read_created, read_dropped
from tasks.postgres.quoting import unquote_identifier
from tasks.postgres.tokens import tokenize
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection

MISSING_DOWN, ENUM_VALUE, SEVERAL_LOCKS = "missing-down", "enum-value-used", "several-exclusive-locks"
_NOT_ABOUT_ONE = frozenset({MISSING_DOWN, ENUM_VALUE, SEVERAL_LOCKS})
"""The rules about a file, to which dividing it is the answer."""
_AFTER_DEPLOY = frozenset(rule.name for rule in RULES if rule.after_deploy)
_RENAMING = frozenset({"RenameStmt", "AlterObjectSchemaStmt"})
_ROUTINES = frozenset({"CreateFunctionStmt"})
_UNCHECKED_BODIES = "SET LOCAL check_function_bodies = off;\n\n"
_NAMES = {"CreateTrigStmt": "trigname", "CreatePolicyStmt": "policy_name", "RuleStmt": "rulename"}


@dataclass(frozen=True, slots=True)
class Unit:
    """One statement: `text` is complete, with the comments before it and its semicolon."""

    number: int
    """Its place in the migration, from 1."""
    statement: LintedStatement
    text: str
    findings: tuple[LintFinding, ...]
    exclusive: tuple[str, ...]
    """The existing tables on which it gets ACCESS EXCLUSIVE."""
    existing: tuple[str, ...]
    """The existing tables that it changes."""
    removed: frozenset[str]
    """The names of the objects that it drops, without their schemas; for a rename the new name."""
    created: str
    """The name of the object that it creates, without its schema."""

    @property
    def after_deploy(self) -> bool:
        """Return True if the code that is running may need what it drops or renames."""
        return any(finding.rule in _AFTER_DEPLOY for finding in self.findings)

    @property
    def rewritten(self) -> bool:
        """Return True if a lint objects to the statement for another reason."""
        return bool(self.findings) and not self.after_deploy

    @property
    def changes_type(self) -> bool:
        """Return True for a change of a column's type that writes the table."""
        return any(finding.rule == "changing-column-type" for finding in self.findings)

    @property
    def detaches(self) -> bool:
        """Return True if it detaches a partition."""
        return [command.get("subtype") for command in list_commands(self.statement)] == ["AT_DetachPartition"]

    @property
    def default_of(self) -> tuple[str, ...]:
        """Return the table and the column of which it changes the default, or nothing."""
        return self._find_column("AT_ColumnDefault")

    @property
    def drops_default(self) -> bool:
        """Return True if it drops the default of a column."""
        return bool(self.default_of) and "def" not in list_commands(self.statement)[0]

    @property
    def type_of(self) -> tuple[str, ...]:
        """Return the table and the column of which it changes the type by writing the table, or nothing."""
        return self._find_column("AT_AlterColumnType") if self.changes_type else ()

    def _find_column(self, subtype: str) -> tuple[str, ...]:
        commands = list_commands(self.statement)
        fits = len(commands) == 1 and commands[0].get("subtype") == subtype
        return (*self.existing, commands[0]["name"]) if fits and self.existing else ()

    @property
    def adds_column_to(self) -> tuple[str, ...]:
        """Return the existing table to which it adds columns, or nothing."""
        adds = any(command.get("subtype") == "AT_AddColumn" for command in list_commands(self.statement))
        return self.existing[:1] if adds else ()

    @property
    def concerns_type(self) -> bool:
        """Return True if it drops or renames a type, which a column may have until it is exchanged."""
        return "OBJECT_TYPE" in (self.statement.node.get("removeType"), self.statement.node.get("renameType"))

    @property
    def adds_label(self) -> bool:
        """Return True if it adds a label to an enum, which no statement of the same transaction may use."""
        return self.statement.kind == "AlterEnumStmt" and "oldVal" not in self.statement.node

    @property
    def renames(self) -> bool:
        """Return True if it changes only a name, or the schema of an object, so that the rows stay."""
        return is_rename(self.statement)

    @property
    def replaceable(self) -> bool:
        """Return True for the drop of a constraint or an index, which another one of its name may replace."""
        index = self.statement.kind == "DropStmt" and self.statement.node.get("removeType") == "OBJECT_INDEX"
        return (index or self.statement.kind == "AlterTableStmt") and len(self.removed) == 1

    @property
    def alone(self) -> bool:
        """Return True if it cannot run in a transaction."""
        return not self.statement.transactional

    @property
    def is_routine(self) -> bool:
        """Return True for a function or procedure, whose body may mention what later statements create."""
        return self.statement.kind in _ROUTINES

    def names(self, names: frozenset[str]) -> bool:
        """Return True if the statement mentions one of some names."""
        return bool(names) and any(unquote_identifier(token.text) in names for token in tokenize(self.statement.text))


@dataclass(frozen=True, slots=True)
class ReadMigration:
    """The comments at the top of a migration and its statements; `clean` if it needs no other form."""

    header: str
    units: tuple[Unit, ...]
    clean: bool
    after: Catalog | None
    """The schema after it; None if it does not run in the parts that the lint sees apart."""


def write_units(units: Sequence[Unit]) -> str:
    """Return statements as the text of a file."""
    setting = _UNCHECKED_BODIES if any(unit.is_routine for unit in units) else ""
    return setting + "\n".join(f"{unit.text.strip()}\n" for unit in units)


def read_units(
    server: ScratchServer, base: Sequence[RehearsedMigration], proposed: RehearsedMigration, *, timeout_s: float | None
) -> ReadMigration:
    """Return the statements of a migration; raises NotRewritableError for one with something else."""
    file = read_file(proposed)
    cut = cut_file(file.text, file.statements)
    parts = _divide(file.statements, cut.pieces)
    units: list[Unit] = []
    clean = len(parts) == 1
    after: list[Catalog] = []
    for context in _lint(server, base, proposed, parts, timeout_s, lambda rehearsal: after.append(rehearsal.read_catalog())):
        found = [finding for finding in check_file(context, {}).findings if finding.rule != MISSING_DOWN]
        clean = clean and not found
        units += _list_units(context, [finding for finding in found if finding.rule not in _NOT_ABOUT_ONE], len(units))
    shown = tuple(unit for unit in units if unit.statement.kind != "VariableSetStmt")
    return ReadMigration(cut.header, shown, clean, next(iter(after), None))


def _divide(statements: Sequence[LintedStatement], pieces: Sequence[str]) -> list[str]:
    """Return the texts of the parts that a lint sees apart: a rename, or a label that is added, changes what later names mean."""
    parts = groupby(zip(statements, pieces, strict=True), key=lambda each: (each[0].segment, is_rename(each[0])))
    return ["".join(f"{piece}\n" for _, piece in part) for _, part in parts]


def is_rename(statement: LintedStatement) -> bool:
    """Return True for a statement that changes only a name, or the schema of an object, so that the rows stay."""
    return statement.kind in _RENAMING or "oldVal" in statement.node


def _lint(
    server: ScratchServer,
    base: Sequence[RehearsedMigration],
    proposed: RehearsedMigration,
    parts: Sequence[str],
    timeout_s: float | None,
    look: Callable[[Rehearsal], None],
) -> Iterator[LintContext]:
    made = [RehearsedMigration(f"{proposed.name}_{number:04}", part, "") for number, part in enumerate(parts)]
    selection = Selection((*base, *made), tuple(each.name for each in made), "generated")
    known = replace(replay_files(server, selection, timeout_s=timeout_s, look=look), pending=True)
    return build_contexts([read_file(each) for each in made], known)


def _list_units(context: LintContext, findings: Sequence[LintFinding], before: int) -> Iterator[Unit]:
    """Yield the statements of a part, which `before` others precede."""
    pieces = cut_file(context.file.text, context.file.statements).pieces
    schema = context.schema or SchemaFacts()
    for statement, piece in zip(context.file.statements, pieces, strict=True):
        existing = (name for name in list_targets(statement, schema) if name in schema.tables and name not in context.created)
        yield Unit(
            before + statement.number,
            statement,
            piece.strip("\n") + "\n",
            tuple(finding for finding in findings if finding.statement == statement.number),
            tuple(list_exclusive(context, statement)),
            tuple(dict.fromkeys(existing)),
            frozenset(_list_removed(statement)),
            _find_created(statement),
        )


def _list_removed(statement: LintedStatement) -> Iterator[str]:
    if statement.kind == "DropStmt":
        yield from (name[-1] for name in read_dropped(statement))
    if statement.kind == "RenameStmt":
        yield statement.node["newname"]
    if statement.kind == "AlterTableStmt":
        for command in list_commands(statement):
            if command.get("subtype") == "AT_DropConstraint":
                yield command["name"]


def _find_created(statement: LintedStatement) -> str:
    _, name = read_created(statement)
    if name:
        return name[-1]
    if statement.kind in _NAMES:
        return str(statement.node.get(_NAMES[statement.kind], ""))
    if statement.kind == "IndexStmt":
        return str(statement.node.get("idxname", ""))
    added = (command.get("def", {}).get("Constraint", {}).get("conname", "") for command in list_commands(statement))
    return next((name for name in added if name), "")
