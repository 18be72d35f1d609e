"""Cases: a schema, a change of it, and the expected differences."""

from typing import NamedTuple


class Case(NamedTuple):
    """A schema, a change, and the expected differences: word and object of each."""

    title: str
    setup: str
    change: str
    seen: tuple[str, ...]
    since: int = 14


T = "CREATE TABLE t (id integer, name text);"
V = T + "CREATE VIEW v AS SELECT id FROM t;"
F = "CREATE FUNCTION f(a integer) RETURNS integer LANGUAGE sql AS 'SELECT a';"
TRIGGER = T + "CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
MADE = TRIGGER + "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION g();"
EVENT = "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
WATCH = "CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION e();"
FAR = "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;"
PARTED = "CREATE TABLE p (id integer, at date) PARTITION BY RANGE (at);"
STATISTICS = "CREATE STATISTICS st ON id, name FROM t;"

SHAPES = (
    Case("a schema", "", "CREATE SCHEMA s", ("added schema s",)),
    Case("a label", "CREATE TYPE e AS ENUM ('a')", "ALTER TYPE e ADD VALUE 'b'", ("changed type public.e",)),
    Case(
        "the order of labels",
        "CREATE TYPE e AS ENUM ('a', 'c')",
        "ALTER TYPE e ADD VALUE 'b' BEFORE 'c'",
        ("changed type public.e",),
    ),
    Case("a part of a type", "CREATE TYPE c AS (a integer)", "ALTER TYPE c ADD ATTRIBUTE b text", ("changed type public.c",)),
    Case("a range", "", "CREATE TYPE r AS RANGE (SUBTYPE = time)", ("added type public.r",)),
    Case(
        "a check of a domain", "CREATE DOMAIN d AS text", "ALTER DOMAIN d ADD CHECK (VALUE <> '')", ("changed domain public.d",)
    ),
    Case("NOT NULL of a domain", "CREATE DOMAIN d AS text", "ALTER DOMAIN d SET NOT NULL", ("changed domain public.d",)),
    Case("a sequence", "CREATE SEQUENCE q", "ALTER SEQUENCE q INCREMENT BY 7", ("changed sequence public.q",)),
    Case("its owner", T + "CREATE SEQUENCE q", "ALTER SEQUENCE q OWNED BY t.id", ("changed sequence public.q",)),
    Case("an option", T, "ALTER TABLE t SET (fillfactor = 50)", ("changed table public.t",)),
    Case("an option of long values", T, "ALTER TABLE t SET (toast.autovacuum_enabled = off)", ("changed table public.t",)),
    Case("persistence", T, "ALTER TABLE t SET UNLOGGED", ("changed table public.t",)),
    Case(
        "a parent",
        T + "CREATE TABLE b (id integer)",
        "ALTER TABLE t INHERIT b",
        ("added local column id of public.t", "changed table public.t"),
    ),
    Case(
        "a column that is also inherited",
        "CREATE TABLE b (id integer); CREATE TABLE c () INHERITS (b)",
        "DROP TABLE c; CREATE TABLE c (id integer) INHERITS (b)",
        ("added local column id of public.c",),
    ),
    Case(
        "a check that is also inherited",
        "CREATE TABLE b (id integer CONSTRAINT k CHECK (id > 0)); CREATE TABLE c () INHERITS (b)",
        "ALTER TABLE c ADD CONSTRAINT k CHECK (id > 0)",
        ("added local constraint k of public.c",),
    ),
    Case(
        "an index of a partitioned table",
        PARTED + "CREATE TABLE p1 PARTITION OF p DEFAULT",
        "CREATE INDEX i ON p (id); ALTER TABLE p ADD CONSTRAINT u UNIQUE (id, at), ADD CONSTRAINT k CHECK (id > 0)",
        ("added constraint k of public.p", "added constraint u of public.p", "added index public.i of public.p"),
    ),
    Case(
        "the name of an attached index",
        PARTED + "CREATE TABLE p1 PARTITION OF p DEFAULT; CREATE INDEX i ON p (id); ALTER TABLE p ADD UNIQUE (id, at)",
        "ALTER INDEX p1_id_idx RENAME TO other; ALTER TABLE p1 RENAME CONSTRAINT p1_id_at_key TO another",
        (),
    ),
    Case(
        "a setting of an attached index",
        PARTED + "CREATE TABLE p1 PARTITION OF p DEFAULT; CREATE INDEX i ON p (id)",
        "ALTER INDEX p1_id_idx SET (fillfactor = 70)",
        ("added index public.p1_id_idx of public.p1",),
    ),
    Case(
        "a part of an index that a key of a partition has",
        PARTED + "CREATE TABLE p1 PARTITION OF p DEFAULT; CREATE UNIQUE INDEX i ON p (id, at)",
        "ALTER TABLE p1 ADD CONSTRAINT k UNIQUE USING INDEX p1_id_at_idx",
        ("added constraint k of public.p1",),
    ),
    Case(
        "an attached index",
        PARTED + "CREATE TABLE p1 PARTITION OF p DEFAULT; CREATE INDEX i ON ONLY p (id); CREATE INDEX i1 ON p1 (id)",
        "ALTER INDEX i ATTACH PARTITION i1",
        ("changed index public.i of public.p", "removed index public.i1 of public.p1"),
    ),
    Case(
        "a partition",
        PARTED,
        "CREATE TABLE p1 PARTITION OF p DEFAULT",
        ("added column at of public.p1", "added column id of public.p1", "added column order public.p1", "added table public.p1"),
    ),
    Case(
        "a detached partition",
        PARTED + "CREATE TABLE p1 PARTITION OF p DEFAULT",
        "ALTER TABLE p DETACH PARTITION p1",
        ("changed table public.p1",),
    ),
    Case("a type", T, "ALTER TABLE t ALTER id TYPE bigint", ("changed column id of public.t",)),
    Case("a modifier", T, "ALTER TABLE t ALTER name TYPE varchar(3)", ("changed column name of public.t",)),
    Case("a collation", T, 'ALTER TABLE t ALTER name TYPE text COLLATE "C"', ("changed column name of public.t",)),
    Case("a default", T, "ALTER TABLE t ALTER id SET DEFAULT 1", ("changed column id of public.t",)),
    Case("NOT NULL", T, "ALTER TABLE t ALTER id SET NOT NULL", ("changed column id of public.t",)),
    Case(
        "NOT NULL that is not validated",
        T,
        "ALTER TABLE t ADD CONSTRAINT n NOT NULL id NOT VALID",
        ("added constraint n of public.t",),
        since=18,
    ),
    Case(
        "its name", T + "ALTER TABLE t ALTER id SET NOT NULL", "ALTER TABLE t RENAME CONSTRAINT t_id_not_null TO n", (), since=18
    ),
    Case(
        "an identity",
        "CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY)",
        "ALTER TABLE t ALTER id SET GENERATED BY DEFAULT SET START 5",
        ("changed column id of public.t",),
    ),
    Case(
        "an expression",
        "CREATE TABLE t (id integer GENERATED ALWAYS AS (1 + 1) STORED)",
        "ALTER TABLE t ALTER id DROP EXPRESSION",
        ("changed column id of public.t",),
    ),
    Case(
        "a virtual column",
        "CREATE TABLE t (id integer, b integer GENERATED ALWAYS AS (id + 1) VIRTUAL)",
        "ALTER TABLE t ALTER b SET EXPRESSION AS (id + 2)",
        ("changed column b of public.t",),
        since=18,
    ),
    Case("storage", T, "ALTER TABLE t ALTER name SET STORAGE EXTERNAL", ("added column settings name of public.t",)),
    Case("compression", T, "ALTER TABLE t ALTER name SET COMPRESSION pglz", ("added column settings name of public.t",)),
    Case("a statistics target", T, "ALTER TABLE t ALTER name SET STATISTICS 5", ("added column settings name of public.t",)),
    Case("replica identity", T, "ALTER TABLE t REPLICA IDENTITY FULL", ("added replica identity public.t",)),
    Case("clustering", T + "CREATE INDEX i ON t (id)", "ALTER TABLE t CLUSTER ON i", ("added clustering public.t",)),
    Case(
        "the order of columns alone",
        T,
        "DROP TABLE t; CREATE TABLE t (name text, id integer)",
        ("changed column order public.t",),
    ),
    Case("a table dropped and made again", T, "DROP TABLE t; CREATE TABLE t (id integer, name text)", ()),
    Case("a column added and dropped", T, "ALTER TABLE t ADD gone text; ALTER TABLE t DROP gone", ()),
    Case("rows", T, "INSERT INTO t VALUES (1, 'x'); ANALYZE t", ()),
)

