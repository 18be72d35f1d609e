"""The same schemas on servers of several versions, as they are made and after a dump and restore."""

import subprocess
from collections.abc import Collection

import psycopg

from tasks.catalog import Catalog, Difference, compare, divide, read_catalog
from tests.catalog.conftest import OTHER, READER, RICH, make_role
from tests.catalog.version_cases import SCHEMAS, SchemaCase
from tests.kit.databases import Database

ALL_SCHEMAS = (*SCHEMAS, SchemaCase("everything", RICH))
_NOT_EVERYWHERE = {"a view: XMLTABLE": "XML", "a view: XML functions": "XML"}
"""Schemas that a server may lack, with what its error names."""

NOT_RESTORED = frozenset(
    {"functions with keywords as names of parameters", "comments", "privileges: public made again, untouched"}
)
"""Schemas that the pg_dump of an older version does not restore: it writes names that became keywords without quotes, and that of
14 leaves out a comment on the schema public, and that it was created again."""


def find_alarms(expected: Catalog, live: Catalog) -> Difference:
    """Return what db.drift reports as drift of a schema that was made by the same statements."""
    return divide(compare(expected, live), live.server_version)[0]


def make_roles(database: Database) -> None:
    """Create the roles that the schemas grant to."""
    for role in (READER, OTHER):
        make_role(database, role)


def read_made(database: Database, schemas: Collection[SchemaCase] = ALL_SCHEMAS) -> dict[str, Catalog]:
    """Return each schema that a server has, by title, as it is made in an empty database, which stays empty."""
    major = read_major(database)
    return {schema.title: catalog for schema in schemas if schema.since <= major if (catalog := _read(database, schema))}


def _read(database: Database, schema: SchemaCase) -> Catalog | None:
    try:
        return read_after(database, schema.text)
    except psycopg.Error as error:
        if _NOT_EVERYWHERE.get(schema.title, "\0") in str(error):
            return None
        raise


def read_after(database: Database, *texts: str) -> Catalog:
    """Return the schema after some SQL, which is rolled back."""
    connection = database.ask(lambda connection: connection)
    with connection.transaction(force_rollback=True):
        for text in filter(None, texts):
            connection.execute(text)
        return read_catalog(connection)


def make_together(database: Database, schemas: Collection[SchemaCase]) -> None:
    """Make many schemas in one database, each in one of its own."""
    for number, schema in enumerate(schemas):
        database.execute(f"CREATE SCHEMA s{number}; SET search_path = s{number}, public")
        database.execute(schema.text)
    database.execute("RESET search_path")


def restore(source: Database, target: Database) -> None:
    """Load a dump of one database into another, with the programs of the target's version, whatever fails in it."""
    programs = target.server.cluster.programs
    dump = [str(programs / "pg_dump"), "--schema-only", f"--dbname={source.url}"]
    text = subprocess.run(dump, capture_output=True, check=True).stdout
    subprocess.run([str(programs / "psql"), "-Xqb", f"--dbname={target.url}"], input=text, capture_output=True, check=True)


def list_common(older: Database) -> list[SchemaCase]:
    """Return the schemas that a server can have together in one database, and that newer ones can have too."""
    return [
        schema
        for schema in SCHEMAS
        if not schema.alone and schema.since <= read_major(older) and schema.title not in _NOT_EVERYWHERE
    ]


def read_major(database: Database) -> int:
    """Return the major version of a server."""
    major: int = database.query("SELECT current_setting('server_version_num')::integer / 10000")[0][0]
    return major
