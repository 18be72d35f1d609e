"""What a schema is to become according to models: what they state is taken from them, and nothing else is touched."""

import pytest

from tasks.catalog import COLUMN_ORDER, Catalog, compare, read_catalog
from tasks.models.creating import CreatedModels
from tasks.models.importing import Models, ModelTable, ReferredTable
from tasks.models.names import split_name
from tasks.models.scope import narrow
from tasks.rehearsal.sql_diff.shapes import split_sequence
from tests.kit.databases import Database

pytestmark = pytest.mark.newest

STATED = "named_"
"""The names of constraints and indexes begin so if the models state them; the server chose the others."""
T = "CREATE TABLE t (id int PRIMARY KEY, a int, b text);"
UNIQUE = "CREATE TABLE t (id int, CONSTRAINT {} UNIQUE (id));"
PARTS = "CREATE TABLE p (id int, a int) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
VIEW = "CREATE VIEW v AS SELECT 1 AS id;"
IDENTITY = "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME s) PRIMARY KEY);"
OLD_SERIAL = "CREATE TABLE o (id serial); ALTER TABLE o RENAME TO t;"
MOOD = "CREATE TYPE mood AS ENUM ('sad', 'ok');"
DOMAIN = "CREATE DOMAIN d AS text CONSTRAINT {} CHECK (VALUE <> '');"
TRIGGER = (
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
    "CREATE TRIGGER r BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();"
)
GIN = "CREATE INDEX i ON t USING gin (to_tsvector('english', b));"
CASES: dict[str, tuple[str, str, list[str], list[str]]] = {
    "the same": (T, T, [], []),
    "a new table": ("", T, ["added column a of public.t", "added table public.t"], []),
    "a table that models lack": (T, "", ["removed column a of public.t", "removed table public.t"], []),
    "a new column": (T, T[:-2] + ", c int);", ["added column c of public.t"], []),
    "a column that models lack": (T, T.replace(", b text", ""), ["removed column b of public.t"], []),
    "another order of columns": (T, "CREATE TABLE t (a int, b text, id int PRIMARY KEY);", [], []),
    "another type": (T, T.replace("a int", "a bigint"), ["changed column a of public.t"], []),
    "another default": (T, T.replace("a int", "a int DEFAULT 1"), ["changed column a of public.t"], []),
    "not null": (T, T.replace("a int", "a int NOT NULL"), ["changed column a of public.t"], []),
    "a key without a name": (UNIQUE.format("own"), "CREATE TABLE t (id int UNIQUE);", [], []),
    "a key with its name": (UNIQUE.format("named_a"), UNIQUE.format("named_a"), [], []),
    "a key with another name": (
        UNIQUE.format("own"),
        UNIQUE.format("named_a"),
        ["added constraint named_a of public.t", "removed constraint own of public.t"],
        [],
    ),
    "a key that exists twice": (
        UNIQUE.format("own") + "ALTER TABLE t ADD CONSTRAINT other UNIQUE (id);",
        "CREATE TABLE t (id int UNIQUE);",
        [],
        ["constraint own of public.t"],
    ),
    "two keys of one definition": (
        UNIQUE.format("own"),
        UNIQUE.format("named_a") + "ALTER TABLE t ADD UNIQUE (id);",
        ["added constraint named_a of public.t"],
        [],
    ),
    "a check that models lack": (T + "ALTER TABLE t ADD CHECK (a > 0);", T, ["removed constraint t_a_check of public.t"], []),
    "another check": (
        T + "ALTER TABLE t ADD CHECK (a > 0);",
        T + "ALTER TABLE t ADD CHECK (a > 1);",
        ["changed constraint t_a_check of public.t"],
        [],
    ),
    "an index without a name": (T + "CREATE INDEX own ON t (a);", T + "CREATE INDEX ix_t_a ON t (a);", [], []),
    "an index with another name": (
        T + "CREATE INDEX own ON t (a);",
        T + "CREATE INDEX named_a ON t (a);",
        ["added index public.named_a of public.t", "removed index public.own of public.t"],
        [],
    ),
    "a partial index that models lack": (
        T + "CREATE UNIQUE INDEX i ON t (a) WHERE b IS NOT NULL;",
        T,
        ["removed index public.i of public.t"],
        [],
    ),
    "an index of another kind": (T + GIN, T, [], ["index public.i of public.t"]),
    "such an index on a column that models lack": (
        T + GIN,
        T.replace(", b text", ""),
        ["removed column b of public.t", "removed index public.i of public.t"],
        [],
    ),
    "the storage of an index": (T + "CREATE INDEX i ON t (a) WITH (fillfactor=70);", T + "CREATE INDEX i ON t (a);", [], []),
    "the storage of a table": (T.replace(");", ") WITH (fillfactor=70);"), T, [], ["table public.t"]),
    "the storage that models state": (T, T.replace(");", ") WITH (fillfactor=70);"), ["changed table public.t"], []),
    "an identity for a counting column": (IDENTITY, "CREATE TABLE t (id bigserial PRIMARY KEY);", [], []),
    "an identity with another sequence": (IDENTITY, IDENTITY.replace(" (SEQUENCE NAME s)", ""), [], []),
    "another identity": (IDENTITY, IDENTITY.replace("NAME s", "NAME s START WITH 5"), ["changed column id of public.t"], []),
    "a sequence with another name": (OLD_SERIAL, "CREATE TABLE t (id serial);", [], []),
    "a column that no longer counts": (
        "CREATE TABLE t (id serial);",
        "CREATE TABLE t (id int NOT NULL);",
        ["changed column id of public.t", "removed sequence public.t_id_seq"],
        [],
    ),
    "a column that counts now": (
        "CREATE TABLE t (id int NOT NULL);",
        "CREATE TABLE t (id serial);",
        ["changed column id of public.t", "added sequence public.t_id_seq"],
        [],
    ),
    "a sequence of its own": ("CREATE SEQUENCE s;", "CREATE SEQUENCE s START WITH 5;", ["changed sequence public.s"], []),
    "a sequence that models lack": ("CREATE SEQUENCE s;", "", [], []),
    "the owner of a sequence": (T + "CREATE SEQUENCE s OWNED BY t.a;", T + "CREATE SEQUENCE s;", [], []),
    "another enum": (MOOD, MOOD.replace("'ok'", "'ok', 'happy'"), ["changed type public.mood"], []),
    "an enum that nothing uses": (MOOD, "", [], ["type public.mood"]),
    "an enum that a column no longer uses": (
        MOOD + "CREATE TABLE t (m mood);",
        "CREATE TABLE t (m text);",
        ["changed column m of public.t", "removed type public.mood"],
        [],
    ),
    "an enum that a function uses too": (
        MOOD + "CREATE TABLE t (m mood); CREATE FUNCTION f(mood) RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "CREATE TABLE t (m text);",
        ["changed column m of public.t"],
        ["function public.f(public.mood)", "type public.mood"],
    ),
    "the name of a check of a domain": (DOMAIN.format("x"), DOMAIN.format("y"), [], []),
    "a comment": (T, T + "COMMENT ON COLUMN t.a IS 'x';", ["added comment column a of public.t"], []),
    "a comment that models lack": (T + "COMMENT ON TABLE t IS 'x';", T, ["removed comment table public.t"], []),
    "the comment of an index": (T + GIN + "COMMENT ON INDEX i IS 'x';", T, [], ["index public.i of public.t"]),
    "functions and triggers": (T + TRIGGER, T, [], ["function public.f()", "trigger r of public.t"]),
    "what belongs to a removed table": (
        T + TRIGGER + "CREATE PUBLICATION p FOR TABLE t; GRANT SELECT ON t TO PUBLIC; COMMENT ON TABLE t IS 'x';",
        "",
        ["changed publication p", "removed grant PUBLIC of public.t", "removed trigger r of public.t"],
        ["function public.f()", "publication p"],
    ),
    "a privilege on a removed column": (
        T + "GRANT SELECT (b) ON t TO PUBLIC;",
        T.replace(", b text", ""),
        ["removed column b of public.t", "removed grant PUBLIC (b) of public.t"],
        [],
    ),
    "row security": (
        T + "ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a = 1);",
        T,
        [],
        ["policy p of public.t", "row security public.t"],
    ),
    "statistics": (T + "CREATE STATISTICS s ON a, id FROM t;", T, [], ["statistics public.s of public.t"]),
    "statistics of a removed column": (
        T + "CREATE STATISTICS s ON a, b FROM t;",
        T.replace(", b text", ""),
        ["removed column b of public.t", "removed statistics public.s of public.t"],
        [],
    ),
    "a view": (VIEW, "", [], ["view public.v"]),
    "a model of a view": (VIEW, "CREATE TABLE v (id int PRIMARY KEY);", [], ["view public.v"]),
    "partitions": (PARTS, "CREATE TABLE p (id int, a int);", [], ["table public.p", "table public.p1"]),
    "a column of a partitioned table": (
        PARTS,
        "CREATE TABLE p (id int, a bigint, c int DEFAULT 1) PARTITION BY LIST (id);",
        [
            *("changed column a of public.p", "changed column a of public.p1"),
            *("added column c of public.p", "added column c of public.p1"),
        ],
        ["table public.p1"],
    ),
    "a partitioned table that models lack": (PARTS, "", ["removed table public.p", "removed table public.p1"], []),
    "an inheritance that models lack": (
        "CREATE TABLE a (id int); CREATE TABLE t (b int) INHERITS (a);",
        "CREATE TABLE a (id int, c int); CREATE TABLE t (b int);",
        ["added column c of public.a", "added column c of public.t"],
        ["table public.t"],
    ),
    "a schema": ("", "CREATE SCHEMA s; CREATE TABLE s.t ();", ["added schema s", "added table s.t"], []),
    "a schema that models lack": ("CREATE SCHEMA s;", "", [], []),
    "a name in quotes": ('CREATE TABLE "T" (id serial PRIMARY KEY);', 'CREATE TABLE "T" (id serial PRIMARY KEY);', [], []),
}


