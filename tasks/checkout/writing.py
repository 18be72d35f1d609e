"""Write the files of a checkout."""

from __future__ import annotations

from pathlib import Path


def write_file(path: Path, data: bytes) -> None:
    """Write a file atomically, so that it is never seen half written; an existing file keeps its permissions."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(data)
    if path.exists():
        temporary.chmod(path.stat().st_mode & 0o7777)
    temporary.replace(path)
