"""A second import changes nothing, adds what is new, and names what was edited; version tables are adopted by the mapping."""

from pathlib import Path

import pytest

from tasks.adopt.examine import Assumptions, examine, read_subject
from tasks.alembic_import.importing import plan_import, write_import
from tasks.alembic_import.places import find_project
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import FilesError, RefusedError
from tasks.runner.files.checkout import read_migrations
from tests.alembic_import.projects import AlembicFolder
from tests.runner.operating import Operator

TABLE = 'op.create_table("t", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))'
ROWS = "op.execute(\"INSERT INTO t (name) VALUES ('x')\")"


def run(alembic: AlembicFolder, scratch: ScratchServer, *records: str) -> tuple[str, ...]:
    """Import, and return the names of the files that were written."""
    project = find_project("", alembic.root)
    planned = plan_import(project, alembic.root / "migrations", scratch, records=records, timeout_s=60)
    *_, finished = write_import(planned, apply=True)
    return tuple(Path(name).name for name in finished.files)  # type: ignore[attr-defined]


def read_files(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_a_second_import_changes_no_file_and_a_later_one_adds_what_is_new(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    alembic.write("a1", TABLE, "op.drop_table('t')", created="2024-03-01 10:00:00+02:00")
    alembic.write("a2", 'import random\nop.execute(f"INSERT INTO t (id) VALUES ({random.randint(1, 10**6)})")')
    assert len(run(alembic, scratch)) == 5
    before = read_files(alembic.root / "migrations")
    assert run(alembic, scratch) == ()
    assert read_files(alembic.root / "migrations") == before
    alembic.write("b1", "op.create_table('u', sa.Column('id', sa.Integer))", down="a1", created="2023-01-01 00:00:00")
    alembic.write("m1", down=("a2", "b1"))
    up = "20240301080002_step_b1.sql"
    assert run(alembic, scratch) == (up, up, "alembic.toml")
    after = read_files(alembic.root / "migrations")
    assert {path.name for path in after if before.get(path) != after[path]} == {up, "alembic.toml"}


def test_an_edited_revision_is_named_and_one_that_is_only_formatted_is_not(
    alembic: AlembicFolder, scratch: ScratchServer
) -> None:
    alembic.write("a1", TABLE, "op.drop_table('t')")
    path = alembic.write("a2", ROWS)
    run(alembic, scratch)
    path.write_text(path.read_text().replace("op.execute", "# formatted\n    op.execute"))
    assert run(alembic, scratch) == ()
    path.write_text(path.read_text().replace("'x'", "'y'"))
    with pytest.raises(FilesError, match=r"a2 \(alembic/versions/a2_x.py\), imported as 20240102100000_step_a2"):
        run(alembic, scratch)


def test_a_revision_before_an_imported_one_is_refused(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    alembic.write("a1", TABLE)
    path = alembic.write("a2", ROWS)
    run(alembic, scratch)
    alembic.write("n1", ROWS, down="a1")
    path.write_text(path.read_text().replace("down_revision = 'a1'", "down_revision = 'n1'"))
    with pytest.raises(FilesError, match=r"n1 .* is before a2"):
        run(alembic, scratch)


def test_a_file_with_other_contents_is_never_overwritten(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    alembic.write("a1", TABLE)
    path = alembic.root / "migrations" / "up" / "20240101100000_step_a1.sql"
    path.parent.mkdir(parents=True)
    (alembic.root / "migrations" / "down").mkdir()
    path.write_text("SELECT 1;\n")
    with pytest.raises(FilesError, match=r"up/20240101100000_step_a1\.sql"):
        run(alembic, scratch)
    assert path.read_text() == "SELECT 1;\n"


def test_an_import_that_was_interrupted_is_completed(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    alembic.write("a1", TABLE, "op.drop_table('t')")
    run(alembic, scratch)
    folder = alembic.root / "migrations"
    before = {path: data for path, (data, _) in read_files(folder).items()}
    (folder / "alembic.toml").unlink()
    (folder / "down" / "20240101100000_step_a1.sql").unlink()
    run(alembic, scratch)
    assert {path: data for path, (data, _) in read_files(folder).items()} == before


OPTIONS = '{"version_table": "revisions", "version_table_schema": "meta"}'


def adopt(alembic: AlembicFolder, operator: Operator, scratch: ScratchServer) -> dict[str, tuple[str, bool]]:
    """Return the verdict on each version by the end of its name, and whether it would be recorded."""
    migrations = read_migrations(alembic.root / "migrations")
    subject = read_subject(operator.make_runner(), migrations)
    examination = examine(subject, migrations, scratch, Assumptions())
    assert examination.undecided == ()
    return {row.version.rpartition("_")[2]: (row.verdict, row.proposed) for row in examination.answer.rows}


@pytest.mark.parametrize("options", ["{}", OPTIONS])
def test_two_heads_decide_for_all_revisions_before_them_and_for_no_other(
    alembic: AlembicFolder, operator: Operator, scratch: ScratchServer, options: str
) -> None:
    alembic.set_up(options=options)
    operator.database.execute("CREATE SCHEMA meta")
    alembic.write("a1", TABLE)
    alembic.write("a2", ROWS)
    alembic.write("b1", ROWS, down="a1")
    alembic.write("b2", ROWS, down="b1")
    alembic.write("c1", ROWS, down=None, depends="a1")
    alembic.write("m1", ROWS, down=("a2", "b2", "c1"))
    run(alembic, scratch)
    alembic.run(operator.database, "upgrade", "a2")
    alembic.run(operator.database, "upgrade", "b1")
    found = adopt(alembic, operator, scratch)
    assert {name: proposed for name, (_, proposed) in found.items()} == {
        "a1": True, "a2": True, "b1": True, "b2": False, "c1": False, "m1": False,
    }  # fmt: skip
    alembic.run(operator.database, "upgrade", "head")
    assert all(proposed for _, proposed in adopt(alembic, operator, scratch).values())


def test_an_unknown_revision_is_named(alembic: AlembicFolder, operator: Operator, scratch: ScratchServer) -> None:
    alembic.write("a1", TABLE)
    run(alembic, scratch)
    alembic.write("later", ROWS)
    alembic.run(operator.database, "upgrade", "head")
    with pytest.raises(RefusedError, match=r"public\.alembic_version has the revision later"):
        adopt(alembic, operator, scratch)
