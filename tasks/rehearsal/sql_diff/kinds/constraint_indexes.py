"""The storage parameters and the tablespace of the index of a constraint, which ADD CONSTRAINT does not write.

https://www.postgresql.org/docs/current/sql-alterindex.html
"""

from __future__ import annotations

import re
from collections.abc import Collection

from tasks.catalog import Key
from tasks.rehearsal.sql_diff.names import CHAIN, last_part

_SETTINGS = re.compile(r" WITH \((?P<settings>[^()]*)\)")
_TABLESPACE = re.compile(rf" TABLESPACE (?P<tablespace>{CHAIN})$")


def find_constraint(key: Key, objects: Collection[Key]) -> Key | None:
    """Return the constraint to which an index belongs, or None."""
    constraint = Key("constraint", last_part(key.name), key.parent)
    return constraint if key.kind == "index" and constraint in objects else None


def set_parameters(key: Key, definition: str) -> list[str]:
    """Return the statements for what the definition of an index has beyond that of the constraint."""
    settings, tablespace = _SETTINGS.search(definition), _TABLESPACE.search(definition)
    return [
        *([f"ALTER INDEX {key.name} SET ({settings['settings']})"] if settings else []),
        *([f"ALTER INDEX {key.name} SET TABLESPACE {tablespace['tablespace']}"] if tablespace else []),
    ]


def reset_parameters(key: Key, definition: str) -> list[str]:
    """Return the statements that take that away."""
    settings = _SETTINGS.search(definition)
    names = ", ".join(setting.partition("=")[0] for setting in settings["settings"].split(", ")) if settings else ""
    return [
        *([f"ALTER INDEX {key.name} RESET ({names})"] if names else []),
        *([f"ALTER INDEX {key.name} SET TABLESPACE pg_default"] if _TABLESPACE.search(definition) else []),
    ]
