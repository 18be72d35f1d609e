"""The files of a machine and of this checkout: compared before a run, or uploaded for one run."""

from __future__ import annotations

import io
import os
import re
import shlex
import stat
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Failure
from paramiko import SSHException

from tasks.checkout.writing import refuse_links
from tasks.fly.remote_commands import wrap
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.files.checkout import read_migrations
from tasks.runner.files.schema_file import NAME
from tasks.runner.files.seeds import read_seed_files
from tasks.runner.ledger.renames import RENAMES_FILE

if TYPE_CHECKING:
    from fabric import Connection

    from tasks.runner.events import FilesRead
    from tasks.runner.files.checkout import Migrations

_SENT_CODE = ("tasks/__init__.py", "tasks/console", "tasks/runner", "tasks/catalog", "tasks/postgres", "scripts/migrate.py")
"""What runs on a machine: the runner and the packages that it needs."""

_KEPT_CODE = "tasks/postgres/server"
"""What stays here: the embedded server."""
_CODE = frozenset({".py", ".sql"})
_BESIDE_FOLDERS = (RENAMES_FILE, NAME)
"""The files of a migrations folder that a run reads, other than the migrations."""
_FILE_MODE, _FOLDER_MODE = 0o644, 0o755
_FOLDER = re.compile(r"/[^/\n]+(?:/[^/\n]+)*")
"""What `mktemp -d` prints. The folder is removed after the run, so it must not be the root."""
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


def upload_checkout(connection: Connection, project: Path, migrations: Path, seeds: Path, environment: str) -> str:
    """Send the runner, and this checkout's migrations and seeds for an environment, to a temporary folder, and return it.

    The run in it removes it. Raises RunnerError if the upload fails.
    """
    data = _pack(project, migrations, seeds, environment)
    folder = _make_folder(connection)
    try:
        _send(connection, folder, data)
    except BaseException:
        remove_upload(connection, folder)
        raise
    return folder


def remove_upload(connection: Connection, folder: str) -> None:
    """Remove an uploaded folder that no run removes, if the connection still allows it."""
    with suppress(Exception):
        _run(connection, f"rm -rf {shlex.quote(folder)}")


def _make_folder(connection: Connection) -> str:
    """Create a private folder on the machine and return its path."""
    made = _run(connection, "mktemp -d")
    folder = str(made.stdout).strip()
    if made.exited != 0 or not _FOLDER.fullmatch(folder):
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


def _pack(project: Path, migrations: Path, seeds: Path, environment: str) -> io.BytesIO:
    """Return an archive of what a run on a machine needs, and of nothing else that lies in the folders.

    Raises FilesError for migrations or seeds that cannot be used, and RefusedError for one that is a link.
    """
    read = read_migrations(migrations)
    paths = [read.up_path(version) for version in read.checksums]
    paths += [read.down_path(version) for version in sorted(read.downs)]
    paths += [path for name in _BESIDE_FOLDERS if os.path.lexists(path := migrations / name)]
    refuse_links(paths, migrations, done="sent")
    seed_files = read_seed_files(seeds, environment)
    refuse_links([seed.path for seed in seed_files], seeds, done="sent")
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        pack_code(archive, project)
        folders = ("migrations",) if read.flat else ("migrations", "migrations/up", "migrations/down")
        for folder in (*folders, "seeds", *sorted({f"seeds/{seed.environment}" for seed in seed_files if seed.environment})):
            _add_folder(archive, folder)
        for path in paths:
            _add_file(archive, path, f"migrations/{path.relative_to(migrations)}")
        for seed in seed_files:
            _add_file(archive, seed.path, f"seeds/{seed.path.relative_to(seeds)}")
    data.seek(0)
    return data


def pack_code(archive: tarfile.TarFile, project: Path) -> None:
    """Add the code that runs on a machine to an archive: regular `.py` and `.sql` files, none through a link."""
    for name in _SENT_CODE:
        for path in _list_code(project / name, project / _KEPT_CODE):
            _add_file(archive, path, str(path.relative_to(project)))


def _list_code(path: Path, kept: Path) -> Iterator[Path]:
    """Yield the files of the code in a folder, or a file of its own."""
    if path == kept or path.is_symlink() or path.name.startswith("."):
        return
    if path.is_dir():
        for each in sorted(path.iterdir()):
            yield from _list_code(each, kept)
    elif path.suffix in _CODE:
        yield path


def _add_file(archive: tarfile.TarFile, path: Path, name: str) -> None:
    """Add a regular file, without its owner and its permissions."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = status.st_size, int(status.st_mtime), _FILE_MODE
            archive.addfile(member, file)


def _add_folder(archive: tarfile.TarFile, name: str) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, _FOLDER_MODE
    archive.addfile(member)


def _count(versions: list[str], rest: str) -> str:
    named = ", ".join(versions[:_SHOWN]) + (", …" if len(versions) > _SHOWN else "")
    return f"{len(versions)} migration{'s' if len(versions) > 1 else ''} {rest}: {named}"
