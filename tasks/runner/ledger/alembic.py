"""The revisions of Alembic that were imported: read from alembic.toml, and found in a version table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.postgres.other_tools import ALEMBIC
from tasks.runner.errors import FilesError, Place, RefusedError
from tasks.runner.files.checkout import show_path
from tasks.runner.files.toml_lines import find_line
from tasks.runner.files.versions import describe_fault
from tasks.runner.ledger.foreign import LedgerRow, VersionTable
from tasks.runner.ledger.foreign_versions import map_versions
from tasks.runner.ledger.renames import read_renames

if TYPE_CHECKING:
    from tasks.runner.files.checkout import Migrations
    from tasks.runner.ledger.foreign import OtherLedger
    from tasks.runner.ledger.foreign_versions import Mapped
    from tasks.runner.ledger.renames import Renames

ALEMBIC_FILE = "alembic.toml"
"""The file beside up/ and down/ that maps revisions to versions."""

_HEAD = """\
# The revisions of Alembic that are imported, in their order, each with the migration that it became; "" for one without
# statements. inv db.import-alembic writes this file, and inv db.adopt reads what a database has from its version table with it.
"""
_HINT = "inv db.import-alembic writes it; take it from git, or remove it with the imported files and import again."


@dataclass(frozen=True, slots=True)
class ImportedRevision:
    """The migration that a revision became, the revisions directly before it, and checksums to find out whether it was edited."""

    version: str
    after: tuple[str, ...] = ()
    source: str = ""
    """The SHA-256 of the revision's file."""
    sql: str = ""
    """The SHA-256 of its statements."""
    recorded: bool = False
    """Whether its migration is what Alembic ran on scratch."""


@dataclass(frozen=True, slots=True)
class AlembicMapping:
    """The imported revisions by their ids, in order, and the version table; without a schema it is on the search path."""

    revisions: Mapping[str, ImportedRevision] = field(default_factory=dict)
    table: VersionTable = field(default_factory=VersionTable)


