"""The examples of docs/testing.md pass as tests of an application."""

from pathlib import Path

from tests.docs.pages import FileText, read_steps
from tests.kit.applications import make_application
from tests.kit.databases import Database
from tests.kit.projects import REPOSITORY
from tests.runner.operating import A


def test_the_examples_of_fastapi_and_sqlalchemy_pass(tmp_path: Path, database: Database) -> None:
    application = make_application(tmp_path / "app", database.server.url())
    application.project.write_up(
        A,
        "CREATE TABLE users (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, email text NOT NULL UNIQUE);\n"
        "CREATE TABLE plans (name text PRIMARY KEY);",
    )
    application.project.write_seed("001_plans", "INSERT INTO plans VALUES ('free'), ('paid') ON CONFLICT DO NOTHING;")
    text = (REPOSITORY / "docs/testing.md").read_text(encoding="utf-8")
    files = [step for step in read_steps(text) if isinstance(step, FileText)]
    for file in files:
        application.write(file.pattern, file.text)
    assert [file.pattern for file in files] == [
        *("app_models.py", "test_models.py"),
        *("test_sqlalchemy.py", "app.py", "test_fastapi.py"),
    ]
    run = application.test("-q")
    assert (run.code, run.results) == (0, {"passed": 6}), run.output