def read(database: Database, text: str) -> Catalog:
    """Return the schema that SQL makes, which is undone."""
    with database.connect(autocommit=False) as connection:
        connection.execute(text)
        catalog = read_catalog(connection)
        connection.rollback()
    return catalog


def build(catalog: Catalog, referred: tuple[ReferredTable, ...] = ()) -> CreatedModels:
    """Return models with a schema, of which all types and all sequences of no column were declared."""
    keys = [key for key, _ in catalog.list_unordered()]
    tables = tuple(_build_table(catalog, key.name) for key in keys if key.kind == "table")
    words = {"type": "TYPE", "domain": "DOMAIN"}
    declared = {(words[key.kind], split_name(key.name)) for key in keys if key.kind in words}
    declared |= {
        ("SEQUENCE", split_name(key.name)) for key, text in catalog.of_kind("sequence") if split_sequence(text)[1] is None
    }
    return CreatedModels(Models(("app:Base",), (), tables, referred), catalog, frozenset(declared))


def _build_table(catalog: Catalog, name: str) -> ModelTable:
    parts = [(key, text) for key, text in catalog.list_unordered() if key.parent == name]
    stated = {
        kind: frozenset(last for key, _ in parts if key.kind == kind and (last := split_name(key.name)[1]).startswith(STATED))
        for kind in ("constraint", "index")
    }
    counting = next((key.name for key, text in parts if key.kind == "column" and "nextval(" in text), "")
    return ModelTable(split_name(name), stated["constraint"], stated["index"], counting, ())


