"""One table in the schema of the migrations and in that of the models: what it is to become.

What the models state is taken from them, everything else from the migrations. A name that the models leave to the server is
that of the migrations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from tasks.catalog import COLUMN_ORDER, LOCAL_COLUMN, LOCAL_CONSTRAINT, Change, Key
from tasks.models.importing import ModelTable
from tasks.models.names import split_name
from tasks.postgres.tokens import NAME
from tasks.rehearsal.sql_diff.names import CHAIN, last_part
from tasks.rehearsal.sql_diff.shapes import Table, parse_column, parse_table, split_order

Objects = Mapping[Key, str]

_NEXT_VALUE = re.compile(rf"nextval\('(?P<sequence>{CHAIN})'::regclass\)")
_OWN_OPTIONS = re.compile(rf"(?:SEQUENCE NAME (?P<name>{CHAIN}) ?)?(?:(?P<log>(?:UN)?LOGGED) ?)?(?P<rest>.*)", re.DOTALL)
_INDEX_NAME = re.compile(rf"^(CREATE (?:UNIQUE )?INDEX ){NAME} ON (?:ONLY )?")
_INDEX_STORAGE = re.compile(
    rf" WITH \([^()]*\)(?= WHERE |;\n|\n-- |$| TABLESPACE )| TABLESPACE {NAME}(?=;\n|\n-- |$)"
    r"|;\nALTER INDEX [^;]* SET STATISTICS .*"
)
_COMPARED_CONSTRAINTS = ("PRIMARY KEY ", "UNIQUE ", "FOREIGN KEY ", "CHECK ", "EXCLUDE ")
_COMPARED_METHOD = " USING btree "
_ATTACHED = " ATTACH PARTITION "


@dataclass
class MergedTable:
    """A table as it is to become: its objects, what is removed with a column, and what stays because models cannot express it."""

    objects: dict[Key, str] = field(default_factory=dict)
    left_out: list[Change] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TablePair:
    """The objects of one table, before and as the models make them, with its facts; `facts` is None for a table of a listener."""

    name: str
    before: Objects
    wanted: Objects
    facts: ModelTable | None
    kept_tables: Collection[str] = ()
    """The tables that are not compared: foreign keys to them stay."""
    above: frozenset[str] = frozenset()
    """The columns of the tables from which the table inherits."""


def merge_table(pair: TablePair) -> MergedTable:
    """Return what a table in both schemas is to become; triggers, grants and the like are not among its objects."""
    merged = MergedTable()
    _merge_definition(pair, merged)
    columns = _merge_columns(pair)
    merged.objects |= {Key("column", name, pair.name): text for name, text in columns.items()}
    for key, text in pair.before.items():
        if key.kind in {"column settings", LOCAL_COLUMN} and key.name in columns:
            merged.objects[key] = text
    order = split_order(pair.before.get(Key(COLUMN_ORDER, pair.name), ""))
    kept = [name for name in order if name in columns]
    if columns:
        merged.objects[Key(COLUMN_ORDER, pair.name)] = ", ".join([*kept, *(name for name in columns if name not in kept)])
    _merge_constraints(pair, merged)
    _merge_indexes(pair, merged, columns)
    _merge_comments(pair, merged)
    return merged


def _merge_definition(pair: TablePair, merged: MergedTable) -> None:
    key = Key("table", pair.name)
    before, wanted = pair.before[key], pair.wanted[key]
    old, new = parse_table(before), parse_table(wanted)
    if old is None or new is None:
        merged.objects[key] = before
        return
    become = replace(
        old,
        unlogged=old.unlogged or new.unlogged,
        parents=new.parents or old.parents,
        partitioned=new.partitioned or old.partitioned,
        method=new.method or old.method,
        settings=new.settings or old.settings,
        tablespace=new.tablespace or old.tablespace,
    )
    merged.objects[key] = before if become == old else _write_table(become)
    if become != new:
        merged.left_out.append(Change(key, before, wanted))


def _write_table(table: Table) -> str:
    """Return the definition of a table as the catalog has it."""
    parts = (
        "UNLOGGED" if table.unlogged else None,
        table.type and f"OF {table.type}",
        table.partition_of and f"PARTITION OF {table.partition_of} {table.bound}",
        table.parents and f"INHERITS ({table.parents})",
        table.partitioned and f"PARTITION BY {table.partitioned}",
        table.method and f"USING {table.method}",
        table.settings and f"WITH ({table.settings})",
        table.tablespace and f"TABLESPACE {table.tablespace}",
    )
    return " ".join(part for part in parts if part)


def _merge_columns(pair: TablePair) -> dict[str, str]:
    """Return the columns in the order of the migrations, then the new ones in that of the models."""
    before, wanted = _list_columns(pair.before), _list_columns(pair.wanted)
    new = parse_table(pair.wanted[Key("table", pair.name)])
    inherits = new is None or not new.parents
    columns = {}
    for name, text in before.items():
        if name in wanted:
            columns[name] = _merge_column(pair, name, text, wanted[name])
        elif inherits and name in pair.above and Key(LOCAL_COLUMN, name, pair.name) not in pair.before:
            columns[name] = text
    return columns | {name: text for name, text in wanted.items() if name not in before}


def _list_columns(objects: Objects) -> dict[str, str]:
    """Return the columns of a table in their order."""
    found = {key.name: text for key, text in objects.items() if key.kind == "column"}
    order = next((split_order(text) for key, text in objects.items() if key.kind == COLUMN_ORDER), [])
    return {name: found[name] for name in order if name in found} | found


def _merge_column(pair: TablePair, name: str, before: str, wanted: str) -> str:
    if before == wanted:
        return before
    old, old_default = parse_column(before)
    new, new_default = parse_column(wanted)
    identity, options, default = new.identity, new.options, new_default
    if new.identity and old.identity:
        options = _merge_options(old.options, new.options)
    elif pair.facts is not None and _counts(pair.facts, name) and (old.identity or _NEXT_VALUE.match(old_default or "")):
        identity, options, default = old.identity, old.options, old_default
    elif _owns(pair.before, old_default) and _owns(pair.wanted, new_default):
        default = old_default
    become = replace(new, identity=identity, options=options)
    if old.storage and new.storage and pair.facts is not None and split_name(name)[1] in pair.facts.unstored:
        become = replace(become, storage=old.storage)
    return before if (become, default) == (old, old_default) else become.write(default)


def _counts(facts: ModelTable, name: str) -> bool:
    return bool(facts.counting) and split_name(name)[1] == facts.counting


def _merge_options(old: str | None, new: str | None) -> str | None:
    """Return the options of an identity; the name of its sequence, and whether it is logged, are never those of models."""
    ours, theirs = (_OWN_OPTIONS.fullmatch(text or "") for text in (old, new))
    assert ours is not None
    assert theirs is not None
    parts = (ours["name"] and f"SEQUENCE NAME {ours['name']}", ours["log"], theirs["rest"])
    return " ".join(part for part in parts if part) or None


def _owns(objects: Objects, default: str | None) -> bool:
    """Return True if a default counts up with a sequence that belongs to a column of the table."""
    match = _NEXT_VALUE.fullmatch(default or "")
    return match is not None and " OWNED BY " in objects.get(Key("sequence", match["sequence"]), "")


def _merge_constraints(pair: TablePair, merged: MergedTable) -> None:
    before = {key: text for key, text in pair.before.items() if key.kind == "constraint"}
    wanted = {key: text for key, text in pair.wanted.items() if key.kind == "constraint"}
    named = {key for key in wanted if pair.facts is None or split_name(key.name)[1] in pair.facts.constraints}
    pairs = _pair_up(before, wanted, named, str)
    for key, text in wanted.items():
        found = pairs.get(key)
        merged.objects[found or key] = text
    taken = set(pairs.values()) | wanted.keys()
    unnamed = {text for key, text in wanted.items() if key not in named}
    for key, text in before.items():
        # Two constraints of one definition are one that the models state once.
        if key not in taken and (text in unnamed or not _is_compared(pair, text)):
            merged.objects[key] = text
            merged.left_out.append(Change(key, text, None))
    for key, text in pair.before.items():
        if key.kind == LOCAL_CONSTRAINT and Key("constraint", key.name, key.parent) in merged.objects:
            merged.objects[key] = text


def _is_compared(pair: TablePair, text: str) -> bool:
    refers = any(f" REFERENCES {name}(" in text for name in pair.kept_tables)
    return text.startswith(_COMPARED_CONSTRAINTS) and not refers and _ATTACHED not in text


def _pair_up(before: Objects, wanted: Objects, named: Collection[Key], normalise: Callable[[str], str]) -> dict[Key, Key]:
    """Return which objects of the migrations those of the models are: of the same definition, and name if they state one."""
    common = wanted.keys() & before.keys()
    pairs = {key: key for key in common if before[key] == wanted[key] or normalise(before[key]) == normalise(wanted[key])}
    used = set(pairs) | set(named)
    for key, text in wanted.items():
        if key in pairs or key in named:
            continue
        for other, old in before.items():
            if other not in used and normalise(old) == normalise(text):
                pairs[key] = other
                used.add(other)
                break
    return pairs


def _merge_indexes(pair: TablePair, merged: MergedTable, columns: Collection[str]) -> None:
    before = {key: text for key, text in pair.before.items() if key.kind == "index"}
    wanted = {key: text for key, text in pair.wanted.items() if key.kind == "index"}
    named = {key for key in wanted if pair.facts is None or split_name(key.name)[1] in pair.facts.indexes}
    stored = any(_INDEX_STORAGE.search(text) for text in wanted.values())

    def normalise(text: str) -> str:
        shape = _INDEX_NAME.sub(r"\1ON ", text)
        return shape if stored else _INDEX_STORAGE.sub("", shape)

    pairs = _pair_up(before, wanted, named, normalise)
    for key, text in wanted.items():
        found = pairs.get(key)
        merged.objects[found or key] = before[found] if found else text
    taken = set(pairs.values()) | wanted.keys()
    unnamed = {normalise(text) for key, text in wanted.items() if key not in named}
    for key, text in before.items():
        if key in taken:
            continue
        if Key("constraint", last_part(key.name), key.parent) in pair.before:
            # What the index of a constraint has beyond the constraint.
            if Key("constraint", last_part(key.name), key.parent) in merged.objects:
                merged.objects[key] = text
        elif normalise(text) in unnamed or _stays(pair, text, columns):
            merged.objects[key] = text
            merged.left_out.append(Change(key, text, None))


def _stays(pair: TablePair, text: str, columns: Collection[str]) -> bool:
    """Return True for an index that models lack and that stays: not a btree, and on columns that stay."""
    if _ATTACHED in text:
        return True
    gone = {key.name for key in pair.before if key.kind == "column"} - set(columns)
    return _COMPARED_METHOD not in text and not any(_mentions(text, name) for name in gone)


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w\"]){re.escape(name)}(?![\w\"])", text) is not None


def _merge_comments(pair: TablePair, merged: MergedTable) -> None:
    """Take the comments of the table and its columns from the models, and keep the others of what stays."""
    for key, text in pair.wanted.items():
        if key.kind == "comment" and (_is_own_comment(pair, key) or _find_commented(key) in merged.objects):
            merged.objects[key] = text
    for key, text in pair.before.items():
        if key.kind == "comment" and not _is_own_comment(pair, key) and _find_commented(key) in merged.objects:
            merged.objects.setdefault(key, text)


def _is_own_comment(pair: TablePair, key: Key) -> bool:
    return key.name == f"table {pair.name}" or key.name.startswith("column ")


def _find_commented(key: Key) -> Key | None:
    kind, _, name = key.name.partition(" ")
    return Key(kind, name, key.parent) if kind in {"constraint", "index"} else None


def list_next_values(objects: Objects) -> Iterator[tuple[Key, str]]:
    """Yield each column that counts up with a sequence, and its name."""
    for key, text in objects.items():
        if key.kind == "column" and (match := _NEXT_VALUE.search(text)):
            yield key, match["sequence"]
