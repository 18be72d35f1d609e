"""A sample of every event, and the streams of some runs."""

from dataclasses import replace

from tasks.runner.events import (
    AdoptionWritten,
    BlockersRead,
    CatalogRead,
    CheckMade,
    ColumnNumbers,
    ConnectionLost,
    EnvironmentKnown,
    EnvironmentsListed,
    EnvironmentStatus,
    ErrorRaised,
    Event,
    FilesFound,
    FilesRead,
    Finding,
    Heartbeat,
    HeldBack,
    HistoryRead,
    HistoryRow,
    IndexAdvanced,
    LeftOutQueries,
    LockAwaited,
    LockSession,
    NoticeRaised,
    NumbersRead,
    OpenTransaction,
    OutcomeRead,
    PlanMade,
    PlannedStatement,
    PlannedStep,
    PreparedTransaction,
    ProbeRead,
    QueriesRead,
    RelationLock,
    RelationNumbers,
    RepairProposed,
    ReplicaNumbers,
    Retried,
    RunFinished,
    RunningQuery,
    RunStarted,
    SchemaChecked,
    SchemaWritten,
    Session,
    SessionEnded,
    Skipped,
    SqlWritten,
    StatementFinished,
    StatementStarted,
    StatusesRead,
    StatusRead,
    StatusRow,
    StepFailed,
    StepFinished,
    StepStarted,
    StoredScript,
    Waiting,
)

USERS = "20250701093000_create_users"
ASSETS = "20250702101500_create_assets"
SEARCH = "20251103120000_add_semantic_search"
URL = "gaia@localhost:5432/gaia"
RUN_ID = "8f3a52c1-77aa-4c11-9d1f-0d5f4c7f1b2e"

PSQL = Session(
    pid=123,
    user="gaia",
    application="psql",
    client="10.0.0.7",
    state="idle in transaction",
    since="2025-11-22T12:01:02.123456+00:00",
    query="LOCK TABLE users\n  IN ACCESS EXCLUSIVE MODE",
)
DIFF = f"""--- {USERS}.sql as applied
+++ {USERS}.sql as it is now
@@ -3,4 +3,4 @@
 CREATE TABLE users (
-    email text
+    email text NOT NULL
 );"""
