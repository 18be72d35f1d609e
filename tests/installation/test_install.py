"""The tool in another repository that has all its names already."""

import io
import os
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tasks.installation.install import Installation, install
from tasks.installation.names import REQUIREMENTS, InstalledNames
from tasks.installation.plan import MANIFEST
from tasks.runner.errors import RefusedError, UsageError
from tests.kit.databases import Database
from tests.kit.projects import REPOSITORY

OWN = {
    "tasks/__init__.py": "from celery import shared_task\n",
    "tasks/mail.py": "def send(): ...\n",
    "scripts/deploy.sh": "echo deploy the shop\n",
    "scripts/venv.sh": "echo another venv\n",
    "requirements.txt": "flask==3.1.0\n",
    "requirements.lock": "flask==3.1.0\n",
    "pyproject.toml": '[project]\nname = "shop"\n',
    ".venv/bin/inv": "the shop's own\n",
}
VERSION = "20250101000000_create_orders"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a repository of an application that has files with the names of the tool."""
    root = tmp_path / "a shop"
    for path, text in OWN.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    for folder, text in {"up": "CREATE TABLE orders (id int PRIMARY KEY);", "down": "DROP TABLE orders;"}.items():
        (root / "migrations" / folder).mkdir(parents=True)
        (root / "migrations" / folder / f"{VERSION}.sql").write_text(text)
    return root


def install_here(root: Path, *, overwrite: bool = False, dry_run: bool = False) -> Installation:
    """Install the tool of this checkout."""
    return install(REPOSITORY, root, overwrite=overwrite, dry_run=dry_run)


def read_files(root: Path) -> dict[str, bytes]:
    """Return all files of a folder."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def run(root: Path, *command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in a repository, and fail unless it succeeds."""
    clean = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(root), "LC_ALL": "C.UTF-8", "WATCH_DRIFT": "off"}
    result = subprocess.run(command, cwd=root, env=clean | variables, capture_output=True, text=True, check=False)
    assert result.returncode == 0, (result.stdout, result.stderr)
    return result


def make_venv(root: Path) -> None:
    """Make a stand-in for the virtual environment that the scripts create."""
    programs = root / ".venv-migrations" / "bin"
    programs.mkdir(parents=True)
    for name, words in (("python", []), ("invoke", ["-m", "invoke"])):
        (programs / name).write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, *words])} "$@"\n')
        (programs / name).chmod(0o755)
    (programs / "inv").touch(0o755)
    describe = "describe_venv requirements-migrations.lock >.venv-migrations/.made-from"
    run(root, "bash", "-c", f"source migrations_scripts/venv.sh && point_inv && {describe}")


def test_the_files_of_the_repository_are_not_changed(shop: Path) -> None:
    before = read_files(shop)
    installed = install_here(shop)
    assert installed.names == InstalledNames("migrations_tool", "migrations_scripts")
    after = read_files(shop)
    assert before.items() <= after.items()
    assert {path.split("/")[0] for path in after.keys() - before.keys()} == {
        "migrations_tool",
        "migrations_tool_tasks.py",
        "migrations_scripts",
        *REQUIREMENTS.values(),
    }


def test_the_installed_tool_migrates_and_rolls_back(shop: Path, database: Database) -> None:
    install_here(shop)
    make_venv(shop)
    result = run(shop, "./migrations_scripts/onboard.sh", DATABASE_URL=database.url)
    assert f"✅ Applied {VERSION}" in result.stdout
    assert "source .venv-migrations/bin/activate" in result.stdout
    assert "test.sh" not in result.stdout
    result = run(shop, ".venv-migrations/bin/inv", "db.rollback", "--yes", DATABASE_URL=database.url)
    assert f"Rolled back {VERSION}" in result.stdout
    result = run(shop, sys.executable, "migrations_scripts/migrate.py", DATABASE_URL=database.url)
    assert f"✅ Applied {VERSION}" in result.stdout


def test_the_code_that_is_uploaded_runs_alone(shop: Path, tmp_path: Path, database: Database) -> None:
    install_here(shop)
    pack = """
import io, sys, tarfile
from pathlib import Path
from migrations_tool.fly.upload import pack_code
data = io.BytesIO()
with tarfile.open(fileobj=data, mode="w") as archive:
    pack_code(archive, Path.cwd())
sys.stdout.buffer.write(data.getvalue())
"""
    sent = subprocess.run([sys.executable, "-c", pack], cwd=shop, capture_output=True, check=True).stdout
    machine = tmp_path / "machine"
    with tarfile.open(fileobj=io.BytesIO(sent)) as archive:
        archive.extractall(machine, filter="data")
    assert {path.name for path in machine.iterdir()} == {"migrations_tool", "migrations_scripts"}
    (machine / "migrations" / "up").mkdir(parents=True)
    run(machine, sys.executable, "migrations_scripts/migrate.py", "status", DATABASE_URL=database.url)


