"""A run with nothing to do, and a status: they import what they use, and nothing else."""

import pytest

from tests.kit.projects import Project
from tests.runner.operating import A

IMPORTS = "print(*sys.modules, file=sys.stderr)"
UNUSED = (
    "pglast",
    "uuid",
    "difflib",
    "tasks.catalog.comparing",
    "tasks.catalog.showing",
    "tasks.postgres.masking",
    "tasks.postgres.section_marks",
    "tasks.postgres.tokens",
    "tasks.runner.database.activity",
    "tasks.runner.database.run_lock",
    "tasks.runner.events.running",
    "tasks.runner.events.values",
    "tasks.runner.execution.locked_run",
    "tasks.runner.files.decoding",
    "tasks.runner.files.large_files",
    "tasks.runner.ledger.privileges",
    "tasks.runner.ledger.refusal",
    "tasks.runner.ledger.squashes",
    "tasks.runner.ledger.vouching",
    "tasks.runner.ledger.writing",
    "tasks.runner.parsing",
    "tasks.runner.planning.failures",
    "tasks.runner.planning.sources",
    "tasks.runner.redaction",
)
"""What locks, reads and parses files, masks secrets, compares schemas and explains errors."""


def list_imports(project: Project, *arguments: str) -> set[str]:
    """Run a command, and return the modules that its process has imported."""
    return set(project.observe(IMPORTS, *arguments).split())


@pytest.mark.usefixtures("database")
def test_a_run_with_nothing_to_do_and_a_status_import_only_what_they_use(project: Project) -> None:
    project.write_up(A, "SELECT 1;")
    assert {"pglast", "tasks.runner.execution.locked_run"} <= list_imports(project, "migrate")
    for command in ("migrate", "status"):
        imported = list_imports(project, command)
        assert {"psycopg", "tasks.runner.files.checkout"} <= imported
        assert [name for name in UNUSED if name in imported] == [], command
    assert "tasks.catalog" not in list_imports(project, "migrate")
