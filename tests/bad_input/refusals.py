"""Running a command that must fail, and reading its error."""

from dataclasses import dataclass

from tasks.console.cells import clean, width
from tasks.runner.events import ErrorRaised, from_json
from tests.kit.databases import Database
from tests.kit.projects import Project

V = "20250101000000_first"
NEXT = "20250102000000_next"
MARK = "CREATE TABLE mark ();"
"""A statement that must not have run where nothing should change."""

_RELATIONS = """
SELECT n.nspname::text, c.relname::text, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1, 2
"""


@dataclass(frozen=True)
class RefusedCommand:
    """The error of a command that failed: as an event, and as text."""

    error: ErrorRaised
    stdout: str
    stderr: str

    @property
    def place(self) -> tuple[str, int, int]:
        """Return the name of the file without its folders, the line and the column."""
        return self.error.file.rpartition("/")[2], self.error.line, self.error.column

    @property
    def under_caret(self) -> str:
        """Return the part of the displayed source line from the caret on."""
        lines = self.stderr.splitlines()
        number = next(number for number, line in enumerate(lines) if line.endswith("^"))
        source, cells = lines[number - 1], len(lines[number]) - 1
        return source[next(end for end in range(len(source) + 1) if width(source[:end]) == cells) :]


def snapshot(database: Database) -> tuple[list[tuple[str, ...]], dict[str, list[tuple[str]]]]:
    """Return the names of all relations of a database, and the rows of the ledger's tables."""
    relations = database.query(_RELATIONS)
    ledger = [f"{schema}.{name}" for schema, name, kind in relations if kind == "r" and name.startswith("schema_migrations")]
    return relations, {name: database.query(f"SELECT t::text FROM {name} t ORDER BY 1") for name in ledger}


def refuse(project: Project, *arguments: str, code: int = 3, env: dict[str, str] | None = None) -> RefusedCommand:
    """Run `scripts/migrate.py` with --json, and return the error that it must end with, with this exit code."""
    result = project.migrate(*(arguments or ("migrate",)), "--json", check=code, env=env)
    error = from_json(result.stdout.splitlines()[-1])
    assert isinstance(error, ErrorRaised)
    assert error.exit_code == code
    assert clean(error.message.splitlines()[0]) in result.stderr
    assert error.state
    assert error.hint
    assert "Traceback" not in result.stderr
    return RefusedCommand(error, result.stdout, result.stderr)


def refuse_unchanged(project: Project, database: Database, *arguments: str, code: int = 3) -> RefusedCommand:
    """Run a command that must fail, assert that the database is unchanged, and return the error."""
    before = snapshot(database)
    refusal = refuse(project, *arguments, code=code)
    assert snapshot(database) == before
    assert refusal.error.state.startswith("Nothing was changed") or code == 1
    return refusal
