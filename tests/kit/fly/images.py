"""What is on a machine's disk: the app as it was deployed, and a Python with the packages that the image has."""

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
from tests.kit.fly.relays import call_relay, serve_relays
from tests.kit.fly.state import MachineFolder
from tests.kit.projects import REPOSITORY

_FILES = ("migrations", "seeds")


@dataclass(frozen=True)
class Image:
    """Say what an image consists of: with the app or without, with Python or without, and which packages.

    Where a test stops the runner's process itself, it must not be `forked`: what bears its command line is a relay then.
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
    """Pack the code that runs on machines; an image may hold more, but for hundreds of machines that takes long."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        pack_code(archive, REPOSITORY)
    return data.getvalue()


def copy_files(machine: MachineFolder, files: Path) -> None:
    """Put the migrations and seeds of a project folder in the place of those on the machine, as a deploy does."""
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
        # -S leaves out everything that is installed here.
        text = f"#!/bin/sh\nexport PYTHONPATH={shlex.quote(str(packages))}\n"
        if image.forked and image.packages == RUNNER_PACKAGES:
            relay = call_relay(serve_relays(), own_tool=True)
            text += f'case "$1" in *migrate.py) [ ! -e "$1" ] || exec {relay} "$@";; esac\n'
        program.write_text(f'{text}exec {shlex.quote(sys.executable)} -S "$@"\n')
        program.chmod(0o755)
