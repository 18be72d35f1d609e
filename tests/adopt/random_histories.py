"""Random histories: files that create, change and drop objects with few names, so that they conflict."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from tasks.catalog import Catalog
from tasks.rehearsal.model import Outcome, RehearsedMigration
from tasks.rehearsal.replay.replay import replay
from tasks.rehearsal.scratch.server import ScratchServer

_STATEMENTS = {
    "CREATE TABLE {maybe_new} {t} (id int, {c} {y});": 5,
    "CREATE TABLE {t} (id serial PRIMARY KEY, {c} {y} UNIQUE);": 2,
    "ALTER TABLE {t} ADD COLUMN {maybe_new} {c} {y};": 5,
    "ALTER TABLE {t} DROP COLUMN {maybe} {c};": 2,
    "ALTER TABLE {t} ALTER COLUMN {c} TYPE {y} USING NULL;": 3,
    "ALTER TABLE {t} ALTER COLUMN {c} SET NOT NULL;": 1,
    "ALTER TABLE {t} RENAME COLUMN {c} TO {c2};": 1,
    "ALTER TABLE {t} RENAME TO {t2};": 1,
    "DROP TABLE {maybe} {t};": 1,
    "DROP TABLE IF EXISTS {t} CASCADE;": 1,
    "CREATE INDEX {maybe_new} {i} ON {t} ({c});": 4,
    "DROP INDEX {maybe} {i};": 1,
    "CREATE TYPE {e} AS ENUM ('a');": 3,
    "ALTER TYPE {e} ADD VALUE {maybe_new} '{label}';": 3,
    "DROP TYPE {maybe} {e};": 1,
    "CREATE {or_replace} VIEW {v} AS SELECT {c} FROM {t};": 3,
    "DROP VIEW {maybe} {v};": 1,
    "CREATE OR REPLACE FUNCTION {f}() RETURNS int LANGUAGE sql AS 'SELECT {n}';": 3,
    "DROP FUNCTION {maybe} {f}();": 1,
    "COMMENT ON TABLE {t} IS '{label}';": 1,
    "INSERT INTO {t} (id) VALUES ({n});": 1,
}
_NAMES = {
    "t": ["t1", "t1", "t2", "t3"],
    "t2": ["t1", "t2", "t4"],
    "c": ["c1", "c1", "c2", "c3"],
    "c2": ["c1", "c2", "c4"],
    "y": ["int", "bigint", "e1"],
    "i": ["i1", "i2", "i3"],
    "e": ["e1"],
    "v": ["v1"],
    "f": ["f1", "f2"],
    "n": ["1", "2"],
    "label": ["b", "c"],
    "maybe": ["IF EXISTS", ""],
    "maybe_new": ["IF NOT EXISTS", ""],
    "or_replace": ["OR REPLACE", ""],
}
_WEIGHTED = [text for text, weight in _STATEMENTS.items() for _ in range(weight)]
_BASE = "CREATE TABLE t1 (id int, c1 int);"


@st.composite
def _draw_statement(draw: st.DrawFn) -> str:
    values = {name: draw(st.sampled_from(choices)) for name, choices in _NAMES.items()}
    return " ".join(draw(st.sampled_from(_WEIGHTED)).format(**values).split())


@dataclass(frozen=True)
class Sketch:
    """The texts of some files, and which of them are to be applied; a file may fail."""

    texts: tuple[str, ...]
    wanted: tuple[bool, ...]


@st.composite
def sketches(draw: st.DrawFn, *, least: int = 8, most: int = 24) -> Sketch:
    """Draw the files of a history and a subset of them."""
    files = draw(st.lists(st.lists(_draw_statement(), min_size=1, max_size=2).map("\n".join), min_size=least, max_size=most))
    texts = (_BASE, *files)
    wanted = draw(st.lists(st.sampled_from([True, True, False]), min_size=len(texts), max_size=len(texts)))
    return Sketch(texts, tuple(wanted))


@dataclass(frozen=True)
class History:
    """Files that work in their order, the schema that a subset of them creates, and that subset."""

    migrations: tuple[RehearsedMigration, ...]
    applied: frozenset[str]
    live: Catalog


def make_history(server: ScratchServer, sketch: Sketch) -> History:
    """Make a history of a sketch, without the files that fail after those before them."""
    drafts = [RehearsedMigration(f"202501010000{number:02}_file", text) for number, text in enumerate(sketch.texts)]
    tried = list(replay(server, drafts))
    migrations = _keep_working(tried)
    wanted = {migration.name for migration, is_wanted in zip(drafts, sketch.wanted, strict=True) if is_wanted}
    outcomes = list(replay(server, [migration for migration in migrations if migration.name in wanted]))
    live = outcomes[-1].after if outcomes else tried[0].before
    return History(tuple(migrations), frozenset(migration.name for migration in _keep_working(outcomes)), live)


def _keep_working(outcomes: Sequence[Outcome]) -> list[RehearsedMigration]:
    return [outcome.migration for outcome in outcomes if outcome.error is None]
