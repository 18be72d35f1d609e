"""Schemas on a real server to draw, before and after pending statements."""

from itertools import pairwise
from pathlib import Path

from tasks.catalog import Catalog, Key, compare, read_catalog
from tasks.diagram.build import build_diagram
from tasks.diagram.model import Diagram
from tasks.diagram.writing import Drawing, write_drawing
from tests.kit.databases import Database

ODD_NAMES = (
    "direction TB",
    "__init__",
    "*bold*",
    "1. first",
    "end",
    "style",
    "class",
    "to",
    "one",
    "<script>alert(1)</script>",
    '<img src="x" onerror="alert(1)">',
    'a"b',
    "50% \\n",
    "`code`",
    "#35;",
    "x:::y",
    "] } --> [",
    "%%{init: {}}%%",
    "日本語",
    "line\nbreak",
    "\u202eright",
    "😀 emoji",
    "click x href y",
    "style x:y#z;",
)
"""Names that mean something to Mermaid, Markdown, HTML or a terminal."""


def quote(name: str) -> str:
    """Return a name in quotes, as SQL."""
    return '"' + name.replace('"', '""') + '"'


def read(database: Database) -> Catalog:
    """Read the schema of a database."""
    with database.connect() as connection:
        return read_catalog(connection)


def draw(database: Database, before: str, after: str = "") -> Diagram:
    """Return the diagram of a schema, with the effect of pending statements."""
    if before:
        database.execute(before)
    start = read(database)
    if after:
        database.execute(after)
    return build_diagram(start, compare(start, read(database)))


def write(database: Database, path: Path, **options: object) -> str:
    """Write the diagram of a database's schema, without pending migrations, and return the text."""
    write_drawing(Drawing(read(database), compare(Catalog(), Catalog())), path, **options)  # type: ignore[arg-type]
    return path.read_text(encoding="utf-8")


def create_odd_tables() -> str:
    """Return statements that create tables with odd names, each of which refers to the next one by a column with its name."""
    statements = [f"CREATE TABLE {quote(name)} (pk int PRIMARY KEY, {quote(f'c {name}')} numeric(10,2));" for name in ODD_NAMES]
    for name, following in pairwise(ODD_NAMES):
        column = quote(f"to {name}"[:20])
        statements.append(f"ALTER TABLE {quote(name)} ADD COLUMN {column} int REFERENCES {quote(following)};")
    return "\n".join(statements)


def make_schema(tables: int, columns_each: int = 12) -> Catalog:
    """Return a schema without a server: most tables refer to another, and every third to the first."""
    objects: dict[Key, str] = {}
    for number in range(tables):
        name = f"public.table_{number:04d}"
        targets = [] if number % 5 == 0 else [number // 2, *([0] if number % 3 == 0 else [])]
        columns = {"id": "bigint NOT NULL"} | {f"to_{target}": "bigint" for target in targets}
        columns |= {f"column_{index}": "character varying(255)" for index in range(columns_each - len(columns))}
        objects[Key("table", name)] = ""
        objects[Key("column order", name)] = ", ".join(columns)
        objects[Key("constraint", f"table_{number}_pkey", name)] = "PRIMARY KEY (id)"
        objects |= {Key("column", column, name): text for column, text in columns.items()}
        for target in targets:
            key = f"FOREIGN KEY (to_{target}) REFERENCES public.table_{target:04d}(id)"
            objects[Key("constraint", f"table_{number}_to_{target}", name)] = key
    return Catalog(objects)
