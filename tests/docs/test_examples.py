"""Each command that README.md and docs/getting-started.md show is run, and prints what they show."""

import re
from pathlib import Path

import pytest

from tasks.postgres.server.cluster import Cluster
from tests.docs.examples import PAGES, run_page
from tests.docs.normalising import Normaliser, is_same
from tests.docs.pages import Block, Example, FileText, read_blocks, read_inline_commands, read_steps, write_outputs
from tests.docs.sandbox import open_sandbox
from tests.kit.projects import REPOSITORY

SETUP = re.compile(r"\./scripts/(onboard|test)\.sh( +#.*)?|source \.venv/bin/activate( +#.*)?")
"""The commands that are not run: they make what a sandbox begins with."""
RUN = {"console"}
NOT_RUN = {"sql", "ini"}
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b|…")
EXIT_CODES = {
    "inv db.check-models": 2, "inv db.compat": 3, "inv db.lint": 4, "inv db.load": 3, "inv db.reset": 3,
    "inv db.restore staging.sql": 3,
}  # fmt: skip
"""The commands that do not end with 0: a database with tables is not loaded, and not replaced without a question; no queries
are recorded; no models are set; and a file has a finding."""

PAGE = """\
Text with `inv db.seed` in it.

```console
$ inv db.status
1 applied
$ true
```

<!-- file: up/*.sql -->
```sql
SELECT 1;
```
"""


def read_page(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


def list_commands(page: str) -> list[str]:
    return [step.command for step in read_steps(read_page(page)) if isinstance(step, Example)]


def list_other_commands() -> list[str]:
    """Return the commands in the text of the pages, but for those that are run as examples."""
    shown = {command for page in PAGES for command in list_commands(page)}
    named = dict.fromkeys(command for page in PAGES for command in read_inline_commands(read_page(page)))
    return [command for command in named if command not in shown and not PLACEHOLDER.search(command)]


@pytest.mark.timeout(1200)
def test_the_commands_of_the_pages_run_and_print_what_is_shown(short_path: Path, template: Cluster) -> None:
    diffs: list[str] = []
    failed: list[tuple[str, str]] = []
    with open_sandbox(short_path, template) as sandbox:
        for page in PAGES:
            diffs.append(run_page(REPOSITORY / page, sandbox).diff)
            sandbox.reset()
        for command in list_other_commands():
            result = sandbox.run_command(command)
            if result.returncode != EXIT_CODES.get(command, 0):
                failed.append((command, result.stdout + result.stderr))
    assert failed == []
    assert not any(diffs), "python -m tests.docs --write writes the real outputs:\n" + "\n".join(diffs)


@pytest.mark.parametrize("page", PAGES)
def test_only_the_set_up_commands_are_not_run(page: str) -> None:
    others = [block for block in read_blocks(read_page(page)) if block.language not in RUN | NOT_RUN]
    assert [line for block in others for line in block.lines if not SETUP.fullmatch(line)] == []


def test_a_page_is_read_as_steps() -> None:
    assert list(read_steps(PAGE)) == [
        Example("inv db.status", ("1 applied",), 4),
        Example("true", (), 6),
        FileText("up/*.sql", "SELECT 1;\n"),
    ]
    assert list(read_blocks(PAGE))[1] == Block("sql", ("SELECT 1;",), 11, "up/*.sql")
    assert read_inline_commands(PAGE) == ["inv db.seed"]


def test_outputs_are_written_in_place(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    first, second = (step for step in read_steps(PAGE) if isinstance(step, Example))
    write_outputs(path, [(first, ("2 applied", "1 pending")), (second, ("yes",))])
    assert path.read_text() == PAGE.replace("1 applied\n", "2 applied\n1 pending\n").replace("$ true\n", "$ true\nyes\n")


def test_a_block_that_is_not_closed_is_an_error() -> None:
    with pytest.raises(ValueError, match="the block of line 2 is not closed"):
        list(read_blocks("```console\n$ true\n"))


def test_times_and_ids_are_shown_as_examples_and_durations_are_not_compared() -> None:
    normaliser = Normaliser("/x/y", ["20250101000000_a"])
    output = (
        "run 0123abcd by ada at 2026-11-28 16:19:40.123 in /x/y\n20250101000000_a, 20261128162149_b, 20261128162150_c (14 ms)\n"
    )
    shown = normaliser.show(output)
    assert shown == (
        "run 5f0c1a7e by ada at 2025-12-01 09:30:00 in /home/ada/gaia",
        "20250101000000_a, 20251201093000_b, 20251201093100_c (14 ms)",
    )
    assert is_same(shown, [shown[0], shown[1].replace("14", "3")])
    assert not is_same(shown, [shown[0], shown[1].replace("_c", "_d")])
