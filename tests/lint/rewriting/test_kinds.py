"""Each kind of statement with a safe form: the files that replace it, which run up, down and up again with the same result."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.catalog import COLUMN_ORDER, Catalog, compare, read_catalog
from tasks.lint.engine import lint
from tasks.lint.events import LintFound
from tasks.lint.reading import read_schema
from tasks.lint.replaying import replay_files
from tasks.lint.rewriting import rewrite_file
from tasks.lint.schema import SchemaFacts
from tasks.lint.writing.proving import prove
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.database.session import connect
from tests.kit.databases import Database, fresh_database
from tests.kit.projects import make_project
from tests.kit.servers import Server
from tests.lint.rewriting.kinds import SETUP, Kind, read_kinds
from tests.runner.operating import Operator

KINDS = read_kinds()
PROVED = ("set_not_null", "type_of_key", "own_transaction")


@pytest.fixture(scope="module")
def schema(embedded: Server) -> Iterator[SchemaFacts]:
    """Yield the schema in which the tables of all kinds exist."""
    with fresh_database(embedded) as database:
        for kind in KINDS:
            database.execute(kind.setup)
        with connect(database.url, name="test") as connection:
            yield read_schema(connection)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_statement_is_replaced_by_its_safe_form(kind: Kind, schema: SchemaFacts) -> None:
    assert rewrite_file(kind.make_context(schema, 180000), kind.findings) == kind.safe


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.name in PROVED], ids=lambda kind: kind.name)
def test_each_file_of_a_safe_form_is_undone_by_its_down(kind: Kind, scratch: ScratchServer) -> None:
    prove(scratch, [kind.base], kind.replaced, kind.list_made())


def test_no_safe_form_has_findings(scratch: ScratchServer) -> None:
    # All kinds are replayed at once: that takes seconds, and one by one a minute.
    setups = [replace(kind.base, name=f"{20250101000000 + number}_setup") for number, kind in enumerate(KINDS)]
    made = [
        replace(migration, name=f"202506{number + 1:02}0000{part:02}_{kind.name}", shown=f"{kind.name} {part}")
        for number, kind in enumerate(KINDS)
        for part, migration in enumerate(kind.list_made())
    ]
    selection = Selection((*setups, *made), tuple(migration.name for migration in made), "chosen")
    found = [event for event in lint(selection, replay_files(scratch, selection)) if isinstance(event, LintFound)]
    assert [(each.file, each.line, each.rule, each.message) for each in found] == []


def read(database: Database) -> Catalog:
    """Return the schema of a database without the ledger."""
    with connect(database.url, name="test") as connection:
        return read_catalog(connection)


def write_kinds(operator: Operator, *, safe: bool) -> list[str]:
    """Write the files of all kinds, as they are or as they are replaced, and return the versions after the setups."""
    versions = []
    kinds = [kind for kind in KINDS if kind.down is not None and "irreversible" not in kind.down]
    for number, kind in enumerate(kinds):
        operator.write(f"{20250101000000 + number}_{SETUP.partition('_')[2]}_{kind.name}", kind.setup, "SELECT 1;")
        files = [(file.up, file.down) for file in kind.safe] if safe else [(kind.up, kind.down or "")]
        for part, (up, down) in enumerate(files):
            versions.append(f"202506{number + 1:02}0000{part:02}_{kind.name}")
            operator.write(versions[-1], up, down)
    return versions


def test_all_safe_forms_have_the_schema_of_what_they_replace(embedded: Server, tmp_path: Path) -> None:
    # The statements of thirty files, three times: it takes seconds.
    with fresh_database(embedded) as plain, fresh_database(embedded) as careful:
        before = Operator(make_project(tmp_path / "plain", plain.url), plain)
        after = Operator(make_project(tmp_path / "careful", careful.url), careful)
        write_kinds(before, safe=False)
        versions = write_kinds(after, safe=True)
        before.migrate()
        after.migrate(to=max(version for version in after.read_states() if version < "202506"))
        started = read(careful)
        after.migrate()
        finished = read(careful)
        after.roll_back(steps=len(versions))
        rolled_back = read(careful)
        after.migrate()
        added = compare(read(plain), finished).without({COLUMN_ORDER})
        assert [change.key for change in added.changes if change.before is not None or change.key.kind != "index"] == []
        assert compare(started, rolled_back).without({COLUMN_ORDER}).changes == ()
        assert compare(finished, read(careful)).without({COLUMN_ORDER}).changes == ()
