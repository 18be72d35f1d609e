"""The files on a machine and those here: compared before anything runs, or sent there for one run."""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Mapping
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

_SENT_CODE = ("tasks/__init__.py", "tasks/console", "tasks/runner", "tasks/catalog", "tasks/postgres", "scripts/migrate.py")
"""What runs on a machine: the runner, and the rooms below it."""

_TIMEOUT_S = 60
_SHOWN = 5
"""How many versions a message names before it only counts them."""


def check_same_files(here: Mapping[str, str], there: FilesRead, *, environment: str) -> None:
    """Raise RefusedError when a machine holds other migrations than this checkout, with what to do about it."""
    remote = dict(zip(there.versions, there.checksums, strict=True))
    lacks = sorted(here.keys() - remote.keys())
    extra = sorted(remote.keys() - here.keys())
    differ = sorted(version for version in here.keys() & remote.keys() if here[version] != remote[version])
    problems, hints = [], []
    if lacks:
        problems.append(f"{environment}'s image lacks {_count(lacks, 'that you have')}")
        hints.append("Deploy first. Or, for a database that must change before the deploy: the same command with --upload.")
    if extra:
        problems.append(f"{environment}'s image has {_count(extra, 'that you lack')}")
        hints.append("Pull first.")
    if differ:
        problems.append(f"{environment}'s image has another text of {_count(differ, 'than you')}")
        hints.append("Check out the commit that is deployed, or deploy this one.")
    if problems:
        raise RefusedError("\n".join(problems), hint="\n".join(hints), state="Nothing was changed.")


def upload_checkout(connection: Connection, project: Path, migrations: Path, seeds: Path) -> str:
    """Send the runner, the migrations and the seeds of this checkout to a temporary folder there, and give the folder.

    Whoever runs something in it removes it. Raises RunnerError where it does not arrive.
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
    """Make a folder there that only we may enter."""
    made = _run(connection, "mktemp -d")
    folder = str(made.stdout).strip()
    if made.exited != 0 or not folder.startswith("/"):
        raise _refuse(str(made.stderr or ""))
    return folder


def _send(connection: Connection, folder: str, data: io.BytesIO) -> None:
    """Put the archive into the folder and unpack it."""
    try:
        connection.put(data, remote=f"{folder}/checkout.tar.gz")
    except (OSError, EOFError, SSHException) as error:
        raise _refuse(str(error)) from error
    unpacked = _run(connection, f"cd {shlex.quote(folder)} && tar -xzf checkout.tar.gz && rm checkout.tar.gz")
    if unpacked.exited != 0:
        raise _refuse(str(unpacked.stderr or ""))


def _run(connection: Connection, script: str) -> Any:
    """Run a short script there; raises RunnerError where the connection does not carry it."""
    try:
        return connection.run(wrap(script), hide=True, warn=True, in_stream=False, timeout=_TIMEOUT_S)
    except (OSError, EOFError, SSHException, Failure) as error:
        raise _refuse(f"the connection broke ({type(error).__name__})") from error


def _refuse(words: str) -> RunnerError:
    last = (words.strip().splitlines() or ["it said nothing"])[-1]
    return RunnerError(
        f"this checkout could not be sent to the machine: {last}",
        hint="Is its disk full (`df` there), or the network down? Deploy instead of --upload.",
        state="Nothing was changed.",
    )


def _pack(project: Path, migrations: Path, seeds: Path) -> io.BytesIO:
    """Pack what a run there needs."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        pack_code(archive, project)
        archive.add(migrations, arcname="migrations", filter=_leave_out_caches)
        if seeds.is_dir():
            archive.add(seeds, arcname="seeds", filter=_leave_out_caches)
    data.seek(0)
    return data


def pack_code(archive: tarfile.TarFile, project: Path) -> None:
    """Put the code that runs on a machine into an archive."""
    for name in _SENT_CODE:
        archive.add(project / name, arcname=name, filter=_leave_out_caches)


def _leave_out_caches(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if Path(member.name).name == "__pycache__" else member


def _count(versions: list[str], rest: str) -> str:
    named = ", ".join(versions[:_SHOWN]) + (", …" if len(versions) > _SHOWN else "")
    return f"{len(versions)} migration{'s' if len(versions) > 1 else ''} {rest}: {named}"
