"""The disk of a machine: the deployed app, and a Python with the packages of the image."""

import io
import shlex
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tasks.fly.upload import pack_code
from tests.kit.fly.packages import RUNNER_PACKAGES, find_packages
from tests.kit.fly.relays import call_relay
from tests.kit.fly.state import MachineFolder
from tests.kit.projects import REPOSITORY

_FILES = ("migrations", "seeds")


@dataclass(frozen=True)
class Image:
    """The content of an image: with or without the app, with or without Python, and its packages.

    If a test stops the process of the runner itself, the runner must not be `forked`: its command line is that of a relay then.
    """

    has_app: bool = True
    has_python: bool = True
    packages: tuple[str, ...] = RUNNER_PACKAGES
    forked: bool = True


def unpack_image(image: Image, machine: MachineFolder, files: Path) -> None:
    """Fill a machine's disk: the tool of this repository, and the migrations and seeds of a project folder."""
    for folder in ("bin", "home", "packages", "tmp"):
        (machine.disk / folder).mkdir(parents=True, exist_ok=True)
    if image.has_python:
        _write_python(image, machine)
    if image.has_app:
        machine.app.mkdir(exist_ok=True)
        unpack = ["tar", "-xf", "-", "-C", str(machine.app)]
        subprocess.run(unpack, input=_pack_code(), check=True)
        copy_files(machine, files)


@cache
def _pack_code() -> bytes:
    """Return an archive of the code that runs on machines, with the compiled files: each machine would compile it otherwise."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        pack_code(archive, REPOSITORY)
        folders = {(REPOSITORY / member.name).parent for member in archive.getmembers()}
        for cache_folder in [folder / "__pycache__" for folder in folders]:
            for path in cache_folder.glob("*.pyc"):
                archive.add(path, arcname=str(path.relative_to(REPOSITORY)))
    return data.getvalue()


def copy_files(machine: MachineFolder, files: Path) -> None:
    """Replace the migrations and seeds on the machine by those of a project folder, as a deploy does."""
    for name in _FILES:
        shutil.rmtree(machine.app / name, ignore_errors=True)
        if (files / name).exists():
            shutil.copytree(files / name, machine.app / name)


def _write_python(image: Image, machine: MachineFolder) -> None:
    packages = machine.disk / "packages"
    for path in find_packages(image.packages):
        (packages / path.name).symlink_to(path)
    for name in ("python", "python3"):
        program = machine.disk / "bin" / name
        # -S leaves out the packages that are installed on this computer.
        python = f'export PYTHONPATH={shlex.quote(str(packages))}\nexec {shlex.quote(sys.executable)} -S "$@"'
        relay = ""
        if image.forked and image.packages == RUNNER_PACKAGES:
            relay = f'case "$1" in *migrate.py) [ ! -e "$1" ] || exec {call_relay(own_tool=True)} "$@";; esac\n'
        program.write_text(f"#!/bin/sh\n{relay}{python}\n")
        program.chmod(0o755)
