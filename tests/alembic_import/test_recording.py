"""Revisions that cannot be rendered offline become what Alembic runs on scratch, or are refused."""

import psycopg
import pytest

from tasks.alembic_import.importing import PlannedImport, plan_import
from tasks.alembic_import.places import find_project
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import FilesError, RefusedError, UsageError
from tests.alembic_import.projects import ENV, AlembicFolder
from tests.alembic_import.test_again import read_files, run
from tests.kit.databases import Database
from tests.kit.projects import Project

TABLE = 'op.create_table("t", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))'
ROWS = "op.execute(\"INSERT INTO t (name) VALUES ('a, \\\"b\\\"'), (NULL), (''), ('é (1)')\")"
LOOP = """
for row in op.get_bind().execute(sa.text("SELECT id, name FROM t ORDER BY id")).fetchall():
    op.execute(sa.text("UPDATE t SET name = :name WHERE id = :id").bindparams(name=f"{row.name}%'!", id=row.id))
"""
INSPECTION = """
if "n" not in [each["name"] for each in sa.inspect(op.get_bind()).get_columns("t")]:
    op.add_column("t", sa.Column("n", sa.Integer))
"""
KEY = """
id = op.get_bind().execute(sa.text("INSERT INTO t (name) VALUES ('key') RETURNING id")).scalar_one()
op.execute(f"UPDATE t SET name = name || {id} WHERE id = {id}")
"""
SAVEPOINT = """
try:
    with op.get_bind().begin_nested():
        op.execute("CREATE TABLE undone ()")
        op.execute("INSERT INTO nothing VALUES (1)")
except sa.exc.ProgrammingError:
    op.execute("INSERT INTO t (name) VALUES ('kept')")
"""
BATCHES = """
while op.get_bind().execute(sa.text(
    "WITH few AS (SELECT id FROM t WHERE name IS NULL LIMIT 1) UPDATE t SET name = 'none' FROM few WHERE t.id = few.id"
)).rowcount > 0:
    pass
"""
ALONE = """
context.is_offline_mode() or op.execute('CREATE TABLE u ()')
with op.get_context().autocommit_block():
    op.create_index("i", "t", ["name"], postgresql_concurrently=True)
"""
JSON = """
op.create_table("j", sa.Column("j", postgresql.JSONB))
op.bulk_insert(sa.table("j", sa.column("j", postgresql.JSONB)), [{"j": {"a": "it's \\\\ %(x)s :y"}}])
"""


def plan(alembic: AlembicFolder, scratch: ScratchServer, *records: str) -> PlannedImport:
    project = find_project("", alembic.root)
    return plan_import(project, alembic.root / "migrations", scratch, records=records, timeout_s=60)


def test_all_that_cannot_be_rendered_are_named_and_become_what_they_do_on_scratch(
    alembic: AlembicFolder, scratch: ScratchServer
) -> None:
    alembic.write("a0", f"{TABLE}\n{ROWS}", "op.drop_table('t')")
    alembic.write("a1", f"{BATCHES}{LOOP}{KEY}", "op.execute(\"DELETE FROM t WHERE name LIKE 'key%'\")")
    alembic.write("a2", f"{INSPECTION}{SAVEPOINT}{JSON}", "op.drop_table('j')\nop.drop_column('t', 'n')")
    alembic.write("a3", ALONE)
    with pytest.raises(FilesError) as raised:
        plan(alembic, scratch)
    assert [problem.partition(" ")[0] for problem in raised.value.problems] == ["a1", "a2"]
    assert "--record=a1 --record=a2" in raised.value.hint
    planned = plan(alembic, scratch, "a1", "a2", "a3")
    assert planned.plan.unproved == ""
    assert [name for name, each in planned.mapping.revisions.items() if each.recorded] == ["a1", "a2", "a3"]
    warnings = {each.revision: "".join(each.warnings) for each in planned.plan.revisions}
    assert ["recorded" in text for text in warnings.values()] == [False, True, True, True]
    assert planned.plan.revisions[1].irreversible.startswith("after its downgrade, the upgrade gets other answers")


REFUSED = {
    "op.get_bind().connection.cursor().execute('SELECT 1')": "uses the connection of the driver",
    "op.get_bind().execute(sa.text('DELETE FROM t WHERE id = :a'), [{'a': 1}, {'a': 2}]).rowcount": "several statements changed",
    "op.get_bind().execute(sa.text('CREATE TABLE u AS SELECT 1')).rowcount": "no single query: CREATE TABLE u AS SELECT 1",
    "op.get_bind().execute(sa.text('SHOW work_mem')).scalar()": "no single query: SHOW work_mem",
}


