"""A program that applies the proposal of the tests and then dies: `python -m tests.legacy.crash_worker FOLDER STEPS`.

It dies by SIGKILL, so that nothing is cleaned up; if the proposal has fewer steps, it ends normally.
"""

import os
import signal
import sys
from pathlib import Path

from tasks.legacy.apply import apply_proposal
from tasks.legacy.proposal import Placement, Proposal
from tasks.legacy.reading.files import OldFile
from tasks.legacy.reading.names import read_name

FILES = {
    "init.sql": "CREATE TABLE users (id int);\n",
    "migrations/001_users.sql": "-- Users\nCREATE TABLE IF NOT EXISTS users (\n    id int PRIMARY KEY,\n"
    "    email text UNIQUE NOT NULL,\n    name text,\n    created_at timestamp DEFAULT now()\n);\n",
    "migrations/002-roles.up.sql": "-- Migration: roles\n-- Description: roles\nCREATE TABLE roles ();",
    "migrations/002-roles.down.sql": "DROP TABLE roles;",
    "migrations/002_old_roles.sql": "CREATE TABLE old_roles ();",
    "migrations/20250601000000_last.sql": "CREATE TABLE last ();",
}
UNTRACKED = "migrations/003_new.sql"
SUPERSEDED = "002_old_roles"


def make_proposal(root: Path) -> Proposal:
    """Return the same proposal at each call, whichever files were moved already."""
    folder = root / "migrations"
    names = ["init", "migrations/001_users", "migrations/002-roles.up", "migrations/002_old_roles"]
    names += ["migrations/003_new", "migrations/20250601000000_last"]
    files = [
        OldFile(
            root / f"{name}.sql",
            read_name(Path(name).name),
            folder / "002-roles.down.sql" if name.endswith(".up") else None,
        )
        for name in names
    ]
    stamps = dict(zip(files, ("20250101", "20250102", "20250103", "", "20250104", ""), strict=True))
    versions = {file: f"{stamp}000000_{file.name.description}" if stamp else file.name.stem for file, stamp in stamps.items()}
    return Proposal(
        folder,
        tuple(
            Placement(file, reason="fails after 002-roles") if file.name.stem == SUPERSEDED else Placement(file, versions[file])
            for file in files
        ),
    )


def main(root: Path, steps: int) -> None:
    """Apply so many steps of the proposal, then die."""
    changes = apply_proposal(make_proposal(root))
    for _ in range(steps):
        if next(changes, None) is None:
            return
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