EDITED = Finding(
    kind="edited",
    version=USERS,
    message="differs from the text that was applied",
    refuses=True,
    hint="undo the edit, or run `inv db.repair` to record the new text.",
    diff=DIFF,
)
LATE = Finding(
    kind="late",
    version=ASSETS,
    message=f"is older than {SEARCH}, which is already applied; it runs anyway (--strict refuses it)",
)
USERS_STEP = PlannedStep(
    action="migrate",
    version=USERS,
    file=f"migrations/up/{USERS}.sql",
    segments=(True,),
    done=0,
    statements=(
        PlannedStatement(line=5, text="CREATE TABLE users (\n    id uuid PRIMARY KEY\n)", segment=1),
        PlannedStatement(line=12, text="COMMENT ON TABLE users IS 'People who log in'", segment=1),
    ),
)
SEARCH_STEP = PlannedStep(
    action="migrate",
    version=SEARCH,
    file=f"migrations/up/{SEARCH}.sql",
    segments=(True, False, True),
    done=1,
    statements=(
        PlannedStatement(line=5, text="CREATE EXTENSION IF NOT EXISTS vector", segment=1),
        PlannedStatement(line=9, text="CREATE INDEX CONCURRENTLY chunks_embedding ON chunks", segment=2),
        PlannedStatement(line=102, text="ANALYZE chunks", segment=3),
    ),
)
NUMBERS = NumbersRead(
    180004,
    (
        RelationNumbers(
            "public.users", "r", rows=1_000_000, heap_bytes=150_000_000, index_bytes=40_000_000, reads=80.0, writes=2.5,
            columns=(ColumnNumbers("email", 0.0, 24, -1.0, None),), without_statistics=("note",),
        ),
        RelationNumbers("public.users_pkey", "i", "public.users", rows=1_000_000, heap_bytes=40_000_000, reads=0.0, writes=0.0),
    ),
    (OpenTransaction(4711, "web", "gunicorn", "active", 12.5, True, (RelationLock("public.users", "RowExclusiveLock"),)),),
    (ReplicaNumbers("standby", "streaming", 0.2, 16_384),),
    database_bytes=190_000_000,
    not_known=("the free disk of the server is not known: its data directory is not on this machine",),
)  # fmt: skip
ERROR = ErrorRaised(
    message='syntax error at or near "TABEL"',
    hint="fix the file and run the command again.",
    state=f"{ASSETS} was rolled back completely. 2 earlier migrations of this run stay applied.",
    file=f"migrations/up/{ASSETS}.sql",
    line=3,
    column=8,
    source="CREATE TABEL users (",
    sqlstate="42601",
    exit_code=1,
)
STATUS = StatusRead(
    environment="prod",
    database=URL,
    rows=(
        StatusRow(USERS, "applied", "2025-07-01T10:00:00.5+00:00", "carl", 12),
        StatusRow(ASSETS, "late", note="older than the newest applied"),
        StatusRow("20250703080000_create_chat", "edited", "2025-07-03T10:00:00Z", "deploy", 83_412),
        StatusRow("20250704080000_create_rbac", "missing", "2025-07-04T10:00:00Z", "deploy", 8),
        StatusRow("20250705080000_create_personas", "interrupted", note="2 of 3 segments done"),
        StatusRow(SEARCH, "pending"),
    ),
    findings=(EDITED, LATE),
    total=9,
)
FAILED_ROW = HistoryRow(
    id=7,
    run_id=RUN_ID,
    version=ASSETS,
    action="migrate",
    outcome="failed",
    segments_done=0,
    segments_total=1,
    actor="carl",
    host="laptop",
    git_revision="2f1c9a7d5b3e4f60718293a4b5c6d7e8f9012345",
    git_dirty=True,
    tool_version="0.1.0",
    sqlstate="42601",
    error='syntax error at or near "TABEL"\nLINE 3: CREATE TABEL users (',
    at="2025-11-22T12:00:00Z",
    duration_ms=3,
)
FINISHED_ROW = replace(
    FAILED_ROW, id=6, version=USERS, outcome="finished", segments_done=1, git_dirty=False, sqlstate="", error=""
)

STATUSES = StatusesRead(
    (
        EnvironmentStatus("dev", "", (*STATUS.rows[:1], StatusRow(SEARCH, "applied", "2025-11-22T12:00:00Z", "carl", 8))),
        EnvironmentStatus("staging", "", (*STATUS.rows[:-1], StatusRow(SEARCH, "pending", failed=True))),
        EnvironmentStatus("prod", "cannot connect to gaia@prod/gaia", (), "Is the network up?"),
    ),
    total=9,
)

BLOCKERS = BlockersRead(
    "prod",
    URL,
    "2025-11-22T12:05:00.5Z",
    (
        LockSession(PSQL, "2025-11-22T11:00:00.000001Z", own=True),
        LockSession(
            replace(PSQL, pid=124, application="app", state="active", query="ALTER TABLE users ADD name text"),
            "2025-11-22T11:00:00.000002Z",
            (123,),
            "AccessExclusiveLock",
            "public.users",
            "2025-11-22T12:04:57.3Z",
        ),
        LockSession(
            replace(PSQL, pid=125, application="app", state="active", query="<insufficient privilege>"),
            "2025-11-22T11:00:00.000003Z",
            (124, 0),
            "AccessShareLock",
            "public.users",
            "2025-11-22T12:04:59Z",
        ),
    ),
    (PreparedTransaction("transfer 'a'", "gaia", "2025-11-22T10:00:00Z", (125,)),),
)

