"""Schemas that are the same on all versions of PostgreSQL, and after a dump and restore; their text is in version_cases.sql."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_TEXT = (Path(__file__).parent / "version_cases.sql").read_text(encoding="utf-8")
_HEADING = re.compile(r"^--- (?P<title>.*?)(?: since (?P<since>\d+))?$", re.MULTILINE)
_SHARED = re.compile(r"SCHEMA|PUBLICATION|EVENT TRIGGER|PRIVILEGES|FOREIGN|LANGUAGE plpgsql TO|EXTENSION|ALL TABLES|CAST")


class SchemaCase(NamedTuple):
    """A schema, and the first version that has it."""

    title: str
    text: str
    since: int = 14

    @property
    def alone(self) -> bool:
        """Whether it changes what other schemas in its database share."""
        return _SHARED.search(self.text) is not None


def _split() -> Iterator[SchemaCase]:
    _, *parts = _HEADING.split(_TEXT)
    for title, since, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        yield SchemaCase(title, text.strip(), int(since or 14))


SCHEMAS = tuple(_split())
