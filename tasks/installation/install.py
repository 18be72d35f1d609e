"""Write the tool into another repository."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tasks.checkout.writing import refuse_links, write_file
from tasks.installation.names import (
    INSTALLED_SCRIPTS,
    OTHER_PACKAGE,
    OTHER_SCRIPTS,
    PACKAGE,
    REQUIREMENTS,
    SCRIPTS,
    InstalledNames,
    choose_names,
    rename,
)
from tasks.installation.plan import MANIFEST, InstallationPlan, InstalledFile, plan_installation, read_manifest, write_manifest
from tasks.runner import __version__
from tasks.runner.errors import RefusedError, UsageError

_RENAMED = frozenset({".py", ".sh"})
_NOT_INSTALLED = "installation"
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Installation:
    """What an installation has done, or would do."""

    target: Path
    names: InstalledNames
    plan: InstallationPlan
    number: int
    upgraded: bool


def install(source: Path, target: Path, *, overwrite: bool = False, dry_run: bool = False) -> Installation:
    """Write the tool of the checkout `source` into the folder `target`, or upgrade it there.

    What the repository has of its own is not changed. Raises UsageError for a folder that cannot be a target, and RefusedError if
    another file is in the way, or if installed files were edited, unless they are to `overwrite`; then nothing was changed.
    """
    _check_target(source, target)
    names, recorded = _find_installed(target)
    upgraded = names is not None
    names = names or choose_names(_list_taken(target))
    files = {names.place(path): _read(source / path, names) for path in _list_source(source)}
    present = _digest({*files, *recorded}, target)
    plan = plan_installation(files, present, recorded)
    _refuse(plan, overwrite=overwrite)
    if not dry_run:
        _write(target, names, files, recorded, plan)
    return Installation(target, names, plan, len(files), upgraded)


def _check_target(source: Path, target: Path) -> None:
    if not target.is_dir():
        raise UsageError(f"there is no folder {target}", hint="Name the folder of an existing repository.")
    here, there = source.resolve(), target.resolve()
    if here == there or here in there.parents:
        raise UsageError(f"{target} is in the checkout of this tool", hint="Name the folder of another repository.")


def _find_installed(target: Path) -> tuple[InstalledNames | None, dict[str, frozenset[str]]]:
    """Return the names and the recorded files of an earlier installation."""
    for package in (PACKAGE, OTHER_PACKAGE):
        try:
            text = (target / package / MANIFEST).read_text()
        except (FileNotFoundError, NotADirectoryError):
            continue
        for scripts in (OTHER_SCRIPTS, SCRIPTS):
            names = InstalledNames(package, scripts)
            recorded = read_manifest(text, names)
            if f"{scripts}/{INSTALLED_SCRIPTS[0]}" in recorded:
                return names, recorded
    return None, {}


def _list_taken(target: Path) -> list[str]:
    paths = (PACKAGE, f"{PACKAGE}.py", *(f"{SCRIPTS}/{name}" for name in INSTALLED_SCRIPTS))
    return [path for path in paths if os.path.lexists(target / path)]


def _list_source(source: Path) -> list[str]:
    package = [
        path.relative_to(source).as_posix()
        for path in (source / PACKAGE).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.relative_to(source).parts[1] != _NOT_INSTALLED
    ]
    return [*package, f"{PACKAGE}.py", *(f"{SCRIPTS}/{name}" for name in INSTALLED_SCRIPTS), *REQUIREMENTS]


def _read(path: Path, names: InstalledNames) -> InstalledFile:
    data = path.read_bytes()
    if path.suffix in _RENAMED:
        data = rename(data.decode(), names).encode()
    return InstalledFile(data, os.access(path, os.X_OK))


def _digest(paths: Iterable[str], target: Path) -> dict[str, str]:
    """Return the SHA-256 of each file that exists; "" of what is no regular file, or is reached through a link."""
    digests = {}
    for path in paths:
        file = target / path
        if not os.path.lexists(file):
            continue
        linked = any(each.is_symlink() for each in (file, *file.parents) if target in each.parents)
        digests[path] = "" if linked or not file.is_file() else hashlib.sha256(file.read_bytes()).hexdigest()
    return digests


def _refuse(plan: InstallationPlan, *, overwrite: bool) -> None:
    if plan.taken:
        raise RefusedError(
            f"the repository has other files of these names:\n{_name(plan.taken)}",
            hint="Rename or remove them, then run this again.",
            state="Nothing was changed.",
        )
    if plan.edited and not overwrite:
        raise RefusedError(
            f"these files were edited since they were installed:\n{_name(plan.edited)}",
            hint="Move the changes elsewhere, or discard them: --overwrite",
            state="Nothing was changed.",
        )


def _name(paths: tuple[str, ...]) -> str:
    more = [f"  and {len(paths) - _SHOWN} more"] if len(paths) > _SHOWN else []
    return "\n".join([*(f"  {path}" for path in paths[:_SHOWN]), *more])


def _write(
    target: Path,
    names: InstalledNames,
    files: Mapping[str, InstalledFile],
    recorded: Mapping[str, frozenset[str]],
    plan: InstallationPlan,
) -> None:
    """Write and remove the files. The manifest comes first, so that a run after an interruption knows all files as its own."""
    manifest = target / names.package / MANIFEST
    refuse_links([target / path for path in (*plan.written, *plan.removed)], within=target)
    manifest.parent.mkdir(exist_ok=True)
    write_file(manifest, write_manifest(files, recorded, __version__).encode(), within=target)
    for path in plan.written:
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        write_file(file, files[path].data, within=target, mode=0o755 if files[path].executable else 0o644)
    for path in plan.removed:
        (target / path).unlink()
        with suppress(OSError):
            (target / path).parent.rmdir()
    write_file(manifest, write_manifest(files, {}, __version__).encode(), within=target)
