"""The beginning of a script: psql's own settings, the ledger's tables, and what a run writes before its first step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tasks.postgres.quoting import quote_qualified
from tasks.runner.ledger.creation import compose_tables
from tasks.runner.ledger.environment_label import ENVIRONMENT_KEY
from tasks.runner.ledger.expected_schema import META_KEY
from tasks.runner.ledger.guard import compose_guard
from tasks.runner.ledger.history import FOUND
from tasks.runner.ledger.privileges import READ_BY_READERS, compose_select
from tasks.runner.ledger.reading import Ledger
from tasks.runner.ledger.replaced import REPLACED_KEY
from tasks.runner.ledger.tables import HELPER_TABLES, TABLE
from tasks.runner.ledger.writing import Entry
from tasks.runner.planning.plan import Plan
from tasks.runner.sql_script.checks import REWRITE
from tasks.runner.sql_script.psql_text import quote_text, write_block, write_condition, write_error
from tasks.runner.sql_script.segments import SET_ENCODING, StepWriter
from tasks.runner.sql_script.state import DIGEST, Rows, digest_rows

PSQL_SETTINGS = """\
\\set ON_ERROR_STOP on
\\set ON_ERROR_ROLLBACK off
\\set AUTOCOMMIT on
\\set SINGLELINE off
\\set SINGLESTEP off
\\set FETCH_COUNT 0
\\set QUIET on
\\pset pager off
\\pset tuples_only on
\\pset format unaligned
\\encoding UTF8"""
"""What the script depends on, whatever the flags of psql and its ~/.psqlrc have set. Results without rows print nothing.
https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-VARIABLES"""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a script expects of the session and the ledger, and what it writes to the ledger before its first step."""

    search_path: str
    """The role's own, as it is set."""
    role: str
    rows: Rows
    """The rows of schema_migrations before the renames of the plan."""
    renamed: Rows
    label: str = ""
    """The environment to record; empty to record none."""
    replaced: str = ""
    """The names that the ledger keeps, if they change."""
    schema: str | None = None
    """The expectation of the schema during the run; None to leave it as it is."""
    readers: tuple[str, ...] = ()


def write_session(writer: StepWriter) -> list[str]:
    """Return the settings of a session, for the beginning and after a reconnection."""
    return [SET_ENCODING, *(f"{part};" for part in writer.state.begin_run().split("; "))]


def write_path_check(expected: Expected) -> str:
    """Return the block that raises an error if names without a schema would mean other tables than in the run."""
    path = quote_text(expected.search_path)
    differs = f"pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) {path}"
    if "$user" in expected.search_path:
        role = quote_text(expected.role)
        schemas = (f"pg_catalog.to_regnamespace(pg_catalog.quote_ident({each})) IS NOT NULL" for each in ("current_user", role))
        differs += f"\n   OR current_user OPERATOR(pg_catalog.<>) {role} AND ({' OR '.join(schemas)})"
    error = write_error(
        "the search_path of this session (%) is not that of the run (%)",
        f"Use the role {expected.role}, or set the path: PGOPTIONS='-c search_path=...' psql ...",
        values=("pg_catalog.current_setting('search_path')", path),
    )
    return write_block(f"IF {differs} THEN\n  {error}\nEND IF;")


def write_opening(writer: StepWriter, plan: Plan, expected: Expected) -> Iterator[str]:
    """Yield the lines of what a run does before its first step; `migrate_any` is true afterwards if there is something to do."""
    table = quote_qualified(writer.ledger.schema, TABLE)
    yield "SELECT pg_catalog.gen_random_uuid() AS migrate_run \\gset"
    yield "\\set migrate_unsure false"
    if not writer.ledger.current:
        yield from _write_tables(writer, expected)
    versions = ", ".join(quote_text(step.version) for step in plan.steps)
    missing = f"(SELECT count(*) FROM {table} WHERE version IN ({versions})) < {len(plan.steps)}" if versions else "false"
    before, renamed = digest_rows(expected.rows), digest_rows(expected.renamed)
    rename = f" OR digest = '{before}'" if plan.renames else ""
    state = (
        f"SELECT {missing}{rename} AS migrate_any, digest = '{before}' AS migrate_rename,\n"
        f"       digest IN ('{before}', '{renamed}') AS migrate_fresh\n"
        f"  FROM (SELECT {DIGEST} AS digest FROM {table}) ledger\n\\gset"
    )
    yield from writer.begin([_guard(writer, [""]), *_check_label(writer, expected), state])
    yield from write_condition("migrate_any", [*_write_run(writer, plan, expected), "COMMIT;"], ["ROLLBACK;"])


def write_end(writer: StepWriter, plan: Plan) -> list[str]:
    """Return the lines that log the end of the run."""
    with writer.recorder.collect() as collected:
        writer.recorder.log(Entry(plan.action, "finished"), commits=True)
    lines = [*writer.begin([]), writer.settle(ends=False), *collected, "\\echo All migrations completed."]
    return ["", *write_condition("migrate_any", lines, ["\\echo Nothing to do: the database is up to date."])]


