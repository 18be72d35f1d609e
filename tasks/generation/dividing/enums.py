"""An enum that loses labels: its columns change to the new type at once, not to text and then to a type of the old name."""

from __future__ import annotations

import re
from dataclasses import replace

from tasks.lint.files import read_file
from tasks.lint.rewriting.texts import cut_file
from tasks.postgres.tokens import NAME
from tasks.rehearsal.model import RehearsedMigration

_TYPE = rf"{NAME}\.{NAME}"
_DROP = re.compile(rf"DROP TYPE (?P<type>{_TYPE})")
_CREATE = re.compile(rf"CREATE TYPE (?P<type>{_TYPE}) AS ENUM (?P<labels>.*)", re.DOTALL)
_TO_TEXT = re.compile(rf"(?P<column>ALTER TABLE {_TYPE} ALTER COLUMN {NAME}) TYPE text")
_FROM_TEXT = re.compile(rf"(?P<column>ALTER TABLE {_TYPE} ALTER COLUMN {NAME}) TYPE (?P<type>{_TYPE})(?:\[\])? USING .*")
_ABOUT = re.compile(rf"(?:DROP|CREATE|COMMENT ON) TYPE |ALTER TABLE {_TYPE} ALTER COLUMN {NAME} SET DEFAULT ")


def spare_text(proposed: RehearsedMigration) -> RehearsedMigration | None:
    """Return a migration in which a new enum takes the name of the old one after its columns have it; None if there is no such.

    None too if something else than columns has the type, which could not follow them. The down is not complete: it only has the
    statements that undo the renames.
    """
    file = read_file(proposed)
    texts = [statement.text for statement in file.statements]
    cut = cut_file(file.text, file.statements)
    dropped = [match["type"] for text in texts if (match := _DROP.fullmatch(text))]
    created = [match for text in texts if (match := _CREATE.fullmatch(text)) and match["type"] in dropped]
    if len(created) != 1:
        return None
    name = created[0]["type"]
    new = f'{name[:-1]}_new"' if name.endswith('"') else f"{name}_new"
    back = [match for text in texts if (match := _FROM_TEXT.fullmatch(text)) and match["type"] == name]
    columns = {match["column"] for match in back}
    forth = [text for text in texts if (match := _TO_TEXT.fullmatch(text)) and match["column"] in columns]
    others = [text for text in texts if name in text and not _ABOUT.match(text) and not _FROM_TEXT.fullmatch(text)]
    if not back or len(forth) != len(back) or others:
        return None
    parts: list[str] = [cut.header]
    for text, piece in zip(texts, cut.pieces, strict=True):
        if text == forth[0]:
            parts.append(f"CREATE TYPE {new} AS ENUM {created[0]['labels']};\n\n")
        match = _FROM_TEXT.fullmatch(text)
        if match and match["type"] == name:
            parts.append(piece.strip("\n").replace(name, new) + "\n\n")
            if match["column"] == back[-1]["column"]:
                parts.append(f"DROP TYPE {name};\n\nALTER TYPE {new} RENAME TO {_last(name)};\n\n")
        elif text not in forth and text != created[0][0] and text != f"DROP TYPE {name}":
            parts.append(piece.strip("\n") + "\n\n")
    headers = [line for line in (proposed.down or "").splitlines(keepends=True) if line.startswith("-- ")]
    down = f"{''.join(headers)}\nALTER TYPE {name} RENAME TO {_last(new)};\n"
    return replace(proposed, up="".join(parts), down=down)


def _last(name: str) -> str:
    match = re.fullmatch(rf"{NAME}\.({NAME})", name)
    return match[1] if match else name
