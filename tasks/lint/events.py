"""The events of a lint."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.lint.model import SafeFile
from tasks.runner.events import Event, event


@event("lint_started")
@dataclass(frozen=True, slots=True)
class LintStarted(Event):
    """The start of a lint: how many migrations, why these, for which server, and whether the sizes of its tables are known."""

    count: int
    total: int
    reason: str
    server_version: int
    environment: str = ""
    sizes: bool = False


@event("lint_found")
@dataclass(frozen=True, slots=True)
class LintFound(Event):
    """A finding: where it is, the rule, and why in one sentence. `safe` is the migration to write instead, if there is one.

    `source` is the page that explains the rule.
    """

    version: str
    file: str
    line: int
    rule: str
    message: str
    source: str = ""
    safe: tuple[SafeFile, ...] = ()


@event("lint_finished")
@dataclass(frozen=True, slots=True)
class LintFinished(Event):
    """The end of a lint: how many files and findings, how many findings a comment ignores, and what was not checked and why."""

    count: int
    found: int
    ignored: int
    not_checked: tuple[str, ...]
    duration_ms: int


@event("lint_rewritten")
@dataclass(frozen=True, slots=True)
class LintRewritten(Event):
    """A pending file that was replaced by its safe migration: the versions of the files, of which the first is its own."""

    version: str
    file: str
    written: tuple[str, ...]


@event("lint_kept")
@dataclass(frozen=True, slots=True)
class LintKept(Event):
    """A file with findings that was not replaced, and why."""

    version: str
    file: str
    reason: str
