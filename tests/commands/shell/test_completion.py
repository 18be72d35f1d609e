"""Which words are offered for those that are typed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.commands.shell.completion import DESCRIBED, EXACT, FILES, answer
from tests.kit.projects import REPOSITORY, Project
from tests.runner.operating import A, B

HEAVY = {"psycopg", "pglast", "rich", "invoke", "dotenv"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a project with two migrations and an environment of its own."""
    for name in ("tasks.py", "tasks"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    (tmp_path / "migrations" / "up").mkdir(parents=True)
    for version in (A, B):
        (tmp_path / "migrations" / "up" / f"{version}.sql").touch()
    (tmp_path / "migrations" / "up" / "notes.txt").touch()
    for name in ("preview", "example", "b ad"):
        (tmp_path / f".env.{name}").touch()
    return tmp_path


def complete(folder: Path, *words: str, form: str = EXACT, environ: dict[str, str] | None = None) -> list[str]:
    """Return the answer to a request of a shell."""
    request = ["--complete", "--", *([form] if form else []), "inv", *words]
    found = answer(request, folder, environ or {})
    assert found is not None
    return found.splitlines()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("db.mig",), ["db.migrate"]),
        (("db.migrate", "db.sta"), ["db.start", "db.status"]),
        (("--help", "db.mig"), ["db.migrate"]),
        (("--he",), ["--help"]),
        (("db.migrate", "--dr"), ["--dry-run"]),
        (("db.migrate", "--st"), ["--start", "--strict"]),
        (("db.migrate", "--strict", "--st"), ["--start"]),
        (("db.migrate", "--nope"), []),
        (("db.migrate", "--env", "st"), ["staging"]),
        (("db.migrate", "-e", ""), ["local", "dev", "staging", "prod", "preview"]),
        (("db.migrate", "--env=p"), ["--env=prod", "--env=preview"]),
        (("db.migrate", "--env=dev,p"), ["--env=dev,prod", "--env=dev,preview"]),
        (("db.migrate", "--env=prod,p"), ["--env=prod,preview"]),
        (("db.status", "--env=a"), ["--env=all"]),
        (("db.migrate", "--env=a"), []),
        (("db.migrate", "--env", "=", "st"), ["staging"]),
        (("db.migrate", "--env", "=", "dev,p"), ["dev,prod", "dev,preview"]),
        (("db.migrate", "--env", "="), ["local", "dev", "staging", "prod", "preview"]),
        (("db.migrate", "--env", "=", "dev", "--dr"), ["--dry-run"]),
        (("db.migrate", f"--to={A[:6]}"), [f"--to={A}", f"--to={B}"]),
        (("db.rollback", "--to", B[:8]), [B]),
        (("db.history", "--version=2"), [f"--version={A}", f"--version={B}"]),
        (("db.verify", "--only", ""), [A, B]),
        (("db.squash", ""), [A, B]),
        (("db.squash", A, "db.stat"), ["db.status"]),
        (("db.rollback", "--steps="), []),
        (("db.new", ""), []),
        (("db.new", "add_x", "db.mig"), ["db.migrate"]),
        (("db.status", "--html="), [FILES]),
        (("db.status", "--html", "a fi"), [FILES]),
        (("db.stop", "--env="), []),
        (('"foo b',), []),
        (("db.new", "it's"), []),
    ],
    ids=" ".join,
)
def test_the_words_that_may_be_meant_are_offered(folder: Path, words: tuple[str, ...], expected: list[str]) -> None:
    assert complete(folder, *words) == expected


def test_after_a_command_its_flags_and_the_next_command_are_offered(folder: Path) -> None:
    offered = complete(folder, "db.status", "")
    assert {"--check", "--env", "db.migrate"} <= set(offered)
    assert not {each for each in complete(folder, "") if each.startswith("-")}
    assert {"-e", "-j"} <= set(complete(folder, "db.status", "-"))


def test_shells_that_show_descriptions_get_those_of_commands(folder: Path) -> None:
    assert complete(folder, "db.migr", form=DESCRIBED) == ["db.migrate\tApply every pending migration."]
    assert complete(folder, "db.migrate", "--dr", form=DESCRIBED) == ["--dry-run"]


def test_the_scripts_of_invoke_leave_out_an_empty_last_word(folder: Path) -> None:
    assert set(complete(folder, "db.rollback", "--to", form="")) == {"--to", A, B}
    assert complete(folder, "db.status", "--html", form="") == ["--html"]
    assert complete(folder, "db.mig", form="") == ["db.migrate"]


@pytest.mark.parametrize("place", ["process", ".env", ".env.local"])
def test_the_versions_are_those_of_the_folder_that_is_set(folder: Path, place: str) -> None:
    up = folder / "else where" / "up"
    up.mkdir(parents=True)
    (up / "20300101000000_other.sql").touch()
    environ = {}
    if place == "process":
        environ["MIGRATIONS_DIR"] = str(up.parent)
    else:
        (folder / place).write_text(f'A=1\nexport MIGRATIONS_DIR="{up.parent}"  # here\n')
    assert complete(folder, "db.migrate", "--to=", environ=environ) == ["--to=20300101000000_other"]


def test_the_project_is_found_from_a_folder_in_it(folder: Path) -> None:
    assert complete(folder / "migrations" / "up", "db.migrate", "--env=prev") == ["--env=preview"]


def test_the_answer_is_empty_if_anything_fails(tmp_path: Path, folder: Path) -> None:
    assert complete(Path("/"), "db.mig") == []
    (folder / "migrations" / "up").rename(folder / "migrations" / "gone")
    assert complete(folder, "db.migrate", "--to=") == []
    (tmp_path / "tasks.py").unlink()
    (tmp_path / "tasks.py").write_text("@task(name=1 + x)\ndef a(c): pass\n")
    assert complete(folder, "db.") == []


@pytest.mark.parametrize("arguments", [[], ["db.migrate"], ["db.new", "--", "--complete"], ["--print-completion-script=tcsh"]])
def test_other_arguments_are_no_request(folder: Path, arguments: list[str]) -> None:
    assert answer(arguments, folder, {}) is None


def test_5000_migrations_are_offered(folder: Path) -> None:
    for number in range(5000):
        (folder / "migrations" / "up" / f"2026010100{number:04}_x.sql").touch()
    assert len(complete(folder, "db.migrate", "--to=2026")) == 5000


def test_an_answer_imports_nothing_but_the_standard_library() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from tasks.commands.shell.completion import main; main();"
        "print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-I", "-S", "-c", program, str(REPOSITORY), "tasks", "--complete", "--", EXACT, "inv", "db.mig"]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert result.stdout == "db.migrate\n"
    imported = {name.partition(".")[0] for name in result.stderr.split()}
    assert not imported & HEAVY
    assert {name for name in result.stderr.split() if name.startswith("tasks.")} == {
        "tasks.commands",
        "tasks.commands.shell",
        "tasks.commands.shell.completion",
        "tasks.commands.shell.definitions",
    }


def test_the_plain_program_of_invoke_answers_alike(project: Project) -> None:
    answered = project.inv("--complete", "--", "inv", "db.migrate", "--env", "=", "st", check=0)
    assert (answered.stdout, answered.stderr) == ("staging\n", "")
