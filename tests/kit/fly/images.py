"""What is on a machine's disk: the app as it was deployed, and a Python with the packages that the image has."""

import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tasks.remote.checkout import SENT_CODE
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

    @property
    def is_imported(self) -> bool:
        """Tell whether what runs here is forked from a process that has imported it."""
        return self.forked and self.packages == RUNNER_PACKAGES


def unpack_image(image: Image, machine: MachineFolder, files: Path) -> None:
    """Fill a machine's disk: the tool of this repository, and the migrations and seeds of a project folder."""
    for folder in ("bin", "home", "packages", "tmp"):
        (machine.disk / folder).mkdir(parents=True, exist_ok=True)
    if image.has_python:
        _write_python(image, machine)
    if image.has_app:
        machine.app.mkdir(exist_ok=True)
        unpack = ["tar", "-xf", "-", "-C", str(machine.app)]
        subprocess.run(unpack, input=_pack_code(compiled=not image.is_imported), check=True)
        copy_files(machine, files)


@cache
def _pack_code(*, compiled: bool) -> bytes:
    """Pack the code that runs on machines; with its `compiled` files for programs that begin from nothing.

    An image may hold more than that, and each file could be copied alone: for hundreds of machines, both take long.
    """
    left_out = "*.pyc.*" if compiled else "__pycache__"
    pack = ["tar", "-cf", "-", f"--exclude={left_out}", "-C", str(REPOSITORY), *SENT_CODE]
    return subprocess.run(pack, stdout=subprocess.PIPE, check=True).stdout


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
        if image.is_imported:
            relay = call_relay(serve_relays(), own_tool=True)
            text += f'case "$1" in *migrate.py) [ ! -e "$1" ] || exec {relay} "$@";; esac\n'
        program.write_text(f'{text}exec {shlex.quote(sys.executable)} -S "$@"\n')
        program.chmod(0o755)