def _write_run(writer: StepWriter, plan: Plan, expected: Expected) -> Iterator[str]:
    """Yield the row of the run in the log, and what a run writes to the ledger's metadata and history before its first step."""
    yield writer.settle(ends=False)
    yield from _write_meta(writer, expected)
    with writer.recorder.collect() as collected:
        writer.recorder.log(Entry(plan.action, "started"), files_write=any(step.script.records_itself for step in plan.steps))
    yield from collected
    if plan.renames:
        with writer.recorder.collect() as renames:
            for rename in plan.renames:
                writer.recorder.rename(rename)
        yield from write_condition("migrate_rename", renames)
    names = {rename.recorded: rename.version for rename in plan.renames}
    with writer.recorder.collect() as unlogged:
        for version in writer.ledger.unlogged if plan.steps else ():
            if version not in names:
                writer.recorder.log(Entry("adopt", "finished", version, note=FOUND))
    if unlogged:
        yield from write_condition("migrate_fresh", unlogged)


def _write_meta(writer: StepWriter, expected: Expected) -> Iterator[str]:
    ledger = writer.ledger
    table = quote_qualified(ledger.schema, f"{TABLE}_meta")
    before = {ENVIRONMENT_KEY: ledger.environment, REPLACED_KEY: ledger.replaced, META_KEY: ledger.expected}
    after = {ENVIRONMENT_KEY: expected.label or None, REPLACED_KEY: expected.replaced or None, META_KEY: expected.schema}
    changed = {key: value for key, value in after.items() if value is not None}
    if changed:
        yield _guard(writer, ["_meta"])
    for key, value in changed.items():
        yield (
            f"INSERT INTO {table} AS meta (key, value) VALUES ('{key}', {quote_text(value)}) ON CONFLICT (key)\n"
            f"    DO UPDATE SET value = excluded.value WHERE meta.value = {quote_text(before[key])};"
        )


def _check_label(writer: StepWriter, expected: Expected) -> list[str]:
    """Return the lines that raise an error if the database belongs to another environment than when the script was written."""
    table = quote_qualified(writer.ledger.schema, f"{TABLE}_meta")
    labels = ", ".join(quote_text(label) for label in dict.fromkeys((writer.ledger.environment, expected.label)) if label)
    other = f"value NOT IN ({labels})" if labels else "true"
    error = write_error(
        "the database belongs to the environment %, for which this script was not written", REWRITE, values=("label",)
    )
    body = (
        f"SELECT value INTO label FROM {table} WHERE key = '{ENVIRONMENT_KEY}' AND {other};\n"
        f"IF label IS NOT NULL THEN\n  {error}\nEND IF;"
    )
    return [_guard(writer, ["_meta"]), write_block(body, "label text")]


def _write_tables(writer: StepWriter, expected: Expected) -> Iterator[str]:
    """Yield the lines that create the tables of the ledger, or complete an older ledger, in one transaction."""
    ledger = writer.ledger
    meta = quote_qualified(ledger.schema, f"{TABLE}_meta")
    created = [suffix for suffix in ("", *HELPER_TABLES) if (suffix not in ledger.helpers if suffix else not ledger.exists)]
    lines = [writer.settle(ends=False), compose_tables(ledger)]
    if created:
        lines += [_close_tables(ledger, created), *_grant_readers(ledger, created, expected.readers)]
    yield from writer.begin([f"SELECT to_regclass({quote_text(meta)}) IS NULL AS migrate_new \\gset"])
    if ledger.complete:  # of an older format
        yield from [*lines, "COMMIT;"]
    else:
        yield from write_condition("migrate_new", [*lines, "COMMIT;"], ["ROLLBACK;"])


def _close_tables(ledger: Ledger, created: list[str]) -> str:
    """Return the block that revokes what default privileges grant on new tables of the ledger, except for reading the first."""
    tables = ", ".join(quote_text(f"{TABLE}{suffix}") for suffix in created)
    body = f"""\
FOR given IN
    SELECT DISTINCT c.oid::regclass AS relation, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
           x.privilege_type, CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END AS grantee
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) x
     WHERE n.nspname = {quote_text(ledger.schema)} AND x.grantee <> c.relowner
       AND NOT (c.relname = '{TABLE}' AND x.privilege_type = 'SELECT')
       AND (c.relname IN ({tables}) OR c.relkind = 'S' AND EXISTS (
              SELECT FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid
               WHERE d.objid = c.oid AND d.deptype IN ('a', 'i') AND t.relnamespace = n.oid AND t.relname IN ({tables})))
LOOP
    EXECUTE format('REVOKE %s ON %s %s FROM %s', given.privilege_type, given.kind, given.relation, given.grantee);
END LOOP;"""
    return write_block(body, "given record")


def _grant_readers(ledger: Ledger, created: list[str], readers: tuple[str, ...]) -> list[str]:
    tables = [f"{TABLE}{suffix}" for suffix in READ_BY_READERS if suffix in created]
    return [f"{compose_select(ledger.schema, tables, reader)};" for reader in readers] if tables else []


def _guard(writer: StepWriter, suffixes: list[str]) -> str:
    return f"{compose_guard(writer.ledger.schema, [f'{TABLE}{suffix}' for suffix in suffixes], 'ACCESS SHARE')};"
