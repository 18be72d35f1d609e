"""The storage parameters of tables, views, columns and indexes, in the order in which pg_dump writes them.

https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-STORAGE-PARAMETERS
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tasks.catalog import PARAMETER_ORDER, Key

_PARAMETERS = re.compile(r"\b(?:WITH|SET) \((?P<parameters>\w[^()]*)\)")
_OF_VIEW = re.compile(r"(?P<method>(?:USING \S+ )?)WITH \((?P<parameters>[^()]*)\) ")
_RELATIONS = ("table", "view", "materialized view")


def put_in_order(objects: dict[Key, str], derived: Mapping[Key, str]) -> None:
    """Write the parameters of each object in the order that they have in the database."""
    for key, order in derived.items():
        if key.kind == PARAMETER_ORDER:
            kinds = ("column settings",) if key.parent else _RELATIONS
            for owner in (key._replace(kind=kind) for kind in kinds):
                if owner in objects:
                    objects[owner] = _put_in_order(objects[owner], order)


def _put_in_order(definition: str, order: str) -> str:
    for match in _PARAMETERS.finditer(definition):
        if sorted(match["parameters"].split(", ")) == sorted(order.split(", ")):
            return definition[: match.start("parameters")] + order + definition[match.end("parameters") :]
    return definition


def change_parameters(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Return the actions that change parameters, each `name=value`, and their order: one that is set becomes the last."""
    gone = [name for name in map(_name, old) if name not in set(map(_name, new))]
    kept = [each for each in old if _name(each) not in gone]
    count = next(count for count in range(len(new), -1, -1) if _is_reached(kept, new[:count], new[count:]))
    actions = [f"RESET ({', '.join(sorted(gone))})"] if gone else []
    return actions + ([f"SET ({', '.join(new[count:])})"] if new[count:] else [])


def _is_reached(kept: Sequence[str], staying: Sequence[str], set_: Sequence[str]) -> bool:
    names = set(map(_name, set_))
    return [each for each in kept if _name(each) not in names] == list(staying)


def _name(parameter: str) -> str:
    return parameter.partition("=")[0]


def alter_view(key: Key, before: str, after: str) -> list[str] | None:
    """Return the statements that change the parameters of a view; None for another change."""
    (old, was), (new, now) = _split_view(before), _split_view(after)
    if old != new:
        return None
    return [f"ALTER {key.kind.upper()} {key.name} {action}" for action in change_parameters(was, now)]


def _split_view(definition: str) -> tuple[str, list[str]]:
    match = _OF_VIEW.match(definition)
    return (match["method"] + definition[match.end() :], match["parameters"].split(", ")) if match else (definition, [])
