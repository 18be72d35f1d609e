"""A generated migration has a safe form with the same result, which lints clean and works both ways on tables with rows."""

from collections.abc import Sequence

import pytest

from tasks.catalog import COLUMN_ORDER, Catalog, compare, read_catalog, show_difference
from tasks.generation.safe import SafeMigration, make_safe
from tasks.lint.engine import build_contexts, check_file
from tasks.lint.files import read_file
from tasks.lint.model import SafeFile
from tasks.lint.replaying import replay_files
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.rows import fill_tables
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.sql_diff import write_pair
from tasks.rehearsal.sql_diff.answers import read_answers, settle_renames
from tasks.runner.database.session import connect
from tests.generation.safe_cases import SafeCase, read_cases
from tests.lint.conftest import running as running
from tests.lint.conftest import scratch as scratch

pytestmark = pytest.mark.newest

_NAME = "20250601000000_change"


@pytest.mark.parametrize("case", read_cases(), ids=str)
def test_a_generated_migration_is_made_safe(scratch: ScratchServer, case: SafeCase) -> None:
    base = [RehearsedMigration("20250101000000_old", case.old)]
    before, after = _read(scratch, base), _read(scratch, [RehearsedMigration("20250101000000_new", case.new)])
    safe = _make(scratch, case, base, before, after)
    found = [file.description for file in safe.files]
    assert len(found) == len(case.files), found
    assert all(name.startswith(start) for name, start in zip(found, case.files, strict=True)), found
    ups, downs = ("\n".join(texts) for texts in zip(*((file.up, file.down) for file in safe.files), strict=True))
    assert [text for text in case.has if text not in ups] == []
    assert [text for text in case.down if text not in downs] == []
    assert sorted({risk.rule for risk in safe.risks}) == case.risks
    marked = ["-- migrate: after-deploy" in file.up for file in safe.files]
    assert marked == sorted(marked)
    assert sum(marked) == case.after_deploy
    made = [
        RehearsedMigration(f"{int(_NAME[:14]) + number}_{file.description}", file.up, file.down, after_deploy=late)
        for number, (file, late) in enumerate(zip(safe.files, marked, strict=True))
    ]
    assert _lint(scratch, base, made) == []
    assert _run_both_ways(scratch, base, made, before, after) == []


def test_nothing_is_suspected_in_a_migration_that_is_not_divided() -> None:
    assert SafeMigration((SafeFile("", "SELECT 1;", "SELECT 2;"),)).suspect(0, "public.t") == frozenset()


def _make(
    server: ScratchServer, case: SafeCase, base: Sequence[RehearsedMigration], before: Catalog, after: Catalog
) -> SafeMigration:
    answers = read_answers(case.renames, case.drops)

    def rename(renames: Sequence[object]) -> Catalog:
        text = "".join(f"{line};\n" for each in renames for line in each.write())  # type: ignore[attr-defined]
        return _read(server, [*base, RehearsedMigration("renames", text)])

    renaming = settle_renames(before, after, answers, rename)
    pair = write_pair(before, after, name=_NAME, heading="Change", renaming=renaming)
    return make_safe(server, base, RehearsedMigration(_NAME, pair.up, pair.down))


def _read(server: ScratchServer, migrations: Sequence[RehearsedMigration]) -> Catalog:
    with state_after(server, migrations) as database, connect(database.url, name="test") as connection:
        return read_catalog(connection)


def _lint(server: ScratchServer, base: Sequence[RehearsedMigration], made: Sequence[RehearsedMigration]) -> list[str]:
    selection = Selection((*base, *made), tuple(each.name for each in made), "chosen")
    contexts = build_contexts([read_file(each) for each in made], replay_files(server, selection))
    return [f"{each.rule}: {each.message}" for context in contexts for each in check_file(context, {}).findings]


def _run_both_ways(
    server: ScratchServer,
    base: Sequence[RehearsedMigration],
    made: Sequence[RehearsedMigration],
    before: Catalog,
    after: Catalog,
) -> list[str]:
    """Run the files up, down and up on tables with rows, and return what is wrong."""
    wrong: list[str] = []
    with state_after(server, base) as database:
        with connect(database.url, name="test") as connection:
            assert fill_tables(connection) == []
        with Rehearsal(database) as rehearsal:
            for direction, files, wanted in (("up", made, after), ("down", made[::-1], before), ("up", made, after)):
                for file in files:
                    error = rehearsal.run(file, direction).error  # type: ignore[arg-type]
                    wrong += [f"{file.name} ({direction}): {error.message}"] if error else []
                wrong += show_difference(compare(wanted, rehearsal.read_catalog()).without({COLUMN_ORDER}))
    return wrong