def read_mapping(folder: Path) -> AlembicMapping | None:
    """Read alembic.toml of a migrations folder; None without it. Raises FilesError with a list of all problems."""
    import tomllib

    path = folder / ALEMBIC_FILE
    shown = show_path(path)
    try:
        data = path.read_bytes()
        tables = tomllib.loads(data.decode("utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FilesError(f"{shown} cannot be read: {error.strerror}", ()) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FilesError(f"{shown} is not TOML: {error}", (), hint=_HINT) from error
    table, revisions = tables.get("version_table", {}), tables.get("revisions", {})
    problems: list[str] = []
    if not isinstance(table, dict) or not isinstance(revisions, dict):
        raise FilesError(f"{shown}: version_table and revisions must be tables", (), hint=_HINT)
    read = {name: _read_revision(name, value, problems) for name, value in revisions.items()}
    names = [table.get("name", ALEMBIC.table), table.get("schema", "")]
    problems += [f"{name}: comes after {before}, which is not in this file"
                 for name, each in read.items() for before in each.after if before not in read]  # fmt: skip
    problems += _find_shared(read)
    if not all(isinstance(name, str) and "\0" not in name for name in names):
        problems.append("version_table: name and schema must be strings without NUL")
    if problems:
        located = tuple(f"{Place(shown, find_line(data, problem.partition(': ')[0].__eq__))}: {problem}" for problem in problems)
        raise FilesError(f"{shown} has {len(problems)} problem{'s' if len(problems) > 1 else ''}:", located, hint=_HINT)
    return AlembicMapping(read, VersionTable(*names))


def _read_revision(name: str, value: object, problems: list[str]) -> ImportedRevision:
    given = value if isinstance(value, dict) else {}
    version, after = given.get("version"), given.get("after", [])
    if not isinstance(version, str) or not isinstance(after, list) or not all(isinstance(each, str) for each in after):
        problems.append(f"{name}: needs version, a string, and after, a list of revisions")
        return ImportedRevision("")
    fault = describe_fault(version) if version else None
    if fault is not None:
        problems.append(f"{name}: {version!r} is not the name of a migration: {fault}")
    texts = str(given.get("source", "")), str(given.get("sql", ""))
    return ImportedRevision(version, tuple(after), *texts, given.get("recorded") is True)


def _find_shared(revisions: Mapping[str, ImportedRevision]) -> Iterator[str]:
    """Yield a problem for each revision whose version another one has: they could not decide whether it is applied."""
    first: dict[str, str] = {}
    for name, each in revisions.items():
        if each.version and first.setdefault(each.version, name) != name:
            yield f"{name}: has the version {each.version!r} of {first[each.version]}"


def write_mapping(mapping: AlembicMapping) -> str:
    """Return the text of alembic.toml."""
    lines = [_HEAD, "[version_table]\n", f"name = {_quote(mapping.table.name)}\n", f"schema = {_quote(mapping.table.schema)}\n"]
    for name, each in mapping.revisions.items():
        after = ", ".join(map(_quote, each.after))
        lines += [f"\n[revisions.{_quote(name)}]\nversion = {_quote(each.version)}\nafter = [{after}]\n"]
        lines += [f"source = {_quote(each.source)}\nsql = {_quote(each.sql)}\n"]
        lines += ["recorded = true\n"] if each.recorded else []
    return "".join(lines)


def find_version_table(folder: Path) -> VersionTable | None:
    """Return the version table in alembic.toml of a migrations folder; None without that file."""
    mapping = read_mapping(folder)
    return None if mapping is None else mapping.table


def map_record(other: OtherLedger, migrations: Migrations) -> tuple[Mapped, tuple[str, ...]]:
    """Return the versions that match another tool's record, and those that it shows not to be applied.

    Only an imported record of Alembic shows that. Raises RefusedError for a revision in it that was not imported.
    """
    renames = read_renames(migrations.folder, migrations.checksums)
    mapping = read_mapping(migrations.folder) if other.tool.name == ALEMBIC.name and not other.unread else None
    if mapping is None:
        return map_versions(other, migrations.checksums, renames), ()
    mapped = map_versions(resolve_rows(other, mapping), migrations.checksums, renames)
    matched = {match.version for match in mapped.matched} | mapped.partial.keys()
    imported = dict.fromkeys(_find_current(version, migrations, renames) for version in list_imported(mapping))
    return mapped, tuple(version for version in imported if version in migrations.checksums and version not in matched)


def _find_current(version: str, migrations: Migrations, renames: Renames) -> str:
    return version if version in migrations.checksums else renames.versions.get(version, version)


def resolve_rows(other: OtherLedger, mapping: AlembicMapping) -> OtherLedger:
    """Return a record with a row for each revision that is applied and became a migration: those in the table, and all before.

    Raises RefusedError for a revision that was not imported.
    """
    heads = [row.version for row in other.rows]
    table = f"{other.schema}.{other.tool.table}"
    unknown = [name for name in heads if name not in mapping.revisions]
    if unknown:
        raise RefusedError(
            f"{table} has the revision {', '.join(unknown)}, which {ALEMBIC_FILE} does not have",
            hint="It may be newer than the import. Import it, in a checkout that has it: inv db.import-alembic\n"
            "Or let Alembic move the database to a revision that is imported.",
            state="Nothing was changed.",
        )
    applied = _list_before(heads, mapping)
    rows = [LedgerRow(name, each.version) for name, each in mapping.revisions.items() if name in applied and each.version]
    tool = other.tool._replace(cumulative=False, ordered=True)
    return replace(other, tool=tool, rows=tuple(rows))


def list_imported(mapping: AlembicMapping) -> tuple[str, ...]:
    """Return the versions that revisions became."""
    return tuple(each.version for each in mapping.revisions.values() if each.version)


def _list_before(heads: Iterable[str], mapping: AlembicMapping) -> set[str]:
    found: set[str] = set()
    left = list(heads)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += mapping.revisions[name].after
    return found


def _quote(text: str) -> str:
    """Return a TOML string, whose escapes are those of JSON: https://toml.io/en/v1.0.0#string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