PARTS = (
    Case("a check", T, "ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0)", ("added constraint c of public.t",)),
    Case(
        "validation",
        T + "ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0) NOT VALID",
        "ALTER TABLE t VALIDATE CONSTRAINT c",
        ("changed constraint c of public.t",),
    ),
    Case(
        "deferrability",
        T + "ALTER TABLE t ADD CONSTRAINT u UNIQUE (id); ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (id) REFERENCES t (id)",
        "ALTER TABLE t ALTER CONSTRAINT k DEFERRABLE",
        ("changed constraint k of public.t",),
    ),
    Case("a key", T, "ALTER TABLE t ADD CONSTRAINT u UNIQUE (id)", ("added constraint u of public.t",)),
    Case("an index", T, "CREATE INDEX i ON t (id)", ("added index public.i of public.t",)),
    Case(
        "a condition",
        T + "CREATE INDEX i ON t (id)",
        "DROP INDEX i; CREATE INDEX i ON t (id) WHERE id > 1",
        ("changed index public.i of public.t",),
    ),
    Case(
        "an invalid index",
        T + "CREATE INDEX i ON t (id)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass",
        ("changed index public.i of public.t",),
    ),
    Case(
        "an invalid index of a key",
        T + "ALTER TABLE t ADD CONSTRAINT u UNIQUE (id)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'u'::regclass",
        ("changed constraint u of public.t",),
    ),
    Case("a view", V, "CREATE OR REPLACE VIEW v AS SELECT id FROM t WHERE id > 1", ("changed view public.v",)),
    Case("an option of a view", V, "ALTER VIEW v SET (security_barrier)", ("changed view public.v",)),
    Case("a default of a view", V, "ALTER VIEW v ALTER id SET DEFAULT 1", ("added column id of public.v",)),
    Case("a materialized view", V, "CREATE MATERIALIZED VIEW m AS TABLE t", ("added materialized view public.m",)),
    Case(
        "a function",
        F,
        F.replace("'SELECT a'", "'SELECT a + 1'").replace("CREATE", "CREATE OR REPLACE"),
        ("changed function public.f(integer)",),
    ),
    Case("volatility", F, "ALTER FUNCTION f STABLE", ("changed function public.f(integer)",)),
    Case("a procedure", "", "CREATE PROCEDURE p(a text) LANGUAGE sql AS ''", ("added procedure public.p(text)",)),
    Case(
        "an aggregate",
        "CREATE AGGREGATE a (integer) (SFUNC = int4pl, STYPE = integer)",
        "CREATE OR REPLACE AGGREGATE a (integer) (SFUNC = int4pl, STYPE = integer, COMBINEFUNC = int4pl)",
        ("changed aggregate public.a(integer)",),
    ),
    Case(
        "a trigger",
        TRIGGER,
        "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION g()",
        ("added trigger x of public.t",),
    ),
    Case("a disabled trigger", MADE, "ALTER TABLE t DISABLE TRIGGER x", ("changed trigger x of public.t",)),
    Case("a rule", T, "CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING", ("added rule r of public.t",)),
    Case(
        "a disabled rule",
        T + "CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING",
        "ALTER TABLE t DISABLE RULE r",
        ("changed rule r of public.t",),
    ),
    Case("statistics", T, STATISTICS, ("added statistics public.st of public.t",)),
    Case("their target", T + STATISTICS, "ALTER STATISTICS st SET STATISTICS 9", ("changed statistics public.st of public.t",)),
    Case("an event trigger", EVENT, WATCH, ("added event trigger watch",)),
    Case("a disabled event trigger", EVENT + WATCH, "ALTER EVENT TRIGGER watch DISABLE", ("changed event trigger watch",)),
    Case("a comment", T, "COMMENT ON COLUMN t.id IS 'x'", ("added comment column id of public.t",)),
    Case("a changed comment", T + "COMMENT ON TABLE t IS 'x'", "COMMENT ON TABLE t IS 'y'", ("changed comment table public.t",)),
    Case(
        "an operator",
        "",
        "CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq)",
        ("added operator public.===(integer,integer)",),
    ),
    Case("a collation of one's own", "", 'CREATE COLLATION c FROM "C"', ("added collation public.c",)),
)