SAMPLES: tuple[Event, ...] = (
    RunStarted(RUN_ID, "migrate", "local", URL, "carl"),
    FilesFound(12),
    Skipped((USERS, ASSETS)),
    PlanMade("migrate", True, (USERS_STEP, SEARCH_STEP), (EDITED, LATE)),
    LockAwaited(PSQL, 4.0),
    StepStarted("migrate", SEARCH, 2, 3, 7, 3),
    StatementStarted(SEARCH, 9, "CREATE INDEX CONCURRENTLY chunks_embedding\n  ON chunks", 4, 7),
    StatementFinished(SEARCH, 9, 4, 7, 1234),
    Waiting(SEARCH, 12, 4.02, (PSQL,)),
    IndexAdvanced(SEARCH, 9, "building index: scanning table", 43),
    Retried(SEARCH, 9, 2, 10, "canceling statement due to lock timeout", 1.5, (PSQL,)),
    HeldBack(SEARCH, 9, 5.2, 600.0, ("public.chunks",), (PSQL,)),
    NoticeRaised(SEARCH, "NOTICE", 'extension "vector" already exists, skipping'),
    StepFinished("migrate", USERS, 12),
    StepFailed("migrate", ASSETS, 'syntax error at or near "TABEL"'),
    RunFinished("migrate", 2, 1234),
    SqlWritten("", 2, "plan.sql"),
    SchemaWritten("migrations/schema.sql", differences=("+ table public.scratchpad",)),
    SchemaChecked("migrations/schema.sql", ("-CREATE TABLE public.a (",)),
    AdoptionWritten((USERS, ASSETS), "schema_migrations_old", 12),
    CatalogRead("dev", URL, 180004, (("table", "public.users", "", ""),), (StoredScript(USERS, "abc", "SELECT 1;", None),)),
    STATUS,
    HistoryRead("prod", URL, (FAILED_ROW, FINISHED_ROW)),
    BLOCKERS,
    SessionEnded(123),
    QueriesRead(
        "prod",
        URL,
        180004,
        (RunningQuery("SELECT email FROM users WHERE id = $1", 5100, 850.0, "gaia", "gaia, public"),),
        (LeftOutQueries("without a table of the application", 3),),
        ("2 queries of other roles are not shown to gaia.",),
    ),
    RepairProposed(USERS, "record the new checksum", "The file was edited after it was applied.", DIFF),
    Heartbeat(),
    FilesRead((USERS, ASSETS), ("a" * 64, "b" * 64), "0.1.0", 1),
    ConnectionLost(RUN_ID, "ssh: timed out"),
    OutcomeRead(RUN_ID, "failed", (USERS,), ERROR.message, ERROR.sqlstate),
    EnvironmentsListed((EnvironmentKnown("prod", "fly app gaia-prod", True, 2),)),
    ProbeRead(
        (
            CheckMade("server version", True, "PostgreSQL 18.1"),
            CheckMade("ledger", False, "no table schema_migrations", "inv db.migrate makes it"),
        )
    ),
    NUMBERS,
    STATUSES,
    ERROR,
)


def sample(kind: type[Event]) -> Event:
    """Return the sample of a class of events."""
    return next(event for event in SAMPLES if isinstance(event, kind))


MIGRATION: tuple[Event, ...] = (
    RunStarted(RUN_ID, "migrate", "local", URL, "carl"),
    FilesFound(14),
    Skipped(tuple(f"2025060{number}000000_old" for number in range(1, 9))),
    PlanMade("migrate", False, (USERS_STEP,), (LATE,)),
    StepStarted("migrate", USERS, 1, 2, 2),
    StatementStarted(USERS, 5, "CREATE TABLE users (\n    id uuid PRIMARY KEY\n)", 1, 2),
    StatementFinished(USERS, 5, 1, 2, 8),
    StatementStarted(USERS, 12, "COMMENT ON TABLE users IS 'People who log in'", 2, 2),
    StatementFinished(USERS, 12, 2, 2, 1),
    StepFinished("migrate", USERS, 12),
    StepStarted("migrate", SEARCH, 2, 2, 3),
    StatementStarted(SEARCH, 9, "CREATE INDEX CONCURRENTLY chunks_embedding ON chunks USING hnsw (embedding)", 1, 3),
)
"""A run up to the index build of its second file."""

FAILURE: tuple[Event, ...] = (
    *MIGRATION,
    StepFailed("migrate", SEARCH, ERROR.message),
    ERROR,
)
