"""The files of a machine and of this checkout: compared before a run, or uploaded for one run."""

from __future__ import annotations

import io
import shlex
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Failure
from paramiko import SSHException

from tasks.fly.remote_commands import wrap
from tasks.runner.errors import RefusedError, RunnerError

if TYPE_CHECKING:
    from fabric import Connection

    from tasks.runner.events import FilesRead
    from tasks.runner.files.checkout import Migrations

_SENT_CODE = ("tasks/__init__.py", "tasks/console", "tasks/runner", "tasks/catalog", "tasks/postgres", "scripts/migrate.py")
"""What runs on a machine: the runner and the packages that it needs."""

_TIMEOUT_S = 60
_SHOWN = 5
"""How many versions a message names at most."""


def check_same_files(here: Migrations, there: FilesRead, *, environment: str) -> None:
    """Raise RefusedError if a machine has other migrations than this checkout, with the next step."""
    remote = dict(zip(there.versions, there.checksums, strict=True))
    versions = here.checksums.keys()
    lacks = sorted(versions - remote.keys())
    extra = sorted(remote.keys() - versions)
    differ = sorted(version for version in versions & remote.keys() if not here.matches(version, remote[version]))
    problems, hints = [], []
    if lacks:
        problems.append(f"{environment}'s image lacks {_count(lacks, 'that this checkout has')}")
        hints.append("Deploy first. If the database must change before the deploy: run the same command with --upload.")
    if extra:
        problems.append(f"{environment}'s image has {_count(extra, 'that this checkout lacks')}")
        hints.append("Run git pull first.")
    if differ:
        problems.append(f"{environment}'s image differs in {_count(differ, 'from this checkout')}")
        hints.append("Check out the commit that is deployed, or deploy this one.")
    if problems:
        raise RefusedError("\n".join(problems), hint="\n".join(hints), state="Nothing was changed.")


def upload_checkout(connection: Connection, project: Path, migrations: Path, seeds: Path) -> str:
    """Send the runner, the migrations and the seeds of this checkout to a temporary folder on the machine, and return it.

    The run in it removes it. Raises RunnerError if the upload fails.
    """
    data = _pack(project, migrations, seeds)
    folder = _make_folder(connection)
    try:
        _send(connection, folder, data)
    except BaseException:
        with suppress(Exception):
            _run(connection, f"rm -rf {shlex.quote(folder)}")
        raise
    return folder


def _make_folder(connection: Connection) -> str:
    """Create a private folder on the machine and return its path."""
    made = _run(connection, "mktemp -d")
    folder = str(made.stdout).strip()
    if made.exited != 0 or not folder.startswith("/"):
        raise _refuse(str(made.stderr or ""))
    return folder


def _send(connection: Connection, folder: str, data: io.BytesIO) -> None:
    """Send the archive to the folder and unpack it."""
    try:
        connection.put(data, remote=f"{folder}/checkout.tar.gz")
    except (OSError, EOFError, SSHException) as error:
        raise _refuse(str(error)) from error
    unpacked = _run(connection, f"cd {shlex.quote(folder)} && tar -xzf checkout.tar.gz && rm checkout.tar.gz")
    if unpacked.exited != 0:
        raise _refuse(str(unpacked.stderr or ""))


def _run(connection: Connection, script: str) -> Any:
    """Run a short script on the machine; raises RunnerError if the connection is lost."""
    try:
        return connection.run(wrap(script), hide=True, warn=True, in_stream=False, timeout=_TIMEOUT_S)
    except (OSError, EOFError, SSHException, Failure) as error:
        raise _refuse(f"the connection was lost ({type(error).__name__})") from error


def _refuse(words: str) -> RunnerError:
    last = (words.strip().splitlines() or ["no output"])[-1]
    return RunnerError(
        f"this checkout could not be uploaded to the machine: {last}",
        hint="Check the disk of the machine (df) and the network. Or deploy instead of --upload.",
        state="Nothing was changed.",
    )


def _pack(project: Path, migrations: Path, seeds: Path) -> io.BytesIO:
    """Return an archive of what a run on a machine needs."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        pack_code(archive, project)
        archive.add(migrations, arcname="migrations", filter=_leave_out_caches)
        if seeds.is_dir():
            archive.add(seeds, arcname="seeds", filter=_leave_out_caches)
    data.seek(0)
    return data


def pack_code(archive: tarfile.TarFile, project: Path) -> None:
    """Add the code that runs on a machine to an archive."""
    for name in _SENT_CODE:
        archive.add(project / name, arcname=name, filter=_leave_out_caches)


def _leave_out_caches(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if Path(member.name).name == "__pycache__" else member


def _count(versions: list[str], rest: str) -> str:
    named = ", ".join(versions[:_SHOWN]) + (", …" if len(versions) > _SHOWN else "")
    return f"{len(versions)} migration{'s' if len(versions) > 1 else ''} {rest}: {named}"