def test_no_file_of_the_tool_refers_to_the_package_of_the_repository(shop: Path) -> None:
    install_here(shop)
    pattern = r"(^|[^A-Za-z_./-])((from|import) tasks\b|tasks[./][a-z_]|tasks\.py|scripts/(migrate|onboard|venv|deploy))"
    found = subprocess.run(
        [
            "grep",
            "-rnE",
            pattern,
            "migrations_tool",
            "migrations_scripts",
            "migrations_tool_tasks.py",
            "--include=*.py",
            "--include=*.sh",
        ],
        cwd=shop,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""


def test_a_second_installation_changes_nothing(shop: Path) -> None:
    install_here(shop)
    before = read_files(shop)
    second = install_here(shop)
    assert (second.upgraded, second.plan.written, second.plan.removed) == (True, (), ())
    assert read_files(shop) == before


def test_an_upgrade_replaces_files_and_removes_those_that_are_no_more(shop: Path) -> None:
    install_here(shop)
    expected = read_files(shop)
    # An older version had another text of one file, lacked one, and had one more.
    older = {"migrations_tool/db.py": b"older\n", "migrations_tool/old/gone.py": b"gone\n"}
    for path, data in older.items():
        (shop / path).parent.mkdir(exist_ok=True)
        (shop / path).write_bytes(data)
    (shop / "migrations_tool/env.py").unlink()
    manifest = shop / "migrations_tool" / MANIFEST
    lines = [line for line in manifest.read_text().splitlines() if not line.endswith(("/db.py", "/env.py"))]
    digests = run(shop, "sha256sum", *older).stdout
    manifest.write_text("\n".join(lines) + "\n" + digests)
    upgraded = install_here(shop)
    assert upgraded.plan.written == ("migrations_tool/db.py", "migrations_tool/env.py")
    assert upgraded.plan.removed == ("migrations_tool/old/gone.py",)
    assert read_files(shop) == expected


def test_an_installed_file_that_was_edited_is_kept_unless_it_is_to_be_overwritten(shop: Path) -> None:
    install_here(shop)
    edited = shop / "migrations_tool/db.py"
    text = edited.read_text()
    edited.write_text(text + "# edited\n")
    before = read_files(shop)
    with pytest.raises(RefusedError, match=r"these files were edited since they were installed:\n  migrations_tool/db\.py"):
        install_here(shop)
    assert read_files(shop) == before
    install_here(shop, overwrite=True)
    assert edited.read_text() == text


def test_an_upgrade_that_was_interrupted_is_completed(shop: Path) -> None:
    install_here(shop)
    expected = read_files(shop)
    # The manifest is written first, with the new and the old texts; then one file was replaced, and one was not.
    (shop / "migrations_tool/db.py").write_text("older\n")
    manifest = shop / "migrations_tool" / MANIFEST
    manifest.write_text(manifest.read_text() + run(shop, "sha256sum", "migrations_tool/db.py").stdout)
    (shop / "migrations_tool/env.py").unlink()
    assert install_here(shop).plan.written == ("migrations_tool/db.py", "migrations_tool/env.py")
    assert read_files(shop) == expected


def test_another_file_in_the_way_is_refused(shop: Path) -> None:
    (shop / "requirements-migrations.txt").write_text("mine\n")
    before = read_files(shop)
    with pytest.raises(RefusedError, match=r"the repository has other files of these names:\n  requirements-migrations\.txt"):
        install_here(shop)
    assert read_files(shop) == before


def test_nothing_is_written_through_a_link(shop: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (shop / "migrations_tool").symlink_to(elsewhere)
    with pytest.raises(RefusedError):
        install_here(shop)
    assert list(elsewhere.iterdir()) == []


def test_a_forged_manifest_removes_nothing_of_the_repository(shop: Path) -> None:
    install_here(shop)
    manifest = shop / "migrations_tool" / MANIFEST
    digests = run(shop, "sha256sum", "requirements.txt", "tasks/mail.py", "migrations_tool/../pyproject.toml").stdout
    manifest.write_text(manifest.read_text() + digests)
    assert install_here(shop).plan.removed == ()
    assert {path: (shop / path).read_text() for path in OWN} == OWN


def test_a_dry_run_writes_nothing(shop: Path) -> None:
    before = read_files(shop)
    assert install_here(shop, dry_run=True).plan.written
    assert read_files(shop) == before


@pytest.mark.parametrize("path", ["missing", "."])
def test_a_folder_that_cannot_be_a_target_is_wrong_usage(tmp_path: Path, path: str) -> None:
    with pytest.raises(UsageError):
        install_here(tmp_path / path if path == "missing" else REPOSITORY / "docs")


def test_an_empty_repository_gets_the_usual_names(tmp_path: Path) -> None:
    assert install_here(tmp_path).names == InstalledNames()
    assert (tmp_path / "tasks.py").read_bytes() == (REPOSITORY / "tasks.py").read_bytes()


def test_the_script_takes_a_path_relative_to_the_folder_that_it_is_called_from(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    command = [sys.executable, "-m", "tasks.installation", f"--relative-to={tmp_path}", "shop"]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert f"cd {tmp_path / 'shop'}\n   ./scripts/onboard.sh" in result.stdout