def test_what_no_file_can_do_is_refused(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    alembic.write("a0", TABLE)
    names = [f"a{number}" for number in range(1, len(REFUSED) + 1)]
    for name, upgrade in zip(names, REFUSED, strict=True):
        alembic.write(name, upgrade)
    with pytest.raises(UsageError, match="there is no revision b1"):
        plan(alembic, scratch, *names, "b1")
    with pytest.raises(FilesError) as raised:
        plan(alembic, scratch, *names)
    for name, fault, problem in zip(names, REFUSED.values(), raised.value.problems, strict=True):
        assert problem.startswith(f"{name} (alembic/versions/{name}_x.py)")
        assert problem.endswith(fault)


def test_a_query_with_another_answer_each_time_is_refused(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    alembic.write("a1", "op.get_bind().execute(sa.text('SELECT clock_timestamp()')).scalar()")
    with pytest.raises(RefusedError, match=r"the SQL of a1 .* fails on scratch: revision a1 of Alembic queries rows"):
        plan(alembic, scratch, "a1")


DOWNS = {
    "sa.inspect(op.get_bind()).has_table('t0') and op.drop_table('t0')": "DROP TABLE t0;\n",
    "op.get_bind().execute(sa.text('SELECT id FROM t')).all() and op.drop_table('t1')": "DO $check$\n",
    "sa.inspect(op.get_bind()); op.execute('DROP TABLE nothing')": "-- migrate: irreversible its downgrade fails",
    "op.get_bind().execute(sa.text('SHOW work_mem')).scalar(); op.drop_table('t3')": "-- migrate: irreversible reads the answer",
    "op.get_bind().execute(sa.text('SELECT clock_timestamp()')).scalar(); op.drop_table('t4')": "-- migrate: irreversible as it",
    "sa.inspect(op.get_bind())": "-- migrate: irreversible the downgrade of the revision has no operations\n",
}


def test_a_downgrade_that_cannot_be_rendered_is_recorded_too(
    alembic: AlembicFolder, scratch: ScratchServer, database: Database
) -> None:
    alembic.write("a", f"{TABLE}\n{ROWS}")
    names = [f"b{number}" for number in range(len(DOWNS))]
    for number, (name, downgrade) in enumerate(zip(names, DOWNS, strict=True)):
        alembic.write(name, f"op.create_table('t{number}', sa.Column('id', sa.Integer))", downgrade)
    assert "--record=b0 runs it on scratch" in "".join(plan(alembic, scratch).plan.revisions[1].warnings)
    planned = plan(alembic, scratch, *names)
    texts = dict(planned.files)
    downs = [texts[planned.folder / "down" / f"{planned.mapping.revisions[name].version}.sql"] for name in names]
    bodies = [text.partition("\n\n")[2] for text in downs]
    assert [body[: len(start)] for body, start in zip(bodies, DOWNS.values(), strict=True)] == list(DOWNS.values())
    database.execute("CREATE TABLE t (id int); CREATE TABLE t1 ()")
    with pytest.raises(psycopg.errors.RaiseException, match=r"rows(.|\n)* inv db.mark \S*_step_b1 --unmark"):
        database.execute(downs[1])
    assert database.query("SELECT * FROM t1") == []


def test_the_number_of_rows_that_a_revision_reads_is_checked(
    alembic: AlembicFolder, scratch: ScratchServer, database: Database
) -> None:
    orm = "from sqlalchemy.orm import Session, declarative_base\nclass T(declarative_base()):\n    __table__ = sa.Table('t', "
    orm += "sa.MetaData(), sa.Column('id', sa.Integer, primary_key=True))\n"
    alembic.write("a1", TABLE)
    alembic.write("a2", BATCHES)
    alembic.write("a3", f"{orm}Session(op.get_bind()).query(T).delete()")
    planned = plan(alembic, scratch, "a2", "a3")
    texts = dict(planned.files)
    database.execute("CREATE TABLE t (id int, name text); INSERT INTO t VALUES (1, NULL)")
    for name in ("a2", "a3"):
        version = planned.mapping.revisions[name].version
        with pytest.raises(psycopg.errors.RaiseException, match=f"revision {name} of Alembic changes another number of rows"):
            database.execute(texts[planned.folder / "up" / f"{version}.sql"])
    assert database.query("SELECT * FROM t") == [(1, None)]


def test_an_env_without_a_part_for_offline_mode_is_recorded_whole(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    online = "connection.exec_driver_sql('SET search_path TO app, public')"
    alembic.set_up(env=ENV.replace("offline() if", "1 / 0 if"), first=f"{online}\n        connection.commit()")
    alembic.write("a1", f"op.execute('CREATE SCHEMA app')\n{TABLE}")
    alembic.write("a2", "pass")
    with pytest.raises(RefusedError) as raised:
        plan(alembic, scratch)
    assert "--record=all" in raised.value.hint
    planned = plan(alembic, scratch, "all")
    assert planned.plan.unproved == ""
    assert planned.mapping.table.name == "alembic_version"
    assert [each.version for each in planned.mapping.revisions.values()] == ["20240101100000_step_a1", ""]
    assert "SET search_path TO app, public;\n\nCREATE SCHEMA app;\n" in dict(planned.files)[planned.files[0][0]]


def test_a_later_import_keeps_what_was_recorded(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    alembic.write("a1", TABLE)
    alembic.write("a2", INSPECTION)
    assert len(run(alembic, scratch, "a2")) == 5
    before = read_files(alembic.root / "migrations")
    assert run(alembic, scratch) == ()
    alembic.write("a3", ROWS)
    assert len(run(alembic, scratch)) == 3
    after = read_files(alembic.root / "migrations")
    assert {path.name for path in before if before[path] != after[path]} == {"alembic.toml"}


def test_a_recorded_file_fails_where_the_rows_are_others_and_changes_nothing(
    project: Project, alembic: AlembicFolder, database: Database
) -> None:
    named = TABLE.replace('"t"', "context.get_x_argument(as_dictionary=True)['table']")
    alembic.write("a1", named, "op.drop_table('t')")
    alembic.write("a2", LOOP)
    project.inv("db.import-alembic", "--record=a2", "-x", "table=t", check=0)
    alembic.run(database, "-x", "table=t", "upgrade", "a1")
    database.execute("INSERT INTO t (name) VALUES ('x')")
    project.inv("db.adopt", "--apply", "--yes", check=0)
    result = project.migrate()
    assert result.returncode != 0
    assert "revision a2 of Alembic queries rows" in result.stdout + result.stderr
    assert "inv db.mark 20240102100000_step_a2" in result.stdout + result.stderr
    assert database.query("SELECT name FROM t") == [("x",)]