@pytest.mark.parametrize(("before", "models", "changed", "left_out"), CASES.values(), ids=CASES.keys())
def test_only_what_models_state_is_compared(
    database: Database, before: str, models: str, changed: list[str], left_out: list[str]
) -> None:
    catalog = read(database, before)
    wanted = narrow(catalog, build(read(database, models)))
    found = compare(catalog, wanted.catalog).without({COLUMN_ORDER})
    shown = [f"{change.word} {change.key}" for change in found.changes]
    if "added table public.t" in shown or any(text.startswith("removed table") for text in shown):
        assert set(changed) <= set(shown)
    else:
        assert sorted(shown) == sorted(changed)
    assert sorted(str(change.key) for change in wanted.left_out) == sorted(left_out)
    assert not compare(wanted.catalog, narrow(wanted.catalog, build(read(database, models))).catalog)


OTHERS = "CREATE TABLE o (id int PRIMARY KEY, t int REFERENCES t); CREATE SEQUENCE s OWNED BY o.id;"


@pytest.mark.parametrize(
    ("before", "models"),
    [
        (T + OTHERS, T),
        (T, T + OTHERS),
        (T.replace("a int", "a int REFERENCES o").join(("CREATE TABLE o (id int PRIMARY KEY);", "")), T),
    ],
)
def test_an_excluded_table_stays_as_it_is_with_the_keys_to_it(database: Database, before: str, models: str) -> None:
    catalog, created = read(database, before), build(read(database, models))
    assert compare(catalog, narrow(catalog, created).catalog)
    assert not compare(catalog, narrow(catalog, created, [("public", "o")]).catalog)


def test_a_table_that_only_a_key_of_the_models_names_stays(database: Database) -> None:
    key = "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u int REFERENCES u);"
    catalog = read(database, key + "CREATE TABLE other (id int);")
    created = build(read(database, key), (ReferredTable(("public", "u"), "public.t.u"),))
    without = {each: text for each, text in created.catalog.list_unordered() if "public.u" not in (each.name, each.parent)}
    created = CreatedModels(created.models, Catalog(without, catalog.server_version))
    changes = compare(catalog, narrow(catalog, created).catalog).without({COLUMN_ORDER}).changes
    assert [str(change.key) for change in changes] == ["column id of public.other", "table public.other"]
