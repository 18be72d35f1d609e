"""What statements lock by their text, beside what they lock on scratch."""

from dataclasses import replace

from tasks.forecast.model import ObservedStatement
from tasks.forecast.observing.observe import observe
from tasks.lint.effects import depends_on_effects
from tasks.lint.engine import build_contexts
from tasks.lint.files import read_file
from tasks.lint.model import LintExample
from tasks.lint.replaying import replay_files
from tasks.lint.rules.sharing import list_exclusive
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tests.lint.linting import make_migrations

SETUP = """
CREATE TABLE t (id int PRIMARY KEY, a int, b text CONSTRAINT b_set CHECK (b <> ''), c int);
CREATE TABLE u (id int PRIMARY KEY, t int CONSTRAINT u_t REFERENCES t);
CREATE TABLE parent (a int, b int) PARTITION BY LIST (a);
CREATE TABLE child PARTITION OF parent FOR VALUES IN (1);
CREATE INDEX t_a ON t (a);
CREATE VIEW v AS SELECT id FROM t;
CREATE SEQUENCE s;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
"""
SHOWN = (
    "ALTER TABLE t ADD COLUMN d text",
    "ALTER TABLE t ADD COLUMN e text NOT NULL DEFAULT 'x'",
    "ALTER TABLE t ALTER COLUMN a SET DEFAULT 1",
    "ALTER TABLE t ALTER COLUMN d SET NOT NULL",
    "ALTER TABLE t ALTER COLUMN d DROP NOT NULL",
    "ALTER TABLE t ADD CONSTRAINT a_set CHECK (a > 0) NOT VALID",
    "ALTER TABLE t VALIDATE CONSTRAINT a_set",
    "ALTER TABLE u ADD CONSTRAINT u_id FOREIGN KEY (id) REFERENCES t",
    "ALTER TABLE t ADD UNIQUE (c)",
    "ALTER TABLE t DROP CONSTRAINT b_set",
    "ALTER TABLE t DROP COLUMN c",
    "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE t RENAME COLUMN e TO g",
    "ALTER TABLE t RENAME CONSTRAINT a_set TO a_positive",
    "ALTER INDEX t_a RENAME TO t_a_idx",
    "CREATE INDEX t_b ON t (b)",
    "CREATE TABLE w (id int PRIMARY KEY REFERENCES t)",
    "CREATE TRIGGER r BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE OR REPLACE VIEW v AS SELECT id, a FROM t",
    "ALTER SEQUENCE s OWNED BY t.id",
    "GRANT SELECT ON t TO PUBLIC",
    "DROP TRIGGER r ON t",
    "DROP FUNCTION f()",
    "DROP VIEW v",
    "DROP INDEX t_a_idx",
    "CREATE TYPE mood AS ENUM ('good')",
    "ALTER TYPE mood ADD VALUE 'bad'",
    "DROP TYPE mood",
)
NOT_SHOWN = (
    "ALTER TABLE parent ADD COLUMN d text",
    "ALTER TABLE u DROP CONSTRAINT u_t",
    "ALTER TABLE u DROP COLUMN t",
    "DROP TABLE u",
    "CREATE TABLE other PARTITION OF parent FOR VALUES IN (2)",
    "DROP TABLE t CASCADE",
    "DO 'BEGIN END'",
)
OBSERVED = (
    "ALTER TABLE t ALTER COLUMN a TYPE bigint",
    "ALTER TABLE t ADD COLUMN d timestamptz DEFAULT clock_timestamp()",
    "ALTER TABLE t ADD COLUMN d int GENERATED ALWAYS AS (1) STORED",
    "ALTER TABLE t ADD COLUMN d serial",
    "UPDATE t SET a = 1",
)


def test_the_text_of_a_statement_shows_what_it_locks_on_scratch(scratch: ScratchServer) -> None:
    migrations = make_migrations(SETUP, [LintExample(f"{statement};\n", None) for statement in SHOWN])
    names = tuple(each.name for each in migrations[1:])
    selection = Selection(migrations, names, "chosen")
    known = replay_files(scratch, selection)
    seen: dict[str, list[ObservedStatement]] = {}
    for each in observe(scratch, selection):
        assert isinstance(each, ObservedStatement)
        seen.setdefault(each.version, []).append(each)
    files = [read_file(each) for each in migrations[1:]]
    by_text = list(build_contexts(files, replace(known, observed={})))
    on_scratch = list(build_contexts(files, replace(known, observed=seen)))
    for shown, observed, text in zip(by_text, on_scratch, SHOWN, strict=True):
        assert (text, list_exclusive(shown, shown.file.statements[0])) == (
            text,
            list_exclusive(observed, observed.file.statements[0]),
        )


def test_only_what_the_text_does_not_show_is_observed(scratch: ScratchServer) -> None:
    others = ("CREATE TABLE x (a int)", "CREATE TABLE y (a int)")
    texts = [*(f"{others[0]};\n{each};\n{others[1]};\n" for each in (*SHOWN[:1], *NOT_SHOWN)), *OBSERVED]
    migrations = make_migrations(SETUP, [LintExample(text, None) for text in texts])
    schema = replay_files(scratch, Selection(migrations[:2], (migrations[1].name,), "chosen")).schemas[migrations[1].name]
    assert [depends_on_effects(read_file(each), schema) for each in migrations[1:]] == [False, *[True] * (len(texts) - 1)]
