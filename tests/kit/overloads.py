"""What another role can create so that statements call it: functions, operators and relations, derived from the statements."""

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pglast
import psycopg

MARK = "a stranger was called"
"""The text of the warning that each function raises, in any transaction; it is not in the function's definition."""

_TEXTS = ("text", "name", "varchar", "bpchar", '"char"')
_NUMBERS = ("oid", "regclass", "int2", "int4", "int8")
_ARRAYS = ("text[]", "name[]", "varchar[]", "oid[]", "int2[]")
_OTHERS = ("bool", "timestamp", "timestamptz", "jsonb", "json", "uuid", "anyelement")
_FAMILIES = (_TEXTS, _NUMBERS, _ARRAYS)
_SIMILAR = {name: family for family in _FAMILIES for name in family}
_WILD = (*_TEXTS[:3], "int4", "text[]")
"""What is tried for a parameter that accepts any type."""
_IMPLIED = {"BETWEEN": (">=", "<="), "NOT BETWEEN": ("<", ">")}
_SIGNATURES = """
SELECT p.proname::text, ARRAY(SELECT a::regtype::text FROM unnest(p.proargtypes) a), p.prorettype::regtype::text
  FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = ANY (%s) AND NOT p.proretset
"""
_LONG = {"character varying": "varchar", "bigint": "int8", "integer": "int4", "smallint": "int2", "character": "bpchar"}


@dataclass
class Names:
    """What statements name: functions with their numbers of arguments, operators, and relations."""

    functions: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    operators: set[str] = field(default_factory=lambda: {"=", "<>", "<", ">", "<=", ">="})
    """With those that the grammar implies: IN, CASE, USING."""
    relations: set[str] = field(default_factory=set)


def collect_names(texts: set[str]) -> Names:
    """Return what statements name."""
    names = Names()
    for text in texts:
        tree = json.loads(pglast.parser.parse_sql_json(text))
        for node in _walk(tree):
            _collect(names, node)
    return names


def _walk(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _walk(value)


def _collect(names: Names, node: dict[str, Any]) -> None:
    if "FuncCall" in node:
        call = node["FuncCall"]
        names.functions[call["funcname"][-1]["String"]["sval"]].add(len(call.get("args", ())))
    if "A_Expr" in node:
        operator = node["A_Expr"]["name"][-1]["String"]["sval"]
        names.operators.update(_IMPLIED.get(operator, (operator,)))
    if "RangeVar" in node and node["RangeVar"]["relname"].startswith("pg_"):
        names.relations.add(node["RangeVar"]["relname"])


def compose_plants(
    connection: psycopg.Connection[Any], names: Names, schema: str, volatility: str, *, most: int = 15, families: int = 3
) -> str:
    """Return the SQL that creates in a schema what fits the names better than, or as well as, what pg_catalog has.

    Of each function there are at most about `most` for each one of pg_catalog; operators are for so many `families` of types.
    """
    head = f"LANGUAGE plpgsql {volatility} AS $$ BEGIN RAISE WARNING 'a % was called', 'stranger'; RETURN NULL; END $$;"
    functions = {}
    for name, parameters, result in connection.execute(_SIGNATURES, [list(names.functions)]).fetchall():
        for types in _vary([_LONG.get(each, each) for each in parameters], names.functions[name], most):
            functions[name, ", ".join(types)] = "text" if result.startswith(("any", "void", "record")) else result
    parts = [f"CREATE FUNCTION {schema}.{name}({types}) RETURNS {result} {head}" for (name, types), result in functions.items()]
    for number, operator in enumerate(sorted(names.operators)):
        result = "text" if operator in ("||", "+", "-", "*", "/", "->", "->>") else "bool"
        for left, right in _list_pairs(families):
            function = f"{schema}.operator_{number}"
            parts.append(f"CREATE FUNCTION {function}({left}, {right}) RETURNS {result} {head}")
            parts.append(f"CREATE OPERATOR {schema}.{operator} (FUNCTION = {function}, LEFTARG = {left}, RIGHTARG = {right});")
    parts.append(f"CREATE FUNCTION {schema}.answer() RETURNS text {head}")
    parts += [f"CREATE VIEW {schema}.{name} AS SELECT {schema}.answer() AS nspname;" for name in sorted(names.relations)]
    parts += [f"CREATE DOMAIN {schema}.{name} AS int4;" for name in ("text", "uuid", "regclass", "oid", "jsonb", "timestamptz")]
    return "\n".join(parts)


def _vary(parameters: list[str], numbers: set[int], most: int) -> Iterator[tuple[str, ...]]:
    """Yield lists of types that are like those of a function, for calls with these numbers of arguments."""
    if parameters[-1:] == ['"any"']:
        for number in sorted(each for each in numbers if each >= len(parameters)):
            yield from _vary([*parameters[:-1], *["anyelement"] * (number - len(parameters) + 1)], numbers, most)
        return
    if len(parameters) not in numbers or not {"internal", "cstring"}.isdisjoint(parameters):
        return
    choices = [_SIMILAR.get(each) or (_WILD if each.startswith("any") else (each,)) for each in parameters]
    yield from itertools.islice(itertools.product(*choices), most)
    # All alike, and each alone: the product can be cut off before them.
    for text in _WILD:
        yield tuple(text if len(choice) > 1 else choice[0] for choice in choices)


def _list_pairs(families: int) -> Iterator[tuple[str, str]]:
    for family in _FAMILIES[:families]:
        yield from itertools.product(family, repeat=2)
    yield from ((name, name) for name in _OTHERS)
    yield from (
        ("anynonarray", "text"),
        ("text", "anynonarray"),
        ("text", "text[]"),
        ("varchar", "int4"),
        ("timestamptz", "interval"),
    )
