"""How often the measured time of a statement is in the forecast range, and how wide the ranges are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import psycopg
from psycopg import sql

from tasks.forecast.durations import estimate
from tasks.forecast.model import ObservedStatement, StatementDuration
from tasks.forecast.observing.observe import observe
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.events.numbers import ColumnNumbers, NumbersRead, RelationNumbers
from tests.kit.servers import Server

_SCHEMA = """
CREATE TABLE users (id serial PRIMARY KEY, email text NOT NULL UNIQUE, name text, org int, active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE events (id bigserial PRIMARY KEY, user_id int NOT NULL, org int, kind text NOT NULL, payload jsonb,
    amount numeric(10, 2), note text, created_at timestamptz NOT NULL);
CREATE INDEX events_user_id ON events (user_id);
CREATE TABLE documents (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), title varchar(80) NOT NULL, body text, tags text[]);
CREATE TABLE items (id serial PRIMARY KEY, price int NOT NULL, code text NOT NULL);
CREATE TABLE logs (at timestamptz NOT NULL, level text NOT NULL, message text) PARTITION BY RANGE (at);
CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
CREATE TABLE logs_2 PARTITION OF logs FOR VALUES FROM ('2024-07-01') TO ('2025-01-01');
CREATE TABLE logs_3 PARTITION OF logs FOR VALUES FROM ('2025-01-01') TO ('2025-07-01');
CREATE UNLOGGED TABLE staging (id int, data text);
CREATE MATERIALIZED VIEW totals AS SELECT user_id, count(*) AS events, sum(amount) AS amount FROM events GROUP BY user_id;
CREATE TABLE settings (name text PRIMARY KEY, value text);
CREATE TABLE checked (id int PRIMARY KEY, status text NOT NULL CHECK (status IN ('new', 'paid', 'sent')), total int,
    CONSTRAINT total_positive CHECK (total > 0) NOT VALID);
