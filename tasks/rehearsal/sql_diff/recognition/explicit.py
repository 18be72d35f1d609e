"""The renames that flags name: they need not be recognised, and names may be exchanged or passed on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from tasks.catalog import Catalog, Key
from tasks.postgres.quoting import quote_identifier, unquote_identifier
from tasks.rehearsal.sql_diff.names import last_part
from tasks.rehearsal.sql_diff.renames import BY_COMMAND, ENUM, LABEL, ObjectRename, find_schema, list_names, read_labels
from tasks.runner.errors import UsageError

_KINDS = (*BY_COMMAND, "column", LABEL, "index", "constraint")
"""The kinds that can be renamed; the earlier one is meant where two objects have one name."""
_LONGEST = 40
"""The characters of a name that its stand-in keeps: a name has at most 63 bytes."""
_STATE = "Nothing was written."


@dataclass(frozen=True, slots=True)
class RenameFlags:
    """The renames that flags name and that are still to be made, by old name, and the names of what is dropped."""

    renamed: Mapping[str, str]
    dropped: Collection[str]
    aliases: Mapping[str, str] = field(default_factory=dict)
    """The old names of schemas, tables and types by their new ones: a flag may use either one for what is in them."""

    def list_names(self, key: Key) -> set[str]:
        """Return the names by which a flag may refer to an object, with and without quotes."""
        keys = key, key._replace(parent=self._find_old_name(key.parent))
        if key.kind in BY_COMMAND:
            keys = key, key._replace(name=self._find_old_name(key.name))
        names = {
            name for each in keys for name in (*list_names(each), *list_names(each._replace(name=unquote_identifier(each.name))))
        }
        return names | {name for each in keys if key.kind == LABEL for name in list_names(each._replace(kind="type"))}

    def _find_old_name(self, name: str) -> str:
        """Return the name of a table or type before it, or its schema, was renamed."""
        old = self.aliases.get(name, name)
        schema = find_schema(old) if old else ""
        return f"{self.aliases[schema]}.{last_part(old)}" if schema in self.aliases else old

    def drop(self, key: Key) -> bool:
        """Return True for what is dropped according to a flag."""
        return not self.list_names(key).isdisjoint(self.dropped)


@dataclass(frozen=True, slots=True)
class ResolvedFlags:
    """The renames of flags in the order in which they work, and what they are made of."""

    renames: tuple[ObjectRename, ...] = ()
    flags: tuple[str, ...] = ()
    replaced: tuple[Key, ...] = ()
    """What is dropped later, by its name and by the one under which it makes way for a renamed object."""


def resolve_flags(flags: RenameFlags, before: Catalog, after: Catalog) -> ResolvedFlags:
    """Return the renames of the flags that can be made now: a column cannot before its table has its new name.

    Raises UsageError for two flags that contradict each other.
    """
    catalogs = before, after
    found = {old: rename for old, new in flags.renamed.items() if (rename := _find(old, new, flags, catalogs)) is not None}
    moving = {rename.old.name for rename in found.values() if rename.old.kind in BY_COMMAND}
    found = {old: rename for old, rename in found.items() if moving.isdisjoint(_list_containers(rename.old))}
    _refuse_contradictions(found, flags)
    keys = set(list_renameable(before))
    leaving = {rename.old for rename in found.values()}
    replaced = [rename.new for rename in found.values() if rename.new in keys - leaving and flags.drop(rename.new)]
    found = {old: rename for old, rename in found.items() if rename.new not in keys - leaving or rename.new in replaced}
    aside = [ObjectRename(key, _stand_in(key, keys | {*list_renameable(after)})) for key in replaced]
    renames = (*aside, *_order([*found.values()], keys - {*replaced}))
    return ResolvedFlags(renames, tuple(found), tuple(key for rename in aside for key in (rename.old, rename.new)))


def explain_flag(old: str, flags: RenameFlags, before: Catalog, after: Catalog) -> UsageError:
    """Return the error for a flag that names nothing which can be renamed or dropped, with the nearest name."""
    new = flags.renamed.get(old)
    known = [key for key in list_renameable(before) if old in flags.list_names(key)]
    if not known or new is None:
        names, left = ({list_names(key)[0] for key in list_renameable(catalog)} for catalog in (before, after))
        message = f"nothing with the name {old} was removed, so that it cannot be renamed or dropped"
        return UsageError(message, hint=_suggest(old, sorted(names - left), "was removed"), state=_STATE)
    message = f"{old} cannot be renamed to {new}: "
    taken = [key for key in known if _find_new(key, new, (before, after))]
    if taken:
        drop = f"--drop '{list_names(known[0])[0].removesuffix(last_part(known[0].name))}{new}'"
        return UsageError(
            f"{message}there is a {taken[0].kind} with that name before", hint=f"If that one is dropped: {drop}", state=_STATE
        )
    added = [show_new(key) for key in list_renameable(after) if (key.kind, key.parent) == (known[0].kind, known[0].parent)]
    older = {show_new(key) for key in list_renameable(before) if (key.kind, key.parent) == (known[0].kind, known[0].parent)}
    found = ", ".join(name for name in added if name not in older) or "nothing"
    return UsageError(f"{message}what was added instead is {found}", hint=_suggest(new, added, "exists"), state=_STATE)


def list_renameable(catalog: Catalog) -> Iterator[Key]:
    """Yield what flags can name: the objects that can be renamed, with the labels of enums."""
    for key, text in catalog.list_unordered():
        if key.kind in _KINDS:
            yield key
        if key.kind == "type" and text.startswith(ENUM):
            yield from (Key(LABEL, label, key.name) for label in read_labels(text))


def show_new(key: Key) -> str:
    """Return the new name of an object as a flag has it: without the parent of a column."""
    names = list_names(key)
    return names[0] if not key.parent else names[0].removeprefix(f"{list_names(Key('', key.parent))[0]}.")


def _find(old: str, new: str, flags: RenameFlags, catalogs: tuple[Catalog, Catalog]) -> ObjectRename | None:
    """Return the rename that a flag means: of what is gone, if there is such an object."""
    keys = [key for key in list_renameable(catalogs[0]) if old in flags.list_names(key)]
    left = set(list_renameable(catalogs[1]))
    for key in sorted(keys, key=lambda each: (each in left, _KINDS.index(each.kind))):
        if (target := _find_new(key, new, catalogs)) is not None and target != key:
            return ObjectRename(key, target)
    return None


def _find_new(old: Key, new: str, catalogs: tuple[Catalog, Catalog]) -> Key | None:
    """Return the object with a name: rather one that was added, and in the schema of the old one."""
    found = [
        key
        for key in list_renameable(catalogs[1])
        if (key.kind, key.parent) == (old.kind, old.parent)
        and new in {show_new(key), key.name, unquote_identifier(key.name), *_qualify(key)}
    ]
    known = set(list_renameable(catalogs[0]))
    return min(found, key=lambda key: (key in known, _find_own_schema(key) != _find_own_schema(old)), default=None)


def _qualify(key: Key) -> set[str]:
    return {*list_names(key), *({last_part(key.name)} if key.kind != LABEL else ())}


def _list_containers(key: Key) -> set[str]:
    """Return the table or type of an object, and its schema."""
    return {key.parent, _find_own_schema(key), find_schema(key.parent) if key.parent else ""}


def _find_own_schema(key: Key) -> str:
    return "" if key.kind in {LABEL, "column", "constraint"} else find_schema(key.name)


def _refuse_contradictions(found: Mapping[str, ObjectRename], flags: RenameFlags) -> None:
    olds: dict[Key, str] = {}
    news: dict[Key, str] = {}
    for flag, rename in found.items():
        both = olds.setdefault(rename.old, flag), news.setdefault(rename.new, flag)
        other = next((each for each in both if each != flag), None)
        if other is not None:
            raise UsageError(
                f"--rename {other}={flags.renamed[other]} and --rename {flag}={flags.renamed[flag]} contradict each other",
                state=_STATE,
            )
        if flags.drop(rename.old):
            raise UsageError(f"{flag} is both renamed and dropped", state=_STATE)


def _order(renames: Sequence[ObjectRename], taken: Iterable[Key]) -> list[ObjectRename]:
    """Return the renames so that each new name is free; one of those that exchange their names gets another one between."""
    names, waiting, ordered = set(taken), list(renames), list[ObjectRename]()
    while waiting:
        rename = next((each for each in waiting if each.new not in names), waiting[0])
        waiting.remove(rename)
        if rename.new in names:
            between = _stand_in(rename.old, names | {each.new for each in waiting})
            waiting.append(ObjectRename(between, rename.new))
            rename = ObjectRename(rename.old, between)
        ordered.append(rename)
        names = (names - {rename.old}) | {rename.new}
    return ordered


def _stand_in(key: Key, taken: Collection[Key]) -> Key:
    """Return the key of an object under a name that is free."""
    schema = _find_own_schema(key)
    if key.kind == LABEL:
        names = (f"'{key.name[1:-1][:_LONGEST].rstrip(chr(39))}_{n}'" for n in range(1, len(taken) + 2))
    else:
        bare = unquote_identifier(last_part(key.name))[:_LONGEST]
        names = (f"{schema}{'.' * bool(schema)}{quote_identifier(f'{bare}_replaced_{n}')}" for n in range(1, len(taken) + 2))
    return next(other for name in names if (other := key._replace(name=name)) not in taken)


def _suggest(name: str, names: Sequence[str], what: str) -> str:
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"{close[0]} {what}." if close else ""
