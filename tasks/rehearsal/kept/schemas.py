"""Schemas after migrations, used again where nothing that they rest on has changed: then no scratch database is needed.

Each is in a file of its own, whose name is a digest of what the schema rests on: the texts, the scratch server, and the tool. A
file that is damaged, or that others can write, counts as missing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.catalog import Catalog, Key
from tasks.rehearsal.kept.account_files import find_folder, read_own, write_own
from tasks.rehearsal.kept.code import TASKS, digest, sum_code
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.left_out import LeftOut, list_fields, read_entry
from tasks.rehearsal.scratch.description import describe_server
from tasks.rehearsal.scratch.server import ScratchServer

_MOST = 50
_MOST_BYTES = 64 << 20
_SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class KeptSchema:
    """A schema, the statements that the replay left out, and the extensions of which the database had a stand-in."""

    catalog: Catalog
    left_out: tuple[LeftOut, ...] = ()
    stand_ins: tuple[str, ...] = ()


class KeptSchemas:
    """The schemas in a folder for one scratch server; none without a folder."""

    def __init__(self, folder: Path | None = None, context: str = "", server: ScratchServer | None = None) -> None:
        self._folder = folder
        self._context = context
        self._server = server

    def find(self, migrations: Sequence[RehearsedMigration]) -> KeptSchema | None:
        """Return the schema after migrations, if it is known."""
        path = self._find_path(migrations)
        text = read_own(path) if path else None
        if path is None or text is None:
            return None
        found, _, content = text.partition("\n")
        if found != digest((path.stem, content)):
            return None
        with suppress(OSError):
            os.utime(path)
        return _read(json.loads(content))

    def add(self, migrations: Sequence[RehearsedMigration], schema: KeptSchema) -> None:
        """Keep the schema after migrations, and delete those that were not used for the longest time."""
        path = self._find_path(migrations)
        if path is None:
            return
        content = json.dumps(_list_parts(schema))
        write_own(path, f"{digest((path.stem, content))}\n{content}")
        with suppress(OSError):
            for each in _list_old(path.parent):
                each.unlink(missing_ok=True)

    def _find_path(self, migrations: Sequence[RehearsedMigration]) -> Path | None:
        if self._folder is None:
            return None
        texts = [(each.name, each.up, each.shown) for each in migrations]
        # An environment that is read later can have an older version, to which schemas are restricted.
        target = self._server.target_version if self._server else 0
        return self._folder / f"{digest((self._context, target, texts))}{_SUFFIX}"


NOTHING_KEPT = KeptSchemas()


def open_schemas(server: ScratchServer, environ: Mapping[str, str]) -> KeptSchemas:
    """Return the schemas that the account has kept for a server; raises ScratchError."""
    folder = find_folder(environ, "schemas")
    if folder is None:
        return NOTHING_KEPT
    return KeptSchemas(folder, repr((sum_code(TASKS), describe_server(server), server.state_key)), server)


def _list_parts(schema: KeptSchema) -> list[object]:
    catalog = schema.catalog
    sides = [[[*key, text] for key, text in each.items()] for each in (catalog.objects, catalog.derived)]
    return [catalog.server_version, *sides, [list_fields(each) for each in schema.left_out], schema.stand_ins]


def _read(parts: list[Any]) -> KeptSchema:
    version, objects, derived, left_out, stand_ins = parts
    sides = [{Key(kind, name, parent): text for kind, name, parent, text in each} for each in (objects, derived)]
    catalog = Catalog(sides[0], version, sides[1])
    return KeptSchema(catalog, tuple(read_entry(*each) for each in left_out), tuple(stand_ins))


def _list_old(folder: Path) -> Iterator[Path]:
    """Yield the files that are beyond the limits; a draft of a process that was killed counts too."""
    facts = [(each.stat(), each) for each in folder.iterdir()]
    total = 0
    for number, (fact, path) in enumerate(sorted(facts, key=lambda each: -each[0].st_mtime_ns)):
        total += fact.st_size
        if number >= _MOST or total > _MOST_BYTES:
            yield path
