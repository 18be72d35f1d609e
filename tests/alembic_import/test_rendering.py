"""What the revisions become, and which are refused, by name."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.alembic_import.importing import PlannedImport, plan_import
from tasks.alembic_import.places import find_project
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RefusedError
from tests.alembic_import.projects import ENV, AlembicFolder
from tests.kit.projects import REPOSITORY

TABLE = 'op.create_table("t", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text))'


def plan(alembic: AlembicFolder, scratch: ScratchServer, versions: str = "") -> PlannedImport:
    return plan_import(find_project(versions, alembic.root), alembic.root / "migrations", scratch, timeout_s=60)


def read_up(planned: PlannedImport, revision: str) -> str:
    """Return the statements of the up file of a revision."""
    version = planned.mapping.revisions[revision].version
    return dict(planned.files)[planned.folder / "up" / f"{version}.sql"].partition("\n\n")[2]


def read_down(planned: PlannedImport, revision: str) -> str:
    version = planned.mapping.revisions[revision].version
    return dict(planned.files)[planned.folder / "down" / f"{version}.sql"].partition("\n\n")[2]


EXACT = {
    "a name with a percent sign": ("op.execute(\"INSERT INTO t (name) VALUES ('100%')\")", "VALUES ('100%');\n"),
    "an escaped colon": ("op.execute(\"INSERT INTO t (name) VALUES ('a\\\\:b')\")", "VALUES ('a:b');\n"),
    "several statements in one": ("op.execute(\"SELECT 1; SELECT ';'; \")", "SELECT 1; SELECT ';';\n"),
    "a function": ("op.execute('CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT 1; $$')", "$$ SELECT 1; $$;\n"),
    "a comment at the end": ("op.execute('SELECT 1 -- one')\nop.execute('SELECT 2')", "SELECT 1 -- one\n;\n\nSELECT 2;\n"),
    "only a comment": ("op.execute('-- nothing')\nop.execute('SELECT 2')", "SELECT 2;\n"),
    "parameters": (
        "op.get_bind().execute(sa.text('INSERT INTO t (name) VALUES (:a)'), [{'a': \"it's\"}, {'a': None}])",
        "VALUES ('it''s');\n\nINSERT INTO t (name) VALUES (NULL);\n",
    ),
    "untyped rows": (
        "op.bulk_insert(sa.table('t', sa.column('id'), sa.column('name')), [{'id': 7, 'name': 'x'}])",
        "VALUES (7, 'x');\n",
    ),
    "prints": ("print('DROP TABLE t;')\nop.execute('SELECT 2')", "SELECT 2;\n"),
    "a tab in a string": ("op.execute(\"INSERT INTO t (name) VALUES ('a\\tb')\")", "VALUES ('a\tb');\n"),
    "values of an enum that the revision uses": (
        "op.execute(\"CREATE TYPE mood AS ENUM ('a')\")\nwith op.get_context().autocommit_block():\n"
        "    op.execute(\"ALTER TYPE mood ADD VALUE 'b'\")\n"
        "op.execute(\"CREATE TABLE m (mood mood DEFAULT 'b')\")",
        "-- migrate: no-transaction\n\nBEGIN;\n\nCREATE TYPE mood AS ENUM ('a');\n\nCOMMIT;\n\nALTER TYPE mood ADD VALUE 'b';\n\n"
        "BEGIN;\n\nCREATE TABLE m (mood mood DEFAULT 'b');\n\nCOMMIT;\n",
    ),
    "a transaction that it ends": (
        "op.execute('COMMIT')\nop.execute('commit; ALTER TABLE t ADD z int; begin work')\nop.execute('DELETE FROM t')",
        "-- migrate: no-transaction\n\nALTER TABLE t ADD z int;\n\nBEGIN;\n\nDELETE FROM t;\n\nCOMMIT;\n",
    ),
    "an index without a transaction": (
        "with op.get_context().autocommit_block():\n    op.create_index('i', 't', ['name'], postgresql_concurrently=True)",
        "CREATE INDEX CONCURRENTLY i ON t (name);\n",
    ),
}


def test_revisions_are_rendered_exactly(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    alembic.write("a0", TABLE)
    for number, (upgrade, _) in enumerate(EXACT.values(), 1):
        alembic.write(f"a{number}", upgrade, "raise NotImplementedError")
    planned = plan(alembic, scratch)
    assert planned.plan.unproved == ""
    for number, (_, statements) in enumerate(EXACT.values(), 1):
        assert read_up(planned, f"a{number}").endswith(statements)
    with_tabs = [each.revision for each in planned.plan.revisions if "as spaces" in "".join(each.warnings)]
    assert with_tabs == [f"a{number}" for number, case in enumerate(EXACT, 1) if "tab" in case.split()]


REFUSED = {
    "asks for rows": ("op.get_bind().execute(sa.text('SELECT 1')).fetchall()", "a2_x.py:19: AttributeError: 'NoneType'"),
    "has a parameter without a value": ("op.execute(\"SELECT 'a :b'\")", "A value is required for bind parameter 'b'"),
    "inspects": ("sa.inspect(op.get_bind()).get_table_names()", "a2_x.py:19: sqlalchemy.exc.NoInspectionAvailable"),
    "differs offline": ("op.get_context().as_sql or op.execute('CREATE TABLE u ()')", "- table public.u"),
    "inserts only online": (
        "context.is_offline_mode() or op.execute(\"INSERT INTO t (name) VALUES ('x')\")",
        "rows of public.t: 1 by Alembic, 0 by the file",
    ),
    "writes other rows": (
        "op.execute(f\"INSERT INTO t (name) VALUES ('{context.is_offline_mode()}')\")",
        "column name of public.t: 1 of 1 values are others",
    ),
    "mixes rows": (
        "a, b = 'xy' if context.is_offline_mode() else 'yx'\nop.execute(f\"INSERT INTO t VALUES (1, '{a}'), (2, '{b}')\")",
        "rows of public.t: the same values are in other rows",
    ),
    "connects": (
        "sa.create_engine('postgresql://me@db.example/prod').connect()",
        "connects to a database, which is not possible",
    ),
    "has a fault": ("op.execute('SELECT nothing')", "fails on scratch"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_revision_that_cannot_be_rendered_is_named_and_nothing_is_written(
    alembic: AlembicFolder, scratch: ScratchServer, case: str
) -> None:
    alembic.write("a1", TABLE)
    alembic.write("a2", REFUSED[case][0])
    with pytest.raises(RefusedError) as raised:
        plan(alembic, scratch)
    assert "a2 (alembic/versions/a2_x.py)" in raised.value.message
    assert REFUSED[case][1] in raised.value.message
    assert not (alembic.root / "migrations").exists()


DOWNS = {
    "raise NotImplementedError": "-- migrate: irreversible its downgrade raises NotImplementedError\n",
    "raise RuntimeError('the rows\\nare gone')": "-- migrate: irreversible the rows are gone\n",
    "raise ValueError(object())": "-- migrate: irreversible <object object>\n",
    "pass": "-- migrate: irreversible the downgrade of the revision has no operations\n",
    "op.drop_table('t4')": "DROP TABLE t4;\n",
    "op.get_bind().execute(sa.text('SELECT 1')).fetchall()": "-- migrate: irreversible its downgrade cannot be rendered offline: "
    "AttributeError: 'NoneType' object has no attribute 'fetchall'\n",
    "op.drop_table('u')": "DROP TABLE u;\n",
}


def test_a_downgrade_is_written_or_the_reason_why_there_is_none(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    for number, downgrade in enumerate(DOWNS):
        alembic.write(f"a{number}", f"op.create_table('t{number}', sa.Column('id', sa.Integer))", downgrade)
    planned = plan(alembic, scratch)
    assert [read_down(planned, f"a{number}") for number in range(len(DOWNS))] == list(DOWNS.values())
    warned = {each.revision: each.warnings for each in planned.plan.revisions if each.warnings}
    assert warned.keys() == {"a5", "a6"}
    assert "fails with Alembic too" in warned["a6"][0]


def test_an_env_that_fails_is_named_with_the_last_line_of_its_traceback(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    alembic.write("a1", TABLE)
    alembic.set_up(env=ENV + "\nraise LookupError('no settings')\n")
    with pytest.raises(RefusedError, match=r"alembic/env.py:\d+: LookupError: no settings"):
        plan(alembic, scratch)


@pytest.mark.parametrize("ends", [False, True])
def test_the_error_of_an_env_has_no_secrets(
    alembic: AlembicFolder, scratch: ScratchServer, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    alembic.write("a1", TABLE)
    monkeypatch.setenv("REPLICA", "postgres:/app:sesame-open@db.example/app")
    text = "{os.environ['REPLICA']} and mysql://app:sesame-loud@db.example/app"
    last = f'import sys\nprint(f"{text}", file=sys.stderr, flush=True)\nos._exit(3)' if ends else f'raise LookupError(f"{text}")'
    alembic.set_up(env=f"{ENV}\n{last}\n")
    with pytest.raises(RefusedError, match=r"\*\*\*@db.example/app and mysql://app:\*\*\*@db.example") as raised:
        plan(alembic, scratch)
    assert "sesame" not in f"{raised.value.message}{raised.value.hint}"


def test_an_env_that_does_not_end_is_stopped(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    alembic.write("a1", TABLE)
    alembic.set_up(env="import time\ntime.sleep(600)\n")
    with pytest.raises(RefusedError, match=r"did not answer within 2 s \(--timeout\), and was stopped"):
        plan_import(find_project("", alembic.root), alembic.root / "migrations", scratch, timeout_s=2)


def test_an_env_ends_with_the_process_that_started_it(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    alembic.write("a1", TABLE)
    code = (
        "from pathlib import Path; from tasks.alembic_import.places import find_project;"
        "from tasks.alembic_import.process import AlembicProcess; process = AlembicProcess(find_project('', Path.cwd()));"
        "process.open(); process.ask({'render': ['a1'], 'upgrade': True})"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        alembic.set_up(env=f"import socket\nsocket.create_connection(('127.0.0.1', {port})).recv(1)\n")
        caller = subprocess.Popen(
            [sys.executable, "-c", code], cwd=alembic.root, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}
        )
        server.settimeout(60)
        with server.accept()[0] as connection:
            caller.kill()
            caller.wait()
            connection.settimeout(60)
            assert connection.recv(1) == b""


def test_without_alembic_the_message_names_what_to_install(
    alembic: AlembicFolder, scratch: ScratchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    alembic.write("a1", TABLE)
    monkeypatch.setattr(sys, "executable", getattr(sys, "_base_executable"))  # noqa: B009
    with pytest.raises(RefusedError) as raised:
        plan(alembic, scratch)
    assert "pip install alembic" in raised.value.hint


FAULTS = {
    "an unknown revision before": ({"down": "nowhere"}, "nowhere"),
    "a circle": ({"down": "a2"}, "loop is detected"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_graph_with_a_fault_is_refused(alembic: AlembicFolder, scratch: ScratchServer, case: str) -> None:
    alembic.write("a1", TABLE)
    alembic.write("a2", **FAULTS[case][0])
    with pytest.raises(RefusedError) as raised:
        plan(alembic, scratch)
    assert FAULTS[case][1] in raised.value.message


def test_a_revision_that_is_there_twice_is_refused(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    path = alembic.write("a1", TABLE)
    path.with_name("copy.py").write_text(path.read_text())
    with pytest.raises(RefusedError, match="Revision a1 is present more than once"):
        plan(alembic, scratch)


@pytest.mark.parametrize("text", [b"name = '\xe9'\n", b"def upgrade(:\n"])
def test_a_revision_that_is_no_python_is_named(alembic: AlembicFolder, scratch: ScratchServer, text: bytes) -> None:
    path = alembic.write("a1", TABLE)
    path.write_bytes(path.read_bytes() + text)
    with pytest.raises(RefusedError) as raised:
        plan(alembic, scratch)
    assert "alembic/versions/a1_x.py:" in raised.value.message
    assert "SyntaxError" in raised.value.message


def test_no_database_is_reached_while_revisions_are_rendered(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    alembic.write("a1", TABLE)
    alembic.set_up(env="import psycopg\npsycopg.connect('postgresql://me@db.example/prod')\n" + ENV)
    with pytest.raises(RefusedError, match=r"alembic/env.py:2: \S*OfflineError: connects to a database"):
        plan(alembic, scratch)


def test_values_that_differ_at_each_run_are_named_and_not_compared(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    alembic.write("a1", "op.execute('CREATE TABLE t (id uuid, at timestamptz DEFAULT clock_timestamp(), name text)')")
    alembic.write("a2", "import uuid\nop.execute(f\"INSERT INTO t (id, name) VALUES ('{uuid.uuid4()}', 'x')\")")
    planned = plan(alembic, scratch)
    assert planned.plan.unproved == ""
    assert "public.t.at, public.t.id" in planned.plan.revisions[1].warnings[0]


ASYNC = """
from alembic import context