ACCESS = (
    Case("row security", T, "ALTER TABLE t ENABLE ROW LEVEL SECURITY", ("added row security public.t",)),
    Case("a policy", T, "CREATE POLICY p ON t USING (id = 1)", ("added policy p of public.t",)),
    Case("its roles", T + "CREATE POLICY p ON t", "ALTER POLICY p ON t TO catalog_reader", ("changed policy p of public.t",)),
    Case("a grant", T, "GRANT SELECT ON t TO catalog_reader", ("added grant catalog_reader of public.t",)),
    Case("a column's grant", T, "GRANT SELECT (id) ON t TO catalog_reader", ("added grant catalog_reader (id) of public.t",)),
    Case(
        "grant option",
        T + "GRANT SELECT ON t TO catalog_reader",
        "GRANT SELECT ON t TO catalog_reader WITH GRANT OPTION",
        ("changed grant catalog_reader of public.t",),
    ),
    Case("a grant taken back", T, "GRANT SELECT ON t TO catalog_reader; REVOKE SELECT ON t FROM catalog_reader", ()),
    Case("the default written out", F, "GRANT EXECUTE ON FUNCTION f TO PUBLIC", ()),
    Case("a function not for all", F, "REVOKE ALL ON FUNCTION f FROM PUBLIC", ("added grant PUBLIC of public.f(integer)",)),
    Case("an owner without a right", T, "REVOKE DELETE ON t FROM CURRENT_USER", ("added grant OWNER of public.t",)),
    Case(
        "a schema's grant", "CREATE SCHEMA s", "GRANT USAGE ON SCHEMA s TO catalog_reader", ("added grant catalog_reader of s",)
    ),
    Case("a sequence's", "CREATE SEQUENCE q", "GRANT USAGE ON SEQUENCE q TO PUBLIC", ("added grant PUBLIC of public.q",)),
    Case("a type's", "CREATE TYPE e AS ENUM ()", "REVOKE USAGE ON TYPE e FROM PUBLIC", ("added grant PUBLIC of public.e",)),
    Case("no use of the schema public", "", "REVOKE USAGE ON SCHEMA public FROM PUBLIC", ("added grant PUBLIC of public",)),
    Case(
        "a default privilege",
        "",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO catalog_reader",
        ("added default privilege FOR ROLE OWNER IN SCHEMA public TABLES TO catalog_reader of schema public",),
    ),
    Case("another owner", T + F, "ALTER TABLE t OWNER TO catalog_other; ALTER FUNCTION f OWNER TO catalog_other", ()),
    Case(
        "another owner of what is granted",
        T + "GRANT SELECT ON t TO catalog_reader; REVOKE DELETE ON t FROM CURRENT_USER",
        "ALTER TABLE t OWNER TO catalog_other",
        (),
    ),
)

