"""inv db.check-models, and the fixture of the pytest plugin: models of an application beside its migrations."""

import json
from pathlib import Path

import pytest

from tests.kit.applications import make_application
from tests.kit.databases import Database
from tests.kit.projects import REPOSITORY, Project
from tests.models.applications import BASE, POST, POSTS_SQL, USER, USERS_SQL, write_module
from tests.runner.operating import A, B

pytestmark = pytest.mark.only_newest

NOWHERE = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
VECTOR = "from pgvector.sqlalchemy import Vector\n"


@pytest.fixture
def app(project: Project) -> Project:
    """Return a project with models that agree with its migrations, except for a table without a model."""
    project.write_up(A, USERS_SQL + "CREATE TABLE jobs (id int REFERENCES users);")
    project.write_up(B, POSTS_SQL + "CREATE INDEX i ON posts USING hash (author);")
    write_module(project.root, "app.models", BASE + USER + POST)
    return project


def test_the_exit_code_shows_whether_models_and_migrations_agree(app: Project) -> None:
    result = app.inv("db.check-models", "--models", "app.models:Base", env=NOWHERE, check=4)
    assert "- table public.jobs (with column, constraint)" in result.stdout
    assert "inv db.new NAME --from-models app.models:Base" in result.stdout
    assert "index: public.i of public.posts" in result.stdout
    agreeing = app.inv("db.check-models", "--exclude", "jobs", env=NOWHERE | {"MODELS": "app.models:Base"}, check=0)
    assert "✅ Models and migrations agree" in agreeing.stdout
    refused = app.inv("db.check-models", "--exclude=job", env=NOWHERE | {"MODELS": "app.models:Base"}, check=2)
    assert "Did you mean jobs?" in refused.stderr


def test_the_schemas_are_kept_for_the_next_comparison_unless_that_is_not_wanted(app: Project, tmp_path: Path) -> None:
    command = ("db.check-models", "--models=app.models:Base")
    environment = NOWHERE | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    outputs = [app.inv(*command, "--no-cache", env=environment, check=4).stdout]
    assert not (tmp_path / "cache").exists()
    outputs += [app.inv(*command, env=environment, check=4).stdout for _ in range(2)]
    # There are more than two if another test creates a role on the server between the commands.
    assert len(list((tmp_path / "cache").rglob("schemas/*.json"))) in {2, 4}
    assert outputs[0] == outputs[1] == outputs[2]


def test_json_has_the_difference_as_data(app: Project) -> None:
    result = app.inv("db.check-models", "--models=app.models:Base", "--json", env=NOWHERE, check=4)
    (event,) = map(json.loads, result.stdout.splitlines())
    assert (event["kind"], event["models"], event["tables"], event["versions"]) == ("models_checked", ["app.models:Base"], 2, 2)
    assert "public.jobs" in [change["key"]["name"] for change in event["changes"]["changes"]]


FAULTS = {
    "a type of an extension": (
        VECTOR + BASE + USER + "    a = mapped_column(Vector(3))\n",
        ['public.users: type "vector" does not exist', "inv db.new enable_vector", "public.users.a"],
    ),
    "a type of another server": (
        BASE + USER + "    a = mapped_column(DATETIME)\n",
        ['type "datetime" does not exist', "public.users.a"],
    ),
    "a reference to no table": (
        BASE + USER + POST.replace("users.id", "auth.users.id").replace("(F", "(Integer, F"),
        ["public.posts.author refers to auth.users, which neither"],
    ),
    "a listener that ends the transaction": (
        BASE + USER + "event.listen(Base.metadata, 'after_create', DDL('COMMIT'))",
        ["the models cannot be created: COMMIT without a BEGIN", "| COMMIT"],
    ),
    "invalid SQL": (
        BASE + USER + "    a = mapped_column(Text, CheckConstraint('a >'))\n",
        ["public.users: syntax error", "Correct the models"],
    ),
}


@pytest.mark.parametrize(("text", "messages"), FAULTS.values(), ids=FAULTS.keys())
def test_models_that_the_server_refuses_are_explained(project: Project, text: str, messages: list[str]) -> None:
    write_module(project.root, "models", text)
    result = project.inv("db.check-models", "--models=models:Base", env=NOWHERE)
    assert result.returncode in (1, 3), result.stdout
    assert [message for message in messages if message not in result.stderr] == []


def test_the_models_of_gaia_agree_with_its_migrations(project: Project) -> None:
    environment = {"MIGRATIONS_DIR": str(REPOSITORY / "migrations"), "PYTHONPATH": str(Path(__file__).parent)}
    result = project.inv("db.check-models", "--models=gaia:Base", env=NOWHERE | environment, check=0)
    assert "Compared gaia:Base (29 tables) with a replay of 16 migrations." in result.stdout
    assert "extension: vector" in result.stdout


TESTS = """
def test_agree(check_models):
    check_models("app.models:Base", exclude="jobs")

def test_differ(check_models):
    check_models("app.models:Base")

def test_fault(check_models):
    check_models("app.models:Bse")
"""


def test_the_plugin_fails_a_test_with_the_difference(tmp_path: Path, database: Database) -> None:
    application = make_application(tmp_path / "app", database.server.url())
    application.project.write_up(A, USERS_SQL + "CREATE TABLE jobs ();")
    write_module(application.project.root / "src", "app.models", BASE + USER)
    application.write("test_models.py", TESTS)
    ini = application.project.root / "pytest.ini"
    ini.write_text(ini.read_text().replace("pythonpath = ", "pythonpath = src "))
    run = application.test("-q")
    assert run.results == {"passed": 1, "failed": 2}, run.output
    assert "- table public.jobs" in run.output
    assert "Did you mean app.models:Base?" in run.output