URL = "postgresql+asyncpg://me:secret@db.example/prod"

def online():
    import asyncpg

if context.is_offline_mode():
    context.configure(url=URL, literal_binds=True)
    with context.begin_transaction():
        context.execute("SET search_path TO app, public")
        context.run_migrations()
else:
    online()
"""


def test_an_env_without_its_driver_is_proved_by_its_part_for_offline_mode(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    alembic.set_up(env=ASYNC)
    alembic.write("a1", "op.execute('CREATE SCHEMA app')\n" + TABLE, "op.drop_table('t')\nop.execute('DROP SCHEMA app')")
    alembic.write("a2", "pass")
    planned = plan(alembic, scratch)
    assert planned.plan.unproved == ""
    assert read_up(planned, "a1").startswith("SET search_path TO app, public;\n\nCREATE SCHEMA app;\n")
    assert planned.mapping.revisions["a2"].version == ""


UNTYPED = """
op.get_bind().execute(
    sa.text("INSERT INTO u VALUES (:id, timestamptz '2024-01-01 00:00Z' - INTERVAL :age)"),
    [{"id": "7d4b0f6e-9a0f-4c52-9c0e-3f6f3a1c2b1d", "age": "2 days"}],
)
"""


def test_a_revision_for_psycopg2_is_proved_without_it(
    alembic: AlembicFolder, scratch: ScratchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg2://me@db.example/prod")
    alembic.write("a1", "op.execute('CREATE TABLE u (id uuid, at timestamptz)')")
    alembic.write("a2", UNTYPED)
    assert plan(alembic, scratch).plan.unproved == ""


FLASK = {
    # What an env.py of Flask-Migrate needs of Flask, which is no requirement of the tests.
    "flask/__init__.py": "current_app = None",
    "flask/cli.py": """
