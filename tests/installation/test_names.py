"""The names of the tool in another repository."""

import pytest

from tasks.installation.names import InstalledNames, choose_names, rename

OTHER = InstalledNames("migrations_tool", "migrations_scripts")


@pytest.mark.parametrize(
    ("taken", "names"),
    [
        ((), InstalledNames()),
        (("tasks",), InstalledNames("migrations_tool", "scripts")),
        (("tasks.py",), InstalledNames("migrations_tool", "scripts")),
        (("scripts/deploy.sh",), InstalledNames("tasks", "migrations_scripts")),
        (("tasks", "tasks.py", "scripts/venv.sh"), OTHER),
    ],
)
def test_a_name_that_is_taken_is_replaced(taken: tuple[str, ...], names: InstalledNames) -> None:
    assert choose_names(taken) == names


@pytest.mark.parametrize(
    ("line", "renamed"),
    [
        ("from tasks import db", "from migrations_tool import db"),
        ("    from tasks.runner.errors import RunnerError", "    from migrations_tool.runner.errors import RunnerError"),
        ("import tasks.runner", "import migrations_tool.runner"),
        ("from invoke.tasks import task", "from invoke.tasks import task"),
        ('PARTS = ("scripts/migrate.py", "tasks/runner")', 'PARTS = ("migrations_scripts/migrate.py", "migrations_tool/runner")'),
        ("COPY tasks tasks/  and likewise scripts", "COPY migrations_tool migrations_tool/  and likewise migrations_scripts"),
        ("see tasks.py", "see migrations_tool_tasks.py"),
        ("python -m tasks.rehearsal.worker", "python -m migrations_tool.rehearsal.worker"),
        ("the tasks. They", "the tasks. They"),
        ("Run ./scripts/onboard.sh", "Run ./migrations_scripts/onboard.sh"),
        ("default: scripts/ beside it", "default: scripts/ beside it"),
        ("entry=tasks", "entry=migrations_tool_tasks"),
        ("rm -rf .venv", "rm -rf .venv-migrations"),
        ("locks=(requirements.lock)", "locks=(requirements-migrations.lock)"),
        ("COPY requirements.txt ./", "COPY requirements-migrations.txt ./"),
    ],
)
def test_the_text_of_a_file_gets_the_other_names(line: str, renamed: str) -> None:
    assert rename(line, OTHER) == renamed


@pytest.mark.parametrize(
    "path", ["../x", "migrations_tool/../../x", "/etc/passwd", "app.py", "migrations_tool//x", "requirements.txt"]
)
def test_a_path_outside_of_the_tool_is_none_of_its_files(path: str) -> None:
    assert not OTHER.owns(path)
