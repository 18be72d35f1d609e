"""Databases to adopt: some of the migrations are applied, but not recorded."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tasks.adopt.events import AdoptionRow
from tasks.adopt.examine import Assumptions, Examination, examine, read_subject
from tasks.adopt.live import LiveDatabase
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.events import AdoptionWritten
from tasks.runner.files.checkout import read_migrations
from tasks.runner.operations.adopt import adopt, pack
from tests.runner.operating import Operator

USERS = "20250101000000_create_users"
EMAIL = "20250102000000_add_email"
INDEX = "20250103000000_index_email"
ROWS = "20250104000000_first_rows"
VIEW = "20250105000000_show_emails"
ORDERS = "20250106000000_create_orders"

FILES = {
    USERS: "CREATE TABLE IF NOT EXISTS users (id serial PRIMARY KEY, name text);",
    EMAIL: "ALTER TABLE users ADD COLUMN IF NOT EXISTS email text;",
    INDEX: "CREATE INDEX users_email ON users (email);\nCREATE INDEX users_name ON users (name);",
    ROWS: "INSERT INTO users (name) VALUES ('ada');",
    VIEW: "CREATE VIEW emails AS SELECT email FROM users;",
    ORDERS: "CREATE TABLE orders (id int, user_id int REFERENCES users (id));\nCREATE INDEX orders_user ON orders (user_id);",
}


@dataclass(frozen=True)
class Adopter:
    """A user who adopts the database of a project."""

    operator: Operator
    scratch: ScratchServer

    def write(self, files: Mapping[str, str] = FILES) -> None:
        """Write the migration files of the project."""
        for version, text in files.items():
            self.operator.write(version, text)

    def run(self, *versions: str) -> None:
        """Run files by hand, without recording them."""
        for version in versions:
            self.operator.database.execute((self.operator.project.migrations / "up" / f"{version}.sql").read_text())

    def examine(self, *, present: Iterable[str] = (), absent: Iterable[str] = (), dumps: bool = True) -> Examination:
        """Compare the database with the migrations, with or without its schema as SQL."""
        migrations = read_migrations(self.operator.project.migrations)
        subject = read_subject(self.operator.make_runner(), migrations)
        source = LiveDatabase(self.operator.database.url) if dumps else None
        return examine(subject, migrations, self.scratch, Assumptions(tuple(present), tuple(absent)), source)

    def adopt(self, *, present: Iterable[str] = (), absent: Iterable[str] = ()) -> AdoptionWritten:
        """Compare the database with the migrations, and record the result."""
        runner, migrations = self.operator.make_runner(), read_migrations(self.operator.project.migrations)
        subject = read_subject(runner, migrations)
        examination = examine(subject, migrations, self.scratch, Assumptions(tuple(present), tuple(absent)))
        *_, written = adopt(runner, subject.seen, (pack(examination.adoptions),))
        assert isinstance(written, AdoptionWritten)
        return written

    def find(self, version: str, *, present: Iterable[str] = (), absent: Iterable[str] = (), dumps: bool = True) -> AdoptionRow:
        """Return the row of one version."""
        examination = self.examine(present=present, absent=absent, dumps=dumps)
        return next(row for row in examination.answer.rows if row.version == version)


def read_verdicts(examination: Examination) -> dict[str, str]:
    """Return the verdict on each version."""
    return {row.version: row.verdict for row in examination.answer.rows}
