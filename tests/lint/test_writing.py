"""The files that replace a pending one: their versions, and their line ends."""

from tasks.lint.model import LintExample
from tasks.lint.replaying import replay_files
from tasks.lint.writing.writing import PlannedRewrite, plan_rewrites
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tests.lint.linting import DAY, make_migrations

SETUP = "CREATE TABLE authors (id int PRIMARY KEY);\nCREATE TABLE poems (id int PRIMARY KEY, author_id int, a int);"
CHECK = LintExample(
    "-- Poems are counted.\nALTER TABLE poems ADD CONSTRAINT counted CHECK (a > 0);\n",
    "ALTER TABLE poems DROP CONSTRAINT counted;\n",
)


def plan(server: ScratchServer, migrations: tuple[RehearsedMigration, ...]) -> tuple[PlannedRewrite, ...]:
    """Return what replaces the second migration."""
    selection = Selection(migrations, tuple(each.name for each in migrations[1:]), "chosen")
    return plan_rewrites(server, selection, replay_files(server, selection), {}).rewrites


def test_new_files_get_the_seconds_after_their_file(scratch: ScratchServer) -> None:
    (planned,) = plan(scratch, make_migrations(SETUP, [CHECK]))
    assert [version for version, _ in planned.files] == [f"{DAY + 1}_v1", f"{DAY + 2}_validate_counted"]


def test_new_files_follow_all_others_if_the_seconds_are_taken(scratch: ScratchServer) -> None:
    later = LintExample("CREATE TABLE later (id int);\n", "DROP TABLE later;\n")
    (planned,) = plan(scratch, make_migrations(SETUP, [CHECK, later]))
    assert [version for version, _ in planned.files] == [f"{DAY + 1}_v1", f"{DAY + 3}_validate_counted"]


def test_new_files_have_the_line_ends_of_their_file(scratch: ScratchServer) -> None:
    windows = LintExample(CHECK.up.replace("\n", "\r\n"), (CHECK.down or "").replace("\n", "\r\n"))
    (planned,) = plan(scratch, make_migrations(SETUP, [windows]))
    texts = [text for _, file in planned.files for text in (file.up, file.down)]
    assert planned.files[0][1].up.startswith("-- Poems are counted.\r\nALTER TABLE poems ADD CONSTRAINT counted")
    assert [text.count("\n") - text.count("\r\n") for text in texts] == [0] * 4
