"""`inv db.new`: the paths that it prints, and the editor that it opens."""

import signal
import stat
from pathlib import Path

import pytest

from tasks.commands.new import find_editor
from tasks.runner.errors import RunnerError
from tests.kit.projects import Project
from tests.templates.checkouts import write_base

RECORD = '#!/bin/sh\nprintf "%s\\n" "$@" >"$(dirname "$0")/opened"\n'


def write_editor(path: Path, end: str = "exit 0") -> Path:
    """Write an editor that records its arguments beside itself, and ends with a command of the shell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{RECORD}{end}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def list_printed(output: str) -> list[str]:
    return [line.strip() for line in output.splitlines() if line.startswith("   /")]


def test_the_editor_gets_all_files_after_its_own_arguments(project: Project, tmp_path: Path) -> None:
    write_base(project.migrations)
    editor = write_editor(tmp_path / "my editor" / "edit")
    variables = {"VISUAL": f"'{editor}' --wait -n", "EDITOR": "false"}
    made = project.inv("db.new", "--edit", "add_fk_api_keys_user_id", env=variables, check=0)
    opened = (editor.parent / "opened").read_text().splitlines()
    assert opened == ["--wait", "-n", *list_printed(made.stdout)]
    assert [Path(path).parent.name for path in opened[2:]] == ["up", "down", "up", "down"]
    assert all(Path(path).is_file() for path in opened[2:])


def test_a_program_whose_path_has_spaces_needs_no_quotes(project: Project, tmp_path: Path) -> None:
    editor = write_editor(tmp_path / "my editor" / "edit")
    project.inv("db.new", "create_things", "--edit", env={"VISUAL": "", "EDITOR": str(editor)}, check=0)
    assert len((editor.parent / "opened").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"VISUAL": "", "EDITOR": " "}, "no editor is set: VISUAL and EDITOR are empty"),
        (
            {"VISUAL": "/nowhere/edit --wait", "EDITOR": "true"},
            "the editor of VISUAL cannot be started: /nowhere/edit --wait: No",
        ),
        ({"VISUAL": "", "EDITOR": "edit 'a"}, "EDITOR cannot be read: edit 'a: no closing quotation"),
    ],
)
def test_the_files_stay_and_their_paths_are_printed_if_no_editor_can_be_started(
    project: Project, variables: dict[str, str], message: str
) -> None:
    made = project.inv("db.new", "create_things", "--edit", env=variables, check=1)
    assert message in made.stderr
    assert "The files were created. No database was changed." in made.stderr
    assert all(Path(path).is_file() for path in list_printed(made.stdout))
    assert len(list_printed(made.stdout)) == 2


@pytest.mark.parametrize(("end", "how"), [("exit 3", "with exit code 3"), ("kill -TERM $$", f"by signal {int(signal.SIGTERM)}")])
def test_an_editor_that_fails_is_reported_with_exit_code_1(project: Project, tmp_path: Path, end: str, how: str) -> None:
    editor = write_editor(tmp_path / "edit", end)
    made = project.inv("db.new", "create_things", "--edit", env={"VISUAL": str(editor)}, check=1)
    assert f"the editor of VISUAL ended {how}: {editor}" in made.stderr


def test_without_the_flag_no_editor_is_started(project: Project) -> None:
    project.inv("db.new", "create_things", env={"VISUAL": "/nowhere/edit"}, check=0)


def test_visual_is_preferred_to_editor() -> None:
    assert find_editor({"VISUAL": "code --wait", "EDITOR": "vi"}) == ("VISUAL", ["code", "--wait"])
    assert find_editor({"EDITOR": "emacs -nw"}) == ("EDITOR", ["emacs", "-nw"])
    with pytest.raises(RunnerError, match="no editor is set"):
        find_editor({})
