"""What a change of a schema loses: cases of two schemas on a server, and the message."""

import pytest

from tasks.catalog import Catalog, read_catalog
from tasks.generation.losses import find_losses, refuse_losses
from tests.kit.databases import Database

pytestmark = pytest.mark.only_newest

PARTS = "CREATE TABLE p (id int, x text) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
CHILD = "CREATE TABLE a (id int, x text); CREATE TABLE b (y text) INHERITS (a);"
MOOD = "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (m mood);"
RECREATE = (
    "ALTER TABLE t ALTER m TYPE text; DROP TYPE mood; CREATE TYPE mood AS ENUM ('ok');"
    "ALTER TABLE t ALTER m TYPE mood USING m::mood"
)
GENERATED = "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED);"
CASES = {
    "a table": ("CREATE TABLE t (id int)", "DROP TABLE t", ["drops table t with its rows"]),
    "a table in a schema": ("CREATE SCHEMA s; CREATE TABLE s.t ()", "DROP SCHEMA s CASCADE", ["drops table s.t with its rows"]),
    "a partition": (PARTS, "DROP TABLE p1", ["drops partition p1 of public.p with its rows"]),
    "a partitioned table": (PARTS, "DROP TABLE p", ["drops table p with its rows"]),
    "another partition key": (
        PARTS,
        "DROP TABLE p; CREATE TABLE p (id int, x text) PARTITION BY HASH (id)",
        [],
    ),
    "another partition key, and a partition that becomes a table: it is detached": (
        PARTS,
        "DROP TABLE p; CREATE TABLE p (id int, x text) PARTITION BY HASH (id); CREATE TABLE p1 (id int, x text)",
        [],
    ),
    "a generated column that is not stored becomes a plain one": (
        "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL)",
        "ALTER TABLE t DROP b, ADD b int",
        [],
    ),
    "a generated column that is not stored becomes a plain one, without the column that it is made of": (
        "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL)",
        "ALTER TABLE t DROP b, DROP a, ADD b int",
        ["drops column t.a with its values", "removes the values of column t.b, which are generated and not stored"],
    ),
    "a detached partition": (PARTS, "ALTER TABLE p DETACH PARTITION p1", []),
    "a column": ("CREATE TABLE t (id int, x text)", "ALTER TABLE t DROP x", ["drops column t.x with its values"]),
    "a column of partitions": (PARTS, "ALTER TABLE p DROP x", ["drops column p.x with its values"]),
    "an inherited column": (CHILD, "ALTER TABLE a DROP x", ["drops column a.x with its values"]),
    "a column of a child": (CHILD, "ALTER TABLE b DROP y", ["drops column b.y with its values"]),
    "a table with a child": (CHILD, "DROP TABLE a CASCADE", ["drops table a with its rows", "drops table b with its rows"]),
    "a generated column": (GENERATED, "ALTER TABLE t DROP b", []),
    "a column that becomes generated": (
        "CREATE TABLE t (a int, b int)",
        "ALTER TABLE t DROP b; ALTER TABLE t ADD b int GENERATED ALWAYS AS (a) STORED",
        ["replaces the values of column t.b with generated ones"],
    ),
    "a column that is no longer generated": (GENERATED, "ALTER TABLE t ALTER b DROP EXPRESSION", []),
    "a narrower type": (
        "CREATE TABLE t (a numeric(10,2))",
        "ALTER TABLE t ALTER a TYPE numeric(8,2)",
        ["changes column t.a from numeric(10,2) to numeric(8,2), which cannot represent every value"],
    ),
    "a wider type": ("CREATE TABLE t (a int, b varchar(5))", "ALTER TABLE t ALTER a TYPE bigint, ALTER b TYPE text", []),
    "a narrower type of partitions": (
        PARTS,
        "ALTER TABLE p ALTER x TYPE varchar(3)",
        ["changes column p.x from text to character varying(3), which cannot represent every value"],
    ),
    "a domain of the same type": ("CREATE TABLE t (a text)", "CREATE DOMAIN d AS text; ALTER TABLE t ALTER a TYPE d", []),
    "a domain of a narrower type": (
        "CREATE DOMAIN d AS text DEFAULT 'x' NOT NULL; CREATE TABLE t (a d)",
        "ALTER TABLE t ALTER a TYPE text; DROP DOMAIN d; CREATE DOMAIN d AS varchar(3); ALTER TABLE t ALTER a TYPE d",
        ["changes domain d from text to character varying(3), which cannot represent every value"],
    ),
    "attributes of a row type": (
        "CREATE TYPE c AS (a text, b int, d int); CREATE TYPE w AS (c c); CREATE TABLE t (c c, w w)",
        "ALTER TYPE c DROP ATTRIBUTE d; DROP TABLE t; ALTER TYPE c ALTER ATTRIBUTE a TYPE varchar(3); CREATE TABLE t (c c, w w)",
        [
            "changes attribute a from text to character varying(3), which cannot represent every value, and drops attribute d"
            f" in the values of type c in column t.{column}"
            for column in ("c", "w")
        ],
    ),
    "a check of a domain": ("CREATE DOMAIN d AS text", "ALTER DOMAIN d ADD CHECK (VALUE <> '')", []),
    "constraints": ("CREATE TABLE t (a int)", "ALTER TABLE t ALTER a SET NOT NULL, ADD UNIQUE (a), ADD CHECK (a > 0)", []),
    "a label": (MOOD, RECREATE, ["removes value 'sad' of type mood, so that no row can have it"]),
    "an enum as a text": (MOOD, "ALTER TABLE t ALTER m TYPE text; DROP TYPE mood", []),
    "a text as an enum": (
        "CREATE TABLE t (m text)",
        "CREATE TYPE mood AS ENUM ('sad'); ALTER TABLE t ALTER m TYPE mood USING m::mood",
        ["changes column t.m from text to public.mood, which cannot represent every value"],
    ),
    "a sequence": ("CREATE SEQUENCE q", "DROP SEQUENCE q", ["drops sequence q with its last value"]),
    "the sequence of a column": (
        "CREATE TABLE t (id serial, x int)",
        "ALTER TABLE t DROP id",
        ["drops column t.id with its values"],
    ),
    "a serial that becomes an identity": (
        "CREATE TABLE t (id serial)",
        "ALTER TABLE t ALTER id DROP DEFAULT; DROP SEQUENCE t_id_seq; ALTER TABLE t ALTER id ADD GENERATED ALWAYS AS IDENTITY",
        [],
    ),
    "an identity that becomes a default from a sequence of its own": (
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY)",
        "ALTER TABLE t ALTER id DROP IDENTITY; CREATE SEQUENCE q; ALTER TABLE t ALTER id SET DEFAULT nextval('q')",
        ["drops sequence t_id_seq with its last value"],
    ),
    "an identity that is removed": (
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY)",
        "ALTER TABLE t ALTER id DROP IDENTITY",
        [],
    ),
    "a materialized view": ("CREATE MATERIALIZED VIEW m AS SELECT 1 AS a", "DROP MATERIALIZED VIEW m", []),
    "a table that becomes a view": (
        "CREATE TABLE t ()",
        "DROP TABLE t; CREATE VIEW t AS SELECT 1",
        ["drops table t with its rows"],
    ),
    "a range of a narrower type": (
        "CREATE TYPE r AS RANGE (SUBTYPE = bigint)",
        "DROP TYPE r; CREATE TYPE r AS RANGE (SUBTYPE = int)",
        ["changes type r from bigint to integer, which cannot represent every value"],
    ),
}


def read_both(database: Database, before: str, change: str) -> tuple[Catalog, Catalog]:
    """Return the schema that statements make, and that after others."""
    database.execute(before)
    old = database.ask(read_catalog)
    database.execute(change)
    return old, database.ask(read_catalog)


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_what_a_change_loses_is_found(database: Database, case: tuple[str, str, list[str]]) -> None:
    before, change, sentences = case
    assert [loss.sentence for loss in find_losses(*read_both(database, before, change))] == sentences


def test_a_refusal_names_each_loss_and_the_flags(database: Database) -> None:
    before, after = read_both(database, 'CREATE TABLE t (id int, "a\nb" text)', 'ALTER TABLE t DROP "a\nb", ADD c text')
    losses = find_losses(before, after)
    error = refuse_losses(losses, before, after, again="inv db.new x --from-schema=s.sql --allow-loss")
    assert error.exit_code == 3
    assert 'drops column t."a\nb" with its values' in error.message
    assert "inv db.new x --from-schema=s.sql --allow-loss" in (error.hint or "")
    assert "--rename 't.\"a\nb\"=c'" in (error.hint or "")
    assert error.state == "Nothing was written."