ALTER TABLE events ADD CONSTRAINT events_org CHECK (org > 0) NOT VALID;
ALTER TABLE events ADD CONSTRAINT events_user_fk FOREIGN KEY (user_id) REFERENCES users NOT VALID;
"""
_VECTORS = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE embeddings (id serial PRIMARY KEY, embedding vector(64) NOT NULL);
"""
_ROWS = """
INSERT INTO users (email, name, org, created_at)
SELECT 'user' || i || '@example.org', 'Name ' || i, i % 500 + 1, now() - i * interval '1 min' FROM generate_series(1, 60000) i;
INSERT INTO events (user_id, org, kind, payload, amount, note, created_at)
SELECT 1 + (random() * 59999)::int, i % 500 + 1, 'kind' || i % 12, jsonb_build_object('a', i, 'b', md5(i::text), 'c', i % 7),
       random() * 1000, CASE WHEN i % 3 = 0 THEN md5(i::text) END, now() - (300000 - i) * interval '1 min'
  FROM generate_series(1, 300000) i;
INSERT INTO documents (title, body, tags)
SELECT 'Title ' || i, repeat(md5(i::text) || ' ', 30), ARRAY['t' || i % 40, 'u' || i % 7]
  FROM generate_series(1, 30000) i;
INSERT INTO items (price, code) SELECT i % 1000, md5(i::text) FROM generate_series(1, 800000) i;
INSERT INTO logs SELECT '2024-01-01'::timestamptz + i * interval '155 s', 'info', md5(i::text) || md5((i + 1)::text)
  FROM generate_series(1, 300000) i;
INSERT INTO staging SELECT i, md5(i::text) FROM generate_series(1, 300000) i;
INSERT INTO settings SELECT 'name' || i, 'value' FROM generate_series(1, 50) i;
INSERT INTO checked SELECT i, (ARRAY['new', 'paid', 'sent'])[1 + i % 3], i FROM generate_series(1, 300000) i;
REFRESH MATERIALIZED VIEW totals;
"""
_VECTOR_ROWS = """
INSERT INTO embeddings (embedding) SELECT ARRAY(SELECT random()::real FROM generate_series(1, 64 + 0 * i))::vector
  FROM generate_series(1, 15000) i
"""
STATEMENTS: tuple[str, ...] = (
    "ALTER TABLE events ADD COLUMN source text",
    "ALTER TABLE users ADD COLUMN level int NOT NULL DEFAULT 0",
    "ALTER TABLE events ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid()",
    "ALTER TABLE items ALTER COLUMN price TYPE bigint",
    "ALTER TABLE items ALTER COLUMN id TYPE bigint",
    "ALTER TABLE documents ALTER COLUMN title TYPE varchar(200)",
    "ALTER TABLE documents ALTER COLUMN title TYPE text",
    "ALTER TABLE events ALTER COLUMN note TYPE varchar(64)",
    "ALTER TABLE events ALTER COLUMN org SET NOT NULL",
    "ALTER TABLE items ADD CONSTRAINT items_price CHECK (price >= 0)",
    "ALTER TABLE items ADD CONSTRAINT items_later CHECK (price >= 0) NOT VALID",
    "ALTER TABLE events VALIDATE CONSTRAINT events_org",
    "ALTER TABLE checked VALIDATE CONSTRAINT total_positive",
    "ALTER TABLE events VALIDATE CONSTRAINT events_user_fk",
    "ALTER TABLE events ADD CONSTRAINT events_user FOREIGN KEY (user_id) REFERENCES users",
    "CREATE INDEX i ON events (created_at)",
    "CREATE INDEX i ON events (kind)",
    "CREATE INDEX i ON events (org, created_at DESC)",
    "CREATE INDEX i ON events (lower(note))",
    "CREATE INDEX i ON events (created_at) WHERE kind = 'kind3'",
    "CREATE INDEX i ON items (code)",
    "CREATE INDEX i ON items USING hash (code)",
    "CREATE INDEX i ON events USING brin (created_at)",
    "CREATE INDEX i ON events USING gin (payload)",
    "CREATE INDEX i ON documents USING gin (tags)",
    "CREATE INDEX i ON documents USING gin (to_tsvector('english', body))",
    "CREATE INDEX i ON logs (level, at)",
    "CREATE INDEX CONCURRENTLY i ON users (org)",
    "CREATE UNIQUE INDEX i ON items (code)",
    "ALTER TABLE items ADD CONSTRAINT u UNIQUE (code)",
    "ALTER TABLE staging ADD PRIMARY KEY (id)",
    "ALTER TABLE staging SET LOGGED",
    "ALTER TABLE checked SET UNLOGGED",
    "ALTER TABLE checked ADD COLUMN double int GENERATED ALWAYS AS (total * 2) STORED",
    "UPDATE users SET active = false",
    "UPDATE events SET note = 'none' WHERE note IS NULL",
    "UPDATE events SET note = 'x' WHERE kind = 'kind3'",
    "UPDATE users SET name = 'x' WHERE id = 77",
    "DELETE FROM items WHERE id % 2 = 0",
    "DELETE FROM events WHERE id = 5",
    "INSERT INTO settings VALUES ('new', 'value')",
    "INSERT INTO items (price, code) SELECT org, email FROM users",
    "UPDATE events SET org = u.org FROM users u WHERE u.id = events.user_id",
    "CREATE TABLE copy AS SELECT * FROM events",
    "CLUSTER items USING items_pkey",
    "REINDEX TABLE events",
    "REINDEX INDEX events_user_id",
    "VACUUM FULL users",
    "VACUUM items",
    "ANALYZE events",
    "REFRESH MATERIALIZED VIEW totals",
    "TRUNCATE items",
    "DROP TABLE items",
    "DROP INDEX events_user_id",
    "CREATE STATISTICS s ON org, kind FROM events",
    "ALTER TABLE users RENAME COLUMN name TO full_name",
    "CREATE VIEW v AS SELECT * FROM events",
    "ALTER TABLE logs ADD COLUMN host text",
    "ALTER TABLE logs ALTER COLUMN level TYPE varchar(20)",
    "DO $$ BEGIN UPDATE checked SET total = total + 1; END $$",
    "COMMENT ON TABLE events IS 'x'",
)
VECTOR_STATEMENTS = (
    "CREATE INDEX i ON embeddings USING hnsw (embedding vector_l2_ops)",
    "CREATE INDEX i ON embeddings USING ivfflat (embedding vector_l2_ops) WITH (lists = 50)",
    "ALTER TABLE embeddings ALTER COLUMN id TYPE bigint",
)
_BASE = "20250101000000_base"
_PENDING = "20250102000000_pending"
_LASTING = ("UPDATE", "DELETE", "INSERT", "DO", "VACUUM", "CREATE INDEX CONCURRENTLY")
"""What leaves dead rows behind if it is rolled back, or cannot be rolled back."""
_COLUMNS = """
SELECT quote_ident(schemaname) || '.' || quote_ident(tablename), attname::text, null_frac::float8, avg_width, n_distinct::float8,
       correlation::float8 FROM pg_stats WHERE schemaname = 'public'
"""
_RELATIONS = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text,
       coalesce((SELECT quote_ident(m.nspname) || '.' || quote_ident(t.relname) FROM pg_index i
                   JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace m ON m.oid = t.relnamespace
                  WHERE i.indexrelid = c.oid), ''),
       c.reltuples::int8, pg_table_size(c.oid)::int8, pg_indexes_size(c.oid)::int8
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'm', 'i', 'I')
"""


@dataclass(frozen=True, slots=True)
class ForecastCase:
    """A statement, how long it took, how long it was expected to take, and how long the estimate took."""

    statement: str
    seconds: float
    expected: StatementDuration
    estimated_s: float

    @property
    def contained(self) -> bool:
        """Return True if the range contains the measured time."""
        return self.expected.seconds is not None and self.expected.seconds[0] <= self.seconds <= self.expected.seconds[1]


@dataclass
class ForecastBenchmark:
    """A server with the live database and the scratch databases."""

    server: Server
    vectors: bool = True

    def run(self, only: str = "") -> Iterator[ForecastCase]:
        """Yield each statement, estimated and measured."""
        live = "forecast_live"
        self.server.create(live)
        schema, rows = _SCHEMA, _ROWS
        statements = STATEMENTS
        if self.vectors:
            schema, rows, statements = schema + _VECTORS, f"{rows};{_VECTOR_ROWS}", STATEMENTS + VECTOR_STATEMENTS
        with psycopg.connect(self.server.url(live), autocommit=True) as connection:
            connection.execute(schema)
            connection.execute(rows)
            connection.execute("VACUUM ANALYZE")
            numbers = read_numbers(connection)
        with ScratchServer(self.server.url()) as scratch:
            for statement in statements:
                if only in statement:
                    yield self._run_case(scratch, live, numbers, schema, statement)

    def _run_case(self, scratch: ScratchServer, live: str, numbers: NumbersRead, schema: str, statement: str) -> ForecastCase:
        migrations = RehearsedMigration(_BASE, schema), RehearsedMigration(_PENDING, statement + ";")
        selection = Selection(migrations, (_PENDING,), "pending", frozenset({_BASE}))
        observed = [each for each in observe(scratch, selection) if isinstance(each, ObservedStatement)]
        start = time.monotonic()
        (expected,) = estimate(scratch, selection, observed, numbers).values()
        estimated_s = time.monotonic() - start
        return ForecastCase(statement, self._measure(live, statement), expected, estimated_s)

    def _measure(self, live: str, statement: str) -> float:
        """Run a statement and roll it back; in a copy of the database if it leaves something behind in spite of that."""
        if not statement.startswith(_LASTING):
            with psycopg.connect(self.server.url(live)) as connection:
                seconds = _time(connection, statement)
                connection.rollback()
            return seconds
        copy = "forecast_copy"
        self.server.drop(copy)
        self.server.administer(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(copy), sql.Identifier(live)))
        with psycopg.connect(self.server.url(copy), autocommit=True) as connection:
            seconds = _time(connection, statement)
        self.server.drop(copy)
        return seconds


def _time(connection: psycopg.Connection, statement: str) -> float:
    connection.execute("SELECT")
    start = time.monotonic()
    connection.execute(statement)
    return time.monotonic() - start


def print_forecasts(server: Server) -> None:
    """Print each case, in how many of them the range contains the time, and the median width of the ranges."""
    cases = []
    for case in ForecastBenchmark(server).run():
        cases.append(case)
        low, high = case.expected.seconds or (0.0, 0.0)
        mark = " " if case.contained else "!"
        print(
            f"{mark} {case.seconds:8.3f} s in {low:8.3f} … {high:8.3f} ({case.estimated_s:.1f} s)  {case.statement}", flush=True
        )
    widths = [high / low for low, high in filter(None, (case.expected.seconds for case in cases)) if low > 0]
    print(f"\n{sum(case.contained for case in cases)} of {len(cases)} times are in the range;", end=" ")
    print(f"its upper end is {median(widths):.1f} times its lower end (median of {len(widths)} that are not only the catalog)")


def read_numbers(connection: psycopg.Connection) -> NumbersRead:
    """Return the sizes and statistics of the schema public."""
    columns: dict[str, list[ColumnNumbers]] = {}
    for table, *values in connection.execute(_COLUMNS):
        columns.setdefault(table, []).append(ColumnNumbers(*values))
    relations = (
        RelationNumbers(name, kind, table, rows, heap, index, columns=tuple(columns.get(name, ())))
        for name, kind, table, rows, heap, index in connection.execute(_RELATIONS).fetchall()
    )
    return NumbersRead(connection.info.server_version, tuple(relations), ())
