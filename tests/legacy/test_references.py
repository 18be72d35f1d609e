"""Who refers to the files that a clean-up moves: paths, names, and folders that are used as a whole."""

from pathlib import Path

import pytest

from tasks.legacy.proposal import Placement, Proposal
from tasks.legacy.reading.files import OldFile
from tasks.legacy.reading.names import read_name
from tasks.legacy.references import find_references
from tests.kit.projects import REPOSITORY
from tests.kit.repositories import TestRepository

INIT = "scripts/init-local.sql"
USERS = "migrations/001_users.sql"


def find(root: Path, **texts: str) -> list[tuple[str, int, str, str]]:
    """Write files, named with __ for /, and return the references to two old files: path, line, target and how."""
    repository = TestRepository(root)
    repository.write({INIT: "CREATE TABLE a ();", USERS: "-- 001_users.sql\nCREATE TABLE users ();"})
    repository.write({name.replace("__", "/"): text for name, text in texts.items()})
    placements = (
        Placement(OldFile(root / INIT, read_name("init-local")), "20250101000000_init_local"),
        Placement(OldFile(root / USERS, read_name("001_users")), "", "superseded"),
    )
    found = find_references(Proposal(root / "migrations", placements))
    prefix = f"{root}/"
    return [(each.path.removeprefix(prefix), each.line, each.refers_to.removeprefix(prefix), each.how) for each in found]


@pytest.fixture(params=["git", "no git"])
def root(request: pytest.FixtureRequest, tmp_path: Path, repository: TestRepository) -> Path:
    """Return a folder with a git repository, and one without."""
    if request.param == "git":
        return repository.root
    (tmp_path / "plain").mkdir()
    return tmp_path / "plain"


REFERENCES = {
    "      - ./scripts/init-local.sql:/docker-entrypoint-initdb.d/01.sql:ro": (INIT, "path"),
    "COPY scripts/init-local.sql /docker-entrypoint-initdb.d/": (INIT, "path"),
    "run: psql -f ${GITHUB_WORKSPACE}/scripts/init-local.sql": (INIT, "path"),
    "psql -f /app/scripts/init-local.sql": (INIT, "path"),
    r"psql -f scripts\init-local.sql": (INIT, "path"),
    "[the script](../scripts/init-local.sql)": (INIT, "path"),
    "\\i init-local.sql": (INIT, "name"),
    "First run `init-local.sql`, then the others": (INIT, "name"),
    "      - ./scripts:/docker-entrypoint-initdb.d": ("scripts", "folder"),
    "      - type: bind\n        source: ./scripts": ("scripts", "folder"),
    "COPY scripts /docker-entrypoint-initdb.d": ("scripts", "folder"),
    "for f in migrations/*.sql; do": ("migrations", "folder"),
    "ls $ROOT/migrations/0*.sql": ("migrations", "folder"),
    "flyway -locations=filesystem:migrations migrate": ("migrations", "folder"),
    "goose -dir migrations up": ("migrations", "folder"),
}
NO_REFERENCES = (
    "other/init-local.sql",
    "my-init-local.sql",
    "init-local.sqlite",
    "init-local",
    "see the scripts and the migrations",
    "scripts/deploy.sh",
    "python -m scripts.deploy",
    "./my-scripts:/x",
    "COPY old/scripts.txt /x",
)


@pytest.mark.parametrize("line", REFERENCES)
def test_a_line_that_refers_to_a_file_is_found(tmp_path: Path, line: str) -> None:
    ((path, number, target, how),) = find(tmp_path, deploy__file=f"\n{line}\n")
    assert (path, number, (target, how)) == ("deploy/file", 2 + line.count("\n"), REFERENCES[line])


@pytest.mark.parametrize("line", NO_REFERENCES)
def test_a_line_that_refers_to_something_else_is_not(tmp_path: Path, line: str) -> None:
    assert find(tmp_path, deploy__file=line) == []


def test_a_path_that_leads_to_another_file_is_no_reference(tmp_path: Path) -> None:
    found = find(
        tmp_path, **{"service__scripts__init-local.sql": "SELECT 1;", "service__run.sh": "psql -f scripts/init-local.sql"}
    )
    assert found == []


def test_every_file_of_the_checkout_is_searched_that_is_text_and_not_ignored(root: Path) -> None:
    text = f"psql -f {INIT}\n"
    files = {"a.yml": text, ".github__ci.yml": text, "node_modules__x.js": text, "large": text * 100_000, "binary": "\0" + text}
    found = find(root, **{".gitignore": "node_modules\n", **files, "migrations__renames.toml": text})
    assert sorted(found) == [(".github/ci.yml", 1, INIT, "path"), ("a.yml", 1, INIT, "path")]


def test_links_are_not_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    TestRepository(outside).write({"secret.txt": INIT})
    (root / "link.txt").symlink_to(outside / "secret.txt")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to(root)
    assert find(root) == []


def test_the_tool_itself_does_not_refer_to_old_files() -> None:
    old = OldFile(REPOSITORY / USERS, read_name("001_users"))
    found = find_references(Proposal(REPOSITORY / "migrations", (Placement(old, "20250101000000_users"),)))
    assert [each for each in found if "/tasks/" in f"/{each.path}"] == []