import os, flask
class ScriptInfo:
    def load_app(self):
        self.app = __import__(os.environ["FLASK_APP"]).app
        return self
    def app_context(self): return self
    def push(self): flask.current_app = self.app
""",
    "shop.py": "class app: url = __import__('os').environ['DATABASE_URL']",
}


def test_the_application_is_current_where_env_asks_for_it(
    alembic: AlembicFolder, scratch: ScratchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in FLASK.items():
        (alembic.root / name).parent.mkdir(exist_ok=True)
        (alembic.root / name).write_text(text)
    monkeypatch.setenv("FLASK_APP", "shop")
    alembic.set_up(env="from flask import current_app\n" + ENV.replace('os.environ["DATABASE_URL"]', "current_app.url"))
    alembic.write("a1", TABLE)
    assert plan(alembic, scratch).plan.unproved == ""


def test_the_project_is_found_by_its_configuration_or_by_its_folders(alembic: AlembicFolder, scratch: ScratchServer) -> None:
    alembic.write("a1", TABLE)
    other = alembic.root / "more" / "other"
    other.mkdir(parents=True)
    (alembic.root / "alembic.ini").unlink()
    folders = '["%(here)s/alembic/versions", "%(here)s/more/other"]'
    text = f'[tool.alembic]\nscript_location = "%(here)s/alembic"\nversion_locations = {folders}\n'
    (alembic.root / "pyproject.toml").write_text(text)
    path = alembic.write("b1", "op.create_table('u', sa.Column('id', sa.Integer))", down=None)
    path.rename(other / path.name)
    assert len(plan(alembic, scratch).files) == 4
    assert len(plan(alembic, scratch, "alembic/versions").files) == 4
    assert len(plan(alembic, scratch, "more/other").files) == 4


def test_both_files_of_configuration_are_read_if_both_are_there(tmp_path: Path) -> None:
    # Alembic's template pyproject writes both.
    ini, toml = tmp_path / "alembic.ini", tmp_path / "pyproject.toml"
    ini.write_text("[alembic]\nsqlalchemy.url = driver://user:pass@localhost/dbname\n")
    toml.write_text('[tool.alembic]\nscript_location = "%(here)s/alembic"\n')
    project = find_project("", tmp_path)
    assert (project.ini, project.toml) == (ini, toml)
