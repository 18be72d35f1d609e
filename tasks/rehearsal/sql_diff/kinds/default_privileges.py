"""The privileges that new objects get from ALTER DEFAULT PRIVILEGES, and the statements that correct them.

https://www.postgresql.org/docs/current/sql-alterdefaultprivileges.html
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from tasks.catalog import Key
from tasks.rehearsal.sql_diff.creating import name_owner
from tasks.rehearsal.sql_diff.kinds.sequences import name_identity
from tasks.rehearsal.sql_diff.shapes import parse_column

_TARGETS = {
    "table": ("TABLES", "TABLE"),
    "foreign table": ("TABLES", "TABLE"),
    "view": ("TABLES", "TABLE"),
    "materialized view": ("TABLES", "TABLE"),
    "sequence": ("SEQUENCES", "SEQUENCE"),
    "function": ("FUNCTIONS", "FUNCTION"),
    "procedure": ("FUNCTIONS", "PROCEDURE"),
    "aggregate": ("FUNCTIONS", "FUNCTION"),
    "type": ("TYPES", "TYPE"),
    "domain": ("TYPES", "TYPE"),
    "schema": ("SCHEMAS", "SCHEMA"),
}
_SENTENCE = re.compile(
    r"ALTER DEFAULT PRIVILEGES FOR ROLE OWNER (?:IN SCHEMA (?P<schema>.+?) )?(?P<verb>GRANT|REVOKE) (?P<privileges>.+?)"
    r" ON (?P<objects>TABLES|SEQUENCES|FUNCTIONS|TYPES|SCHEMAS) (?:TO|FROM) (?P<role>.+?)(?P<option> WITH GRANT OPTION)?"
)


class DefaultPrivileges:
    """The default privileges that are in force while a migration creates objects: those that it does not drop before."""

    def __init__(self, objects: Mapping[Key, str], dropped: Collection[Key]) -> None:
        self._matches = [
            match
            for key, definition in objects.items()
            if key.kind == "default privilege" and key not in dropped
            for sentence in definition.split(";\n")
            if (match := _SENTENCE.fullmatch(sentence))
        ]

    def correct(self, key: Key, objects: Mapping[Key, str]) -> list[str]:
        """Return the statements after the creation of an object, before those that grant what the new schema has.

        They revoke what the default privileges have granted to roles that have other privileges in the new schema.
        """
        if not self._matches:
            return []
        if key.kind == "column":
            column = parse_column(objects[key])[0]
            return self.correct(Key("sequence", name_identity(key)), objects) if column.identity else []
        return list(self._correct(key, objects)) if key.kind in _TARGETS else []

    def _correct(self, key: Key, objects: Mapping[Key, str]) -> Iterator[str]:
        kind, word = _TARGETS[key.kind]
        target = f"{word} {key.name}"
        given: dict[str, list[re.Match[str]]] = defaultdict(list)
        for match in self._matches:
            if match["objects"] == kind and (match["schema"] is None or key.name.startswith(f"{match['schema']}.")):
                given[match["role"]].append(match)
        for role, matches in given.items():
            wanted = objects.get(Key("grant", role, key.name))
            sentences = [_write(match, target, role) for match in matches]
            if wanted is not None and sorted(wanted.split(";\n")) == sorted(sentences):
                continue
            for match in matches:
                if match["verb"] == "REVOKE":
                    if wanted is None:
                        yield name_owner(f"GRANT {match['privileges']} ON {target} TO {role}")
                elif role != "OWNER" and not (role == "PUBLIC" and kind in {"FUNCTIONS", "TYPES"}):
                    yield f"REVOKE ALL ON {target} FROM {role}"


def _write(match: re.Match[str], target: str, role: str) -> str:
    link = "TO" if match["verb"] == "GRANT" else "FROM"
    return f"{match['verb']} {match['privileges']} ON {target} {link} {role}{match['option'] or ''}"
