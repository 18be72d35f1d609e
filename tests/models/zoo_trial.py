"""Prove the changes of some cases: create the models, change them, and change them back.

`python -m tests.models.zoo_trial [NAME]` prints what is proposed for cases or groups.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tasks.generation.proposal import MigrationProposal, ProposalOptions
from tasks.generation.propose import propose
from tasks.models.checking import check_models
from tasks.models.events import ModelsChecked
from tasks.models.goal import open_goal
from tasks.models.importing import start_import
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.replay import run_migration, state_after
from tasks.rehearsal.rows import fill_tables
from tasks.rehearsal.scratch.opening import open_server
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.sql_diff.answers import read_answers
from tasks.runner.errors import RunnerError
from tests.models.zoo import CASES, GROUPS
from tests.models.zoo.case import ZooCase

MODULE = "tests.models.zoo"
_SETUP = "20200101000000_setup"


@dataclass
class ZooTrial:
    """A checkout without files, whose migrations are those that are proposed for models."""

    server: ScratchServer
    cases: Sequence[ZooCase]
    base: list[RehearsedMigration] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with what models cannot express."""
        text = "\n".join(dict.fromkeys(case.setup for case in self.cases if case.setup))
        if text:
            self.base.append(RehearsedMigration(_SETUP, text))

    def migrate(self, reference: str, *, renames: Iterable[str] = ()) -> MigrationProposal:
        """Add the migrations that lead to models, and return what was proposed."""
        goal = open_goal(self.server, self.base, [f"{MODULE}:{reference}"])
        answers = read_answers(list(renames), [])
        proposal = propose(self.server, self.base, goal, reference, ProposalOptions(answers, allow_loss=True))
        self.base += [RehearsedMigration(file.version, file.up, file.down) for file in proposal.files]
        return proposal

    def check(self, reference: str) -> ModelsChecked:
        """Return how models differ from the migrations."""
        with start_import([f"{MODULE}:{reference}"]) as started:
            return check_models(self.server, self.base, started)

    @property
    def renames(self) -> list[str]:
        """Return the answers on the way from before to after."""
        return [answer for case in self.cases for answer in case.renames]

    @property
    def renames_back(self) -> list[str]:
        """Return the answers on the way back."""
        return [_reverse(answer) for answer in self.renames]


def _reverse(answer: str) -> str:
    old, _, new = answer.partition("=")
    table, dot, column = old.rpartition(".")
    return f"{table}{dot}{new}={column}"


def find_lost_renames(
    server: ScratchServer, before: Sequence[RehearsedMigration], after: Sequence[RehearsedMigration], cases: Iterable[ZooCase]
) -> list[str]:
    """Return the cases whose values are gone after their tables were filled and the migrations that `after` has more were run."""
    queries = {case.name: case.kept for case in cases if case.kept}
    if not queries:
        return []
    with state_after(server, before) as database:
        with psycopg.connect(database.url, autocommit=True) as connection:
            fill_tables(connection)
        for migration in after[len(before) :]:
            error = run_migration(database, migration, "up")
            if error is not None:
                raise error
        with psycopg.connect(database.url) as connection:
            return [name for name, kept in queries.items() if connection.execute(kept).fetchone() != (True,)]


def main(names: Sequence[str]) -> None:
    """Try the named cases and groups, by default each case alone, and print what is proposed for each direction."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with open_server("", embedded_directory=Path(folder) / "server") as server:
            for name in names or CASES:
                trial = ZooTrial(server, GROUPS.get(name) or [CASES[name]])
                for reference, renames in ("BEFORE", []), ("AFTER", trial.renames), ("BEFORE", trial.renames_back):
                    print(f"{name} {reference}: {_try(trial, f'{reference}.{name}', renames)}", flush=True)


def _try(trial: ZooTrial, reference: str, renames: Sequence[str]) -> str:
    try:
        proposal = trial.migrate(reference, renames=renames)
        changes = trial.check(reference).changes.changes
    except RunnerError as error:
        return f"FAILED {error.message} {error.hint}"
    facts = {
        "files": len(proposal.files),
        "losses": proposal.losses,
        "risks": proposal.risks,
        "conditions": proposal.rows.conditions,
        "irreversible": [file.irreversible for file in proposal.files if file.irreversible],
        "left out": [str(change.key) for change in proposal.left_out],
        "DIFFERENT": changes,
    }
    return ", ".join(f"{word}: {value}" for word, value in facts.items() if value)


if __name__ == "__main__":
    main(sys.argv[1:])
