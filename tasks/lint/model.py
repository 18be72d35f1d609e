"""The values of a lint: rules, the files and facts that they look at, and findings with the safe migration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.forecast.model import ObservedStatement
from tasks.lint.schema import SchemaFacts
from tasks.runner.events.numbers import NumbersRead

Node = Mapping[str, Any]
"""A node of the parse tree as libpg_query's JSON has it: https://github.com/pganalyze/libpg_query"""


@dataclass(frozen=True, slots=True)
class LintedStatement:
    """A statement of a file with its parse tree; `line` is that of its first word, from 1."""

    number: int
    """Its number in the file, from 1, as in ObservedStatement."""
    line: int
    text: str
    """Its exact text, without its semicolon."""
    offset: int
    """The character of the file's text at which `text` begins, from 0."""
    kind: str
    """The name of its node: AlterTableStmt; "" where the parser does not know it."""
    node: Node
    """The node of that kind, empty where the parser does not know it."""
    transactional: bool
    segment: int
    """The number of its segment in the file, from 1: statements of one segment share a transaction."""


@dataclass(frozen=True, slots=True)
class IgnoreComment:
    """A comment that ignores a rule for the statement after it: `-- lint: ignore RULE -- REASON`."""

    line: int
    rule: str
    reason: str
    target: int
    """The line to which it applies: that of the statement, or of the command of an ALTER TABLE, below it; 0 if there is none."""


@dataclass(frozen=True, slots=True)
class LintedFile:
    """A migration: its up file, and what is known of its down file."""

    version: str
    shown: str
    """The path of the up file as messages show it."""
    text: str
    statements: tuple[LintedStatement, ...]
    down: str | None = None
    """The text of the down file, None if it is missing."""
    shown_down: str = ""
    after_deploy: bool = False
    """Whether it has the directive after-deploy."""
    ignores: tuple[IgnoreComment, ...] = ()


@dataclass(frozen=True, slots=True)
class SquawkWarning:
    """A warning of squawk; `command` is that of the ALTER TABLE, from 0, or -1."""

    rule: str
    statement: int
    line: int
    command: int = -1


@dataclass(frozen=True, slots=True)
class SafeFile:
    """One file of a safe migration; the version is chosen when it is written. `up` and `down` are complete, with directives."""

    description: str
    """The part of the file's name after the timestamp."""
    up: str
    down: str


@dataclass(frozen=True, slots=True)
class LintContext:
    """What a rule looks at: a file and what is known before it runs. Pure data.

    `schema`, `observed` and `numbers` are None where they are not known: no scratch server, a file before it failed, or no
    environment was named.
    """

    file: LintedFile
    schema: SchemaFacts | None = None
    observed: tuple[ObservedStatement, ...] | None = None
    numbers: NumbersRead | None = None
    later: tuple[LintedFile, ...] = ()
    """The pending files after it."""
    squawk: tuple[SquawkWarning, ...] = ()
    created: frozenset[str] = frozenset()
    """The relations that do not exist in the environment: earlier pending files create them. Qualified and quoted as SQL."""
    server_version: int = 0
    """The version of the server, as libpq reports it (150004)."""


@dataclass(frozen=True, slots=True)
class LintFinding:
    """Something in a file that a reviewer would object to; `message` is one sentence that states why."""

    file: str
    line: int
    rule: str
    message: str
    version: str = ""
    statement: int = 0
    """The number of the statement, 0 for the whole file."""
    relation: str = ""
    """The table that it concerns, qualified and quoted as SQL."""
    column: str = ""
    name: str = ""
    """The name of the constraint, index or type that it concerns, where there is one."""
    command: int = -1
    """For ALTER TABLE: which of its commands, from 0."""
    safe: tuple[SafeFile, ...] = ()
    """The safe migration, in the order in which its files run; empty if the rule has none."""


@dataclass(frozen=True, slots=True)
class LintExample:
    """A complete migration: its up file, and its down file; None if it is missing."""

    up: str
    down: str | None = ""


Find = Callable[[LintContext], Iterator[LintFinding]]
Rewrite = Callable[[LintContext, LintFinding], tuple[SafeFile, ...]]
"""Returns the safe migration that replaces the whole file of a finding, or nothing if there is none."""


@dataclass(frozen=True, slots=True)
class LintRule:
    """One rule: its name, why it is one, the source of the fact, the function that finds it, and examples that tests run.

    `bad` is found by the rule; the files of `good`, in order, do the same and lint clean. `setup` is the migration before them.
    """

    name: str
    why: str
    source: str
    find: Find
    bad: LintExample
    good: tuple[LintExample, ...]
    setup: str = ""
    lock: int = field(default=8, kw_only=True)
    """The number of the lock that it is about, from 1 (ACCESS SHARE) to 8 (ACCESS EXCLUSIVE).

    A file that has taken it with LOCK TABLE decided to keep the others out. 0 if the rule is not about a lock.
    """
    small: bool = field(default=True, kw_only=True)
    """Whether a small or empty table is no finding, because the time is what matters."""
    after_deploy: bool = field(default=False, kw_only=True)
    """Whether it is no finding in a file with the directive after-deploy."""
    needs_schema: bool = field(default=False, kw_only=True)
    """Whether it can only be checked with the schema before the file."""
