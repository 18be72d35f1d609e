"""Annotations on the lines of a pull request: GitHub shows a workflow command of a job's log beside the line that it names.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.console.cells import clean_lines
from tasks.console.streams import is_github_job
from tasks.runner.events import ErrorRaised
from tasks.runner.files.versions import VERSION_PATTERN, path_of

Level = Literal["error", "warning", "notice"]

_IN_MESSAGES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTIES = _IN_MESSAGES | str.maketrans({":": "%3A", ",": "%2C"})


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark on a line of a file; without a file, on the job. Lines count from 1, and 0 means unknown."""

    level: Level
    title: str
    message: str
    file: Path | None = None
    line: int = 0


def find_file(folder: Path, version: str, direction: str = "up") -> Path | None:
    """Return the file of a version in a migrations folder: the one of the direction, else the other; None if it has neither."""
    if not VERSION_PATTERN.fullmatch(version):
        return None
    places = (folder / direction, folder / "up", folder / "down", folder)
    return next((path for path in (path_of(place, version) for place in places) if path.is_file()), None)


def annotate_error(error: ErrorRaised) -> Annotation:
    """Return the annotation for an error that ended a command."""
    path = Path(error.file) if error.file else None
    message = "\n".join(filter(None, (error.message, error.state, error.hint)))
    return Annotation("error", "migrations", message, path if path and path.is_file() else None, error.line)


def format_annotation(annotation: Annotation, root: Path) -> str:
    """Return the workflow command for an annotation; its file is relative to the root of the repository.

    Texts of a pull request or of a database cannot end the command, add properties, or begin another command.
    """
    properties = {"title": annotation.title}
    path = annotation.file.resolve() if annotation.file else None
    if path is not None and path.is_relative_to(root.resolve()):
        properties = {"file": path.relative_to(root.resolve()).as_posix(), "line": str(annotation.line or 1), **properties}
    written = ",".join(f"{name}={value.translate(_IN_PROPERTIES)}" for name, value in properties.items())
    message = "\n".join(clean_lines(annotation.message)).translate(_IN_MESSAGES)
    return f"::{annotation.level} {written}::{message}"


def print_annotations(annotations: Iterable[Annotation], environ: Mapping[str, str] = os.environ) -> None:
    """Print annotations on stderr in a job of GitHub Actions, where stdout is for people or for JSON; elsewhere nothing."""
    if not is_github_job(environ):
        return
    root = Path(environ.get("GITHUB_WORKSPACE") or Path.cwd())
    for annotation in annotations:
        print(format_annotation(annotation, root), file=sys.stderr)