OUTSIDE = (
    Case("a publication", T, "CREATE PUBLICATION b FOR TABLE t WITH (publish = '')", ("added publication b",)),
    Case(
        "what is published",
        T + "CREATE PUBLICATION b WITH (publish = 'insert')",
        "ALTER PUBLICATION b SET (publish = 'delete')",
        ("changed publication b",),
    ),
    Case(
        "rows and columns published",
        T + "CREATE PUBLICATION b FOR TABLE t WITH (publish = 'insert')",
        "ALTER PUBLICATION b SET TABLE t (id) WHERE (id > 1)",
        ("changed publication b",),
        since=15,
    ),
    Case(
        "a schema published",
        "CREATE PUBLICATION b WITH (publish = 'insert')",
        "ALTER PUBLICATION b ADD TABLES IN SCHEMA public",
        ("changed publication b",),
        since=15,
    ),
    Case("a server's option", FAR, "ALTER SERVER s OPTIONS (host 'x')", ("changed server s",)),
    Case("a wrapper", "", "CREATE FOREIGN DATA WRAPPER w", ("added foreign-data wrapper w",)),
    Case("a user mapping", FAR, "CREATE USER MAPPING FOR PUBLIC SERVER s", ("added user mapping PUBLIC of server s",)),
    Case(
        "a foreign table's option",
        FAR + "CREATE FOREIGN TABLE ft (a integer) SERVER s",
        "ALTER FOREIGN TABLE ft OPTIONS (table_name 'x')",
        ("changed foreign table public.ft",),
    ),
    Case(
        "a foreign column's option",
        FAR + "CREATE FOREIGN TABLE ft (a integer) SERVER s",
        "ALTER FOREIGN TABLE ft ALTER a OPTIONS (n 'x')",
        ("changed column a of public.ft",),
    ),
)

NAMES = (
    Case(
        "names of all kinds",
        'CREATE SCHEMA "Größe ""x"" y"',
        """CREATE TABLE "Größe ""x"" y"."Ta.ble" ("ö 'z'" integer CONSTRAINT "É" CHECK ("ö 'z'" > 0));
        CREATE INDEX "I x" ON "Größe ""x"" y"."Ta.ble" ("ö 'z'");
        COMMENT ON COLUMN "Größe ""x"" y"."Ta.ble"."ö 'z'" IS 'ä'""",
        (
            'added column "ö \'z\'" of "Größe ""x"" y"."Ta.ble"',
            'added column order "Größe ""x"" y"."Ta.ble"',
            'added comment column "ö \'z\'" of "Größe ""x"" y"."Ta.ble"',
            'added constraint "É" of "Größe ""x"" y"."Ta.ble"',
            'added index "Größe ""x"" y"."I x" of "Größe ""x"" y"."Ta.ble"',
            'added table "Größe ""x"" y"."Ta.ble"',
        ),
    ),
)

CASES = (*SHAPES, *PARTS, *ACCESS, *OUTSIDE, *NAMES)
