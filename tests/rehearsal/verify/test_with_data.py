"""Tables get rows that satisfy their constraints, and rows bring to light what an empty table hides."""

import psycopg
import pytest

from tasks.rehearsal.rows import Unfilled, fill_tables, read_rows
from tasks.rehearsal.scratch.server import ScratchServer
from tests.rehearsal.verifying import list_found, verify_last

FILLABLE = {
    "types": """
        CREATE TYPE mood AS ENUM ('sad', 'it''s "fine", ok');
        CREATE TYPE pair AS (a int, b text, c mood);
        CREATE DOMAIN plz AS text NOT NULL CHECK (VALUE ~ '^[0-9]{5}$' AND length(VALUE) = 5);
        CREATE DOMAIN small AS int CHECK (VALUE BETWEEN 70 AND 80);
        CREATE TABLE t (
            a mood NOT NULL, b plz, c small NOT NULL, d text[] NOT NULL, e uuid NOT NULL, f json NOT NULL, g jsonb NOT NULL,
            h int4range NOT NULL, i tstzmultirange NOT NULL, j inet NOT NULL, k bytea NOT NULL, l tsvector NOT NULL,
            m pair NOT NULL, n mood[] NOT NULL, o numeric(3, 3) NOT NULL, p varchar(2) NOT NULL, q bit(3) NOT NULL,
            r interval NOT NULL, s timestamptz NOT NULL, t time NOT NULL, u money NOT NULL, w macaddr NOT NULL,
            x point NOT NULL, y pair[] NOT NULL, z "char" NOT NULL, aa tsquery NOT NULL, ab daterange NOT NULL,
            ac numeric NOT NULL, ad real NOT NULL, ae date NOT NULL, af cidr NOT NULL, ag char(3) NOT NULL)""",
    "vector": "CREATE EXTENSION vector; CREATE TABLE t (id serial, v vector(5) NOT NULL, h halfvec(2) NOT NULL)",
    "conditions": """
        CREATE TABLE t (
            a text NOT NULL CHECK (a IN ('x', 'y')), b text NOT NULL CHECK (b = ANY (ARRAY['p', 'q'])),
            c int NOT NULL CHECK (c > 500 AND c < 510), d text NOT NULL CHECK (char_length(d) >= 30),
            e text NOT NULL CHECK (e ~ '^[^@]+@[^@]+$'), f numeric NOT NULL CHECK (f >= 0.25 AND f <= 0.75),
            g date NOT NULL, h date NOT NULL, CHECK (g < h), i text CHECK (i IS NOT NULL),
            j jsonb NOT NULL CHECK (jsonb_typeof(j) = 'array'), k text[] NOT NULL CHECK (cardinality(k) = 2))""",
    "keys": """
        CREATE TABLE t (a int PRIMARY KEY, b text UNIQUE NOT NULL, c text NOT NULL, d mood_ NOT NULL, UNIQUE (c, d));
        CREATE UNIQUE INDEX ON t (lower(c));
        CREATE TABLE x (r int4range NOT NULL, EXCLUDE USING gist (r WITH &&))""",
    "the server's own": """
        CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b bigserial, c int GENERATED ALWAYS AS (d * 2) STORED,
            d int NOT NULL DEFAULT 3, e uuid DEFAULT gen_random_uuid() UNIQUE, f timestamptz DEFAULT now());
        CREATE TABLE nothing (a serial)""",
    "references": """
        CREATE TABLE z (a int, b text, PRIMARY KEY (a, b)); CREATE TABLE p (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
        CREATE TABLE t (p uuid NOT NULL REFERENCES p, a int NOT NULL, b text NOT NULL, FOREIGN KEY (a, b) REFERENCES z,
            PRIMARY KEY (p, a));
        CREATE TABLE tree (id serial PRIMARY KEY, parent int REFERENCES tree);
        CREATE TABLE ring (id int PRIMARY KEY, next int NOT NULL REFERENCES ring)""",
    "cycles": """
        CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a);
        ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;
        CREATE TABLE c (id int PRIMARY KEY, d int NOT NULL);
        CREATE TABLE d (id int PRIMARY KEY, c int NOT NULL REFERENCES c DEFERRABLE INITIALLY DEFERRED);
        ALTER TABLE c ADD FOREIGN KEY (d) REFERENCES d DEFERRABLE""",
    "partitions": """
        CREATE TABLE t (at date NOT NULL, kind text NOT NULL) PARTITION BY RANGE (at);
        CREATE TABLE t19 PARTITION OF t FOR VALUES FROM ('2019-01-01') TO ('2020-01-01') PARTITION BY LIST (kind);
        CREATE TABLE t19k PARTITION OF t19 FOR VALUES IN ('k', 'l')""",
    "triggers": """
        CREATE TABLE t (a int NOT NULL);
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'never'; END $$;
        CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()""",
    "odd names": """
        CREATE SCHEMA "S p ü";
        CREATE TABLE "S p ü"."T ""x" ("ß%s" int NOT NULL, "a ""b" text CHECK ("a ""b" IN ('it''s', '%')))""",
    "rows that are there": """
        CREATE TABLE t (a int PRIMARY KEY, b text UNIQUE);
        INSERT INTO t SELECT n, 'text ' || n FROM generate_series(1, 5) n""",
}
UNFILLABLE = {
    "an impossible condition": ("CREATE TABLE t (a int CHECK (a IS NOT NULL AND a <> a))", "violates check constraint"),
    "an unknown type": ("CREATE TABLE t (a pg_snapshot NOT NULL)", "no value is known for column a of type pg_snapshot"),
    "no partition": ("CREATE TABLE t (a int NOT NULL) PARTITION BY LIST (a)", "no partition of relation"),
    "a circle": (
        "CREATE TABLE t (id int PRIMARY KEY, u int NOT NULL); CREATE TABLE u (id int PRIMARY KEY, t int NOT NULL REFERENCES t);"
        " ALTER TABLE t ADD FOREIGN KEY (u) REFERENCES u",
        "round in a circle",
    ),
}


