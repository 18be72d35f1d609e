"""The flag --write of db.lint: the files are replaced by their safe migrations."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.commands.scratch import open_scratch
from tasks.config.environments import LOCAL, load_environment
from tasks.options import Options

if TYPE_CHECKING:
    from tasks.config.environments import Environment
    from tasks.lint.engine import LintKnowledge
    from tasks.rehearsal.selection import Selection
    from tasks.runner.signals import Stop


def split_environments(env: str) -> list[str]:
    """Return the names of --env; the first is that of the environment whose pending files are checked."""
    return list(dict.fromkeys(name.strip() for name in env.split(",") if name.strip())) or [LOCAL]


def read_applied(names: Sequence[str], options: Options, stop: Stop, seen: list[str]) -> Mapping[str, frozenset[str]]:
    """Return the versions that are applied in the local database and in the environments that were named.

    The local database is not started for it, and is left out if it cannot be asked, after a note on stderr. Raises RunnerError
    for another environment that cannot be asked.
    """
    from tasks.commands.rehearse.choose import Selector, pick

    applied = {}
    for name in dict.fromkeys([LOCAL, *names]):
        environment = load_environment(name, process_url=name == LOCAL or len(names) == 1)
        selection = pick(environment, Selector(), options, stop, seen)
        if selection.environment:
            applied[name] = selection.applied
        else:
            print("⚠️  The local database was not asked whether it has applied the files: it does not answer.", file=sys.stderr)
    return applied


@dataclass(frozen=True, slots=True)
class ScratchRewriting:
    """What the safe migrations of the chosen files are made of, and how they are proved."""

    environment: Environment
    selection: Selection
    known: LintKnowledge
    applied: Mapping[str, frozenset[str]]
    without: Sequence[str]
    as_superuser: bool
    timeout_s: float | None

    def report(self, *, json: bool) -> int:
        """Replace the chosen files with findings, print what was written, and return the number of files that are kept.

        Raises RunnerError if a safe migration does not prove to be one, and RefusedError for a file that is applied.
        """
        from tasks.lint.writing.writing import plan_rewrites, write_rewrites
        from tasks.report import report
        from tasks.runner.files.checkout import read_migrations

        settings = self.environment.settings
        with open_scratch(settings, target=settings.database_url, without=self.without, as_superuser=self.as_superuser) as server:
            planned = plan_rewrites(server, self.selection, self.known, self.applied, timeout_s=self.timeout_s)
        report(write_rewrites(read_migrations(settings.migrations_dir), planned), json=json)
        return len(planned.kept)
