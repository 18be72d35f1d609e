"""What is on a machine's disk: the app as it was deployed, and a Python with the packages that the image has."""

import importlib.util
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.kit.fly.state import MachineFolder
from tests.kit.projects import REPOSITORY

RUNNER_PACKAGES = ("psycopg", "psycopg_binary", "pglast", "typing_extensions")
"""What the runner needs on a machine, and so what an image has: no Invoke, no Fabric, no rich."""

_ROOMS = ("tasks/runner", "tasks/catalog", "tasks/postgres")
_TOOL = ("scripts/migrate.py", "tasks/__init__.py")
"""What runs on a machine; an image may hold more, but copying it for each machine takes a tenth of the suite's time."""
_FILES = ("migrations", "seeds")


@dataclass(frozen=True)
class Image:
    """Say what an image consists of: with the app or without, with Python or without, and which packages."""

    has_app: bool = True
    has_python: bool = True
    packages: tuple[str, ...] = RUNNER_PACKAGES


def unpack_image(image: Image, machine: MachineFolder, files: Path) -> None:
    """Fill a machine's disk: the tool of this repository, and the migrations and seeds of a project folder."""
    for folder in ("bin", "home", "packages", "tmp"):
        (machine.disk / folder).mkdir(parents=True, exist_ok=True)
    if image.has_python:
        _write_python(image, machine)
    if image.has_app:
        for name in _ROOMS:
            # With the compiled files, for otherwise each new machine would compile the tool again.
            ignored = shutil.ignore_patterns("*.pyc.*")
            shutil.copytree(REPOSITORY / name, machine.app / name, ignore=ignored, dirs_exist_ok=True)
        for name in _TOOL:
            (machine.app / name).parent.mkdir(exist_ok=True)
            shutil.copy2(REPOSITORY / name, machine.app / name)
        copy_files(machine, files)


def copy_files(machine: MachineFolder, files: Path) -> None:
    """Put the migrations and seeds of a project folder in the place of those on the machine, as a deploy does."""
    for name in _FILES:
        shutil.rmtree(machine.app / name, ignore_errors=True)
        if (files / name).exists():
            shutil.copytree(files / name, machine.app / name)


def _write_python(image: Image, machine: MachineFolder) -> None:
    packages = machine.disk / "packages"
    for name in image.packages:
        for path in _find_package(name):
            (packages / path.name).symlink_to(path)
    for name in ("python", "python3"):
        program = machine.disk / "bin" / name
        # -S leaves out everything that is installed here.
        program.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(packages))} exec {shlex.quote(sys.executable)} -S "$@"\n')
        program.chmod(0o755)


def _find_package(name: str) -> list[Path]:
    """Return what belongs to a package in site-packages: its code, its metadata, its libraries."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return []
    code = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
    return [code, *code.parent.glob(f"{name}-*.dist-info"), *code.parent.glob(f"{name}.libs")]