def fill(scratch: ScratchServer, text: str) -> tuple[list[Unfilled], dict[str, int]]:
    """Fill the tables that a text makes; gives what got no rows, and how many the others have."""
    with scratch.make() as database, psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("CREATE DOMAIN mood_ AS text")
        connection.execute(text)
        unfilled = fill_tables(connection)
        return unfilled, {name: contents.rows for name, contents in read_rows(connection).items()}


@pytest.mark.parametrize("text", FILLABLE.values(), ids=FILLABLE.keys())
def test_every_table_whose_constraints_can_be_met_gets_rows(scratch: ScratchServer, text: str) -> None:
    unfilled, rows = fill(scratch, text)
    assert unfilled == []
    assert all(count >= 2 for count in rows.values()), rows


@pytest.mark.parametrize(("text", "reason"), UNFILLABLE.values(), ids=UNFILLABLE.keys())
def test_a_table_that_cannot_be_filled_is_named_with_the_reason(scratch: ScratchServer, text: str, reason: str) -> None:
    unfilled, _ = fill(scratch, f"{text}; CREATE TABLE other (a int)")
    assert "public.t" in {each.table for each in unfilled}
    assert "public.other" not in {each.table for each in unfilled}
    assert reason in next(each.reason for each in unfilled if each.table == "public.t")


def test_a_deferred_trigger_that_refuses_is_passed_by_too(scratch: ScratchServer) -> None:
    unfilled, rows = fill(
        scratch,
        """
        CREATE TABLE t (a int); CREATE TABLE u (a int);
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;
        CREATE CONSTRAINT TRIGGER g AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()""",
    )
    assert unfilled == []
    assert rows == {"public.t": 3, "public.u": 3}


A = ("CREATE TABLE a (id serial PRIMARY KEY, kind text NOT NULL, note text, size int NOT NULL);", "DROP TABLE a;")
ON_ROWS = {
    "a column without a default": ("ALTER TABLE a ADD COLUMN z int NOT NULL;", "ALTER TABLE a DROP COLUMN z;"),
    "a key over duplicates": ("ALTER TABLE a ADD UNIQUE (kind);", "ALTER TABLE a DROP CONSTRAINT a_kind_key;"),
    "no more NULLs": ("ALTER TABLE a ALTER note SET NOT NULL;", "ALTER TABLE a ALTER note DROP NOT NULL;"),
}
LOSING = {
    "a column": (
        "ALTER TABLE a DROP COLUMN size;",
        "ALTER TABLE a ADD COLUMN size int NOT NULL DEFAULT 0;\nALTER TABLE a ALTER size DROP DEFAULT;",
        "- column size of public.a: 3 of 3 values",
    ),
    "a table": (A[1], A[0], "- table public.a: 3 of 3 rows"),
    "rows": ("DELETE FROM a WHERE note IS NULL;", "SELECT 1;", "- table public.a: 1 of 3 rows"),
    "values": ("UPDATE a SET kind = 'x';", "SELECT 1;", "- column kind of public.a: 3 of 3 values"),
}


@pytest.mark.parametrize("text", ON_ROWS.values(), ids=ON_ROWS.keys())
def test_what_only_fails_on_rows_is_found_with_rows(scratch: ScratchServer, text: tuple[str, str]) -> None:
    assert list_found(verify_last(scratch, A, text)) == []
    assert list_found(verify_last(scratch, A, text, with_data=True)) == ["up_fails_on_rows"]


def test_a_down_that_fails_on_rows_is_found(scratch: ScratchServer) -> None:
    text = ("ALTER TABLE a ALTER size DROP NOT NULL; UPDATE a SET size = NULL;", "ALTER TABLE a ALTER size SET NOT NULL;")
    assert list_found(verify_last(scratch, A, text, with_data=True)) == ["down_fails_on_rows"]


@pytest.mark.parametrize(("up", "down", "lost"), LOSING.values(), ids=LOSING.keys())
def test_what_up_and_down_lose_is_named(scratch: ScratchServer, up: str, down: str, lost: str) -> None:
    found = [found for found in verify_last(scratch, A, (up, down), with_data=True).findings if not found.mild]
    assert [each.what for each in found] == ["rows_lost"]
    assert found[0].diff == (lost,)


def test_what_keeps_its_rows_is_clean_with_them(scratch: ScratchServer) -> None:
    keeping = ("ALTER TABLE a RENAME kind TO sort;", "ALTER TABLE a RENAME sort TO kind;")
    verified = verify_last(scratch, A, keeping, with_data=True)
    assert verified.findings == ()
    assert verified.with_data


def test_an_irreversible_loss_is_said_and_therefore_fine(scratch: ScratchServer) -> None:
    text = ("ALTER TABLE a DROP COLUMN size;", "-- migrate: irreversible the sizes are gone")
    assert list_found(verify_last(scratch, A, text, with_data=True)) == []


def test_a_table_without_rows_is_named_as_unchecked(scratch: ScratchServer) -> None:
    verified = verify_last(scratch, (UNFILLABLE["an unknown type"][0] + ";", "DROP TABLE t;"), A, with_data=True)
    assert verified.unchecked == ("public.t: no rows were made: no value is known for column a of type pg_snapshot",)
