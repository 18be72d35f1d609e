"""The pre-commit hooks: the same style and type checks as scripts/test.sh. And the attributes that git applies to SQL files."""

import re
import subprocess

import yaml  # type: ignore[import-untyped]

from tests.kit.projects import REPOSITORY


def test_the_hooks_run_the_checks_of_the_test_script_in_the_same_order() -> None:
    script = (REPOSITORY / "scripts" / "test.sh").read_text(encoding="utf-8")
    checks = re.findall(r"^ +(\.venv/bin/\S.*)$", script, re.MULTILINE)
    assert checks
    (repository,) = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == checks
    # Each check reads all files, as in the script, whichever files a commit contains.
    assert [hook["pass_filenames"] for hook in repository["hooks"]] == [False] * len(checks)


def test_git_checks_out_sql_files_with_lf() -> None:
    attributes = ["git", "check-attr", "--stdin", "text", "eol"]
    files = subprocess.run(["git", "ls-files", "*.sql"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    result = subprocess.run(attributes, cwd=REPOSITORY, input=files, capture_output=True, text=True, check=True)
    assert files
    assert {line.split(": ", 1)[1] for line in result.stdout.splitlines()} == {"text: set", "eol: lf"}
