"""The texts of the files of a safe migration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.generation.dividing.drafts import FileDraft
from tasks.lint.files import read_file
from tasks.rehearsal.model import RehearsedMigration

AFTER_DEPLOY = "-- migrate: after-deploy\n"
_NO_TRANSACTION = "-- migrate: no-transaction\n"
_HEADER = re.compile(r"-- (?:Migration|Description): ")


@dataclass(frozen=True, slots=True)
class MigrationFile:
    """The complete texts of a file, up and down; `words` describe it."""

    words: str
    up: str
    down: str
    replaces: frozenset[int] = frozenset()
    """The numbers of the statements of whose safe forms it is a part."""


def write_files(header: str, down: str, drafts: Sequence[FileDraft]) -> list[MigrationFile]:
    """Return the texts of files, of which the first has the header of the whole migration, and that of its down."""
    lines = [line for line in down.splitlines(keepends=True) if _HEADER.match(line)]
    return [_write(draft, *((header, "".join(lines)) if number == 0 else ("", ""))) for number, draft in enumerate(drafts)]


def _write(draft: FileDraft, header: str, down_header: str) -> MigrationFile:
    words = " ".join(f"{draft.words[:1].upper()}{draft.words[1:]}".split())  # Names may contain line ends.
    several = draft.separate and len(read_file(RehearsedMigration("file", draft.up)).statements) > 1
    directives = (AFTER_DEPLOY if draft.after_deploy else "") + (_NO_TRANSACTION if several else "")
    down_directive = _NO_TRANSACTION if draft.separate_down else ""
    return MigrationFile(
        draft.words,
        f"{header.rstrip() or f'-- Description: {words}'}\n{directives}\n{draft.up.strip()}\n",
        f"{down_header.rstrip() or f'-- Description: Undo: {words}'}\n{down_directive}\n{draft.down.strip()}\n",
        draft.replaces,
    )
