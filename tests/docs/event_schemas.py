"""The JSON Schemas of all events, made from their dataclasses, as docs/reference.md shows them."""

import ast
import importlib
import inspect
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

from tasks.runner.events import EVENTS
from tasks.runner.events.json_lines import is_record, list_fields, read_field_types
from tests.kit.projects import REPOSITORY

PAGE = REPOSITORY / "docs" / "reference.md"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
BEGIN, END = "<!-- schemas of the events: python -m tests.docs --write -->", "<!-- end of the schemas -->"
_SECTION = re.compile(f"{re.escape(BEGIN)}\n(.*?){re.escape(END)}", re.DOTALL)
_SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean"}


def list_schemas() -> dict[str, dict[str, Any]]:
    """Return the schema of each kind of event, in alphabetical order."""
    for path in sorted((REPOSITORY / "tasks").rglob("*.py")):
        if re.search(r"^@event\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            importlib.import_module(".".join(path.relative_to(REPOSITORY).with_suffix("").parts))
    classes = {kind: cls for kind, cls in EVENTS.items() if cls.__module__.startswith("tasks.")}
    return {kind: build_schema(kind, classes[kind]) for kind in sorted(classes)}


def build_schema(kind: str, cls: type) -> dict[str, Any]:
    """Return the schema of an event; a field with a default is not required, because older versions do not send it."""
    parts: dict[str, dict[str, Any]] = {}
    made = _describe_object(cls, parts)
    made["properties"] = {"kind": {"const": kind}, **made["properties"]}
    made["required"] = ["kind", *made["required"]]
    return {"$schema": DIALECT, "title": kind, **made, **({"$defs": parts} if parts else {})}


def read_blocks(page: str) -> list[dict[str, Any]]:
    """Return the schemas that a page shows."""
    return [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)]


def write_section(page: str) -> str:
    """Return a page with the current schemas in it."""
    return _SECTION.sub(lambda _: f"{BEGIN}\n{_compose_section()}{END}", page)


def rewrite(path: Path = PAGE, *, write: bool) -> bool:
    """Return True if a page shows the current schemas; otherwise change it, if it is to be written."""
    shown = path.read_text(encoding="utf-8")
    current = write_section(shown)
    if write and current != shown:
        path.write_text(current, encoding="utf-8")
    return current == shown


def _compose_section() -> str:
    return "".join(f"\n#### {kind}\n\n```json\n{_lay_out(schema)}\n```\n" for kind, schema in list_schemas().items()) + "\n"


def _lay_out(value: Any, indent: str = "") -> str:
    """Return JSON with one line for each property, and for everything that has none."""
    deep = isinstance(value, dict) and ("properties" in value or any(isinstance(each, dict) for each in value.values()))
    if not deep or "items" in value or "anyOf" in value:
        return json.dumps(value, ensure_ascii=False)
    inner = f"{indent}  "
    lines = [f"{inner}{json.dumps(name)}: {_lay_out(each, inner)}" for name, each in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _describe_object(cls: type, parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    hints, notes = read_field_types(cls), _read_notes(cls)
    names = list_fields(cls)
    properties = {name: _describe(hints[name], parts) | ({"description": notes[name]} if name in notes else {}) for name in names}
    required = [name for name, is_required in names.items() if is_required]
    return {"description": _join(inspect.getdoc(cls)), "type": "object", "properties": properties, "required": required}


def _describe(hint: Any, parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the schema of a type; those of dataclasses and named tuples are added to `parts`, and referred to."""
    if hint in _SIMPLE:
        return {"type": _SIMPLE[hint]}
    if hint is Any:
        return {}
    if isinstance(hint, type) and is_record(hint):
        if hint.__name__ not in parts:
            parts[hint.__name__] = {}
            parts[hint.__name__] = _describe_object(hint, parts)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    origin, kinds = get_origin(hint), get_args(hint)
    if origin is UnionType:
        inner = [_describe(kind, parts) for kind in kinds if kind is not NoneType]
        only = inner[0] if len(inner) == 1 else {}
        return {"type": [only["type"], "null"]} if set(only) == {"type"} else {"anyOf": [*inner, {"type": "null"}]}
    if origin is tuple and kinds[-1] is Ellipsis:
        return {"type": "array", "items": _describe(kinds[0], parts)}
    if origin is tuple:
        exact = [_describe(kind, parts) for kind in kinds]
        return {"type": "array", "prefixItems": exact, "minItems": len(exact), "maxItems": len(exact), "items": False}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object"}
    raise TypeError(f"there is no schema for {hint}")


def _read_notes(cls: type) -> dict[str, str]:
    """Return the string after each field of a class, which describes it."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(definition, ast.ClassDef)
    return dict(_pair_notes(definition.body))


def _pair_notes(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, note in pairwise(body):
        match field, note:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, _join(text)


def _join(text: str | None) -> str:
    return " ".join((text or "").split())
