"""What this project writes itself lints clean: the templates of db.new, and its own migrations."""

from pathlib import Path

import pytest

from tasks.lint.engine import LintKnowledge, lint
from tasks.lint.events import LintFound
from tasks.lint.model import LintExample
from tasks.lint.replaying import replay_files
from tasks.rehearsal.model import read_migration_pairs
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.files.checkout import read_migrations
from tasks.templates.render import draft
from tests.kit.projects import REPOSITORY
from tests.lint.linting import lint_all, make_migrations
from tests.templates.checkouts import UP, know
from tests.templates.test_files import PAIRS, UNDOCUMENTED_DOWN, WHOLE

SINGLE = [name for name in WHOLE if name not in PAIRS]


def compose(folder: Path, name: str) -> list[LintExample]:
    """Return the files that a name makes."""
    made = [each.compose("20260101000000_v") for each in draft(name, know(folder, name))]
    return [LintExample(each.up, each.down) for each in made]


@pytest.mark.parametrize("name", [*PAIRS, "create_badges", "rename_email_to_contact_in_users", *UNDOCUMENTED_DOWN[:1]])
def test_new_files_lint_clean(scratch: ScratchServer, tmp_path: Path, name: str) -> None:
    found, finished = lint_all(scratch, UP, compose(tmp_path, name))
    assert (found, finished.not_checked) == ([], ())


def test_all_new_files_lint_clean_in_the_schema_of_older_ones(scratch: ScratchServer, tmp_path: Path) -> None:
    names = [name for name in (*SINGLE, *UNDOCUMENTED_DOWN) if name not in ("enable_pgvector",)]
    examples = [each for name in names for each in compose(tmp_path, name)]
    migrations = make_migrations(UP, examples)
    only_first = Selection(migrations[:2], (migrations[1].name,), "chosen")
    schema = replay_files(scratch, only_first).schemas[migrations[1].name]
    known = LintKnowledge(scratch.version, {each.name: schema for each in migrations})
    found: list[LintFound] = []
    for migration in migrations[1:]:
        events = lint(Selection(migrations, (migration.name,), "chosen"), known)
        found += [event for event in events if isinstance(event, LintFound)]
    assert found == []


def test_the_migrations_of_this_project_lint_clean(scratch: ScratchServer) -> None:
    migrations = read_migration_pairs(read_migrations(REPOSITORY / "migrations"))
    selection = Selection(migrations, tuple(each.name for each in migrations), "all")
    known = replay_files(scratch, selection)
    events = list(lint(selection, known))
    assert [event for event in events if isinstance(event, LintFound)] == []
    assert known.not_checked == ()
