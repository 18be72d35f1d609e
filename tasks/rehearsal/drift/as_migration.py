"""Write a drift as a new migration pair, once it is proved on a scratch database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tasks.catalog import COLUMN_ORDER, Catalog, read_catalog, restrict, show_difference
from tasks.rehearsal.drift.drift import Drift, MigrationWritten
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.left_out import refuse_denied
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.sql_diff import Pair, verify_pair, write_pair
from tasks.rehearsal.sql_diff.answers import Answers, Ask, Renaming, settle_renames
from tasks.rehearsal.sql_diff.details.finding import divide_details
from tasks.rehearsal.sql_diff.details.null_names import keep_unstated
from tasks.rehearsal.sql_diff.reasons import refuse_by_hand
from tasks.rehearsal.sql_diff.renames import ObjectRename
from tasks.runner.database.session import connect
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.files.checkout import show_path
from tasks.runner.files.new import MigrationText, create_migration
from tasks.runner.files.versions import to_snake_case

DRAFTS = "_unproved"
"""The folder beside up/ and down/ for a pair that was not proved; no command reads it."""
_HEADING = "Adopt changes made outside of migrations"
_STATE = "No migration was created."


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers to questions about renames: of flags, and of a terminal if there is one."""

    answers: Answers
    ask: Ask | None = None


def write_migration(
    drift: Drift, server: ScratchServer, folder: Path, name: str, answered: Answered, *, environment: str
) -> MigrationWritten:
    """Prove the difference from the expected schema to the live one as a migration, and write it.

    Raises RefusedError, before anything is written, if the replay left out statements for lack of rights, because the migration
    would contain what they make; if it is not known what was renamed; and if something cannot be changed in place. It is raised
    too if the pair fails on scratch, which is then written where no command reads it. Raises UsageError for an invalid name, and
    RunnerError if the files cannot be created.
    """
    description = to_snake_case(name)
    refuse_denied(drift.left_out, state=_STATE)
    live = _find_target(drift)
    renaming = _settle(drift, live, server, answered)

    def compose(version: str) -> Pair:
        return write_pair(drift.expected, live, name=version, heading=_HEADING, renaming=renaming)

    pair = compose(description)
    _refuse_unwritten(pair)
    if problem := _find_problem(drift, server, pair, live):
        raise _refuse_unproved(pair, problem, folder)
    new = create_migration(folder, name, now=datetime.now(UTC), compose=lambda version: _take_text(compose(version)))
    paths = tuple(show_path(path) for path in (new.up, new.down) if path is not None)
    kept = divide_details(renaming.renamed, live, pair.written.kept)[1]
    return MigrationWritten(environment, new.version, paths, (*_list_orders(pair), *kept), irreversible=pair.irreversible)


def _find_target(drift: Drift) -> Catalog:
    """Return the schema that the migration leads to: without what was not compared."""
    objects = dict(drift.expected.objects)
    for change in drift.changes.changes:
        if change.after is None:
            del objects[change.key]
        else:
            objects[change.key] = change.after
    return keep_unstated(drift.expected, replace(drift.live, objects=objects))


def _settle(drift: Drift, live: Catalog, server: ScratchServer, answered: Answered) -> Renaming:
    def run(renames: Sequence[ObjectRename]) -> Catalog:
        text = "".join(f"{statement};\n" for rename in renames for statement in rename.write())
        renamed = RehearsedMigration("renames", text)
        with (
            state_after(server, [*drift.migrations, renamed]) as scratch,
            connect(scratch.url, name="migrate-drift") as connection,
        ):
            return restrict(read_catalog(connection), server.target_version)

    return settle_renames(drift.expected, live, answered.answers, run, answered.ask)


def _list_orders(pair: Pair) -> list[str]:
    return [f"{change.word} {change.key}" for change in pair.written.by_hand if change.key.kind == COLUMN_ORDER]


def _take_text(pair: Pair) -> MigrationText:
    return MigrationText(pair.up, pair.down)


def _refuse_unwritten(pair: Pair) -> None:
    hint = "Write a migration for them by hand (inv db.new), or revert them in the database, then run this command again."
    refuse_by_hand(pair.left, hint=hint, state=_STATE)
    if not pair.written.statements:
        raise RefusedError(
            "there is nothing to write: only the order of columns differs, which no statement changes",
            hint="The order of columns has no effect on queries that name their columns.",
            state=_STATE,
        )


def _refuse_unproved(pair: Pair, problem: str, folder: Path) -> RefusedError:
    draft = create_migration(folder / DRAFTS, pair.name, now=datetime.now(UTC), compose=lambda _version: _take_text(pair))
    paths = [path for path in (draft.up, draft.down) if path is not None]
    return RefusedError(
        f"the migration was written, but it is not proved: on scratch, it does not work both ways\n{problem}",
        hint="The SQL is in these files, which no command reads. Correct it, and move it to up/ and down/:\n"
        + "\n".join(f"  {show_path(path)}" for path in paths),
        state=_STATE,
    )


def _find_problem(drift: Drift, server: ScratchServer, pair: Pair, live: Catalog) -> str:
    """Verify the pair on scratch; return what is wrong with it, or ""."""
    try:
        differences = verify_pair(server, drift.migrations, pair, live)
    except RunnerError as error:
        place = f"{error.place.file}:{error.place.line}: " if error.place and error.place.line else ""
        source = f"\n{error.place.source.strip()}" if error.place and error.place.source else ""
        return f"{place}{error.message}{source}"
    return "\n".join(line for difference in differences for line in show_difference(difference))
