"""Apply migrations to PostgreSQL databases.

The public names are MigrationRunner, the errors that it raises (all of them RunnerError), the events that it yields, and
EventLogger, which logs these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.runner.errors import (
    ConnectError,
    FilesError,
    LockLostError,
    Place,
    PlanChangedError,
    RefusedError,
    ReportedError,
    RunInterruptedError,
    RunnerError,
    StatementError,
    UsageError,
)

if TYPE_CHECKING:
    from tasks.runner.event_log import EventLogger
    from tasks.runner.events import (
        ActiveRun,
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
        OtherRecord,
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
        StateCount,
        StatementFinished,
        StatementLocks,
        StatementStarted,
        StatementVerdict,
        StatusesRead,
        StatusRead,
        StatusRow,
        StepFailed,
        StepFinished,
        StepStarted,
        StoredScript,
        UnfinishedAttempt,
        Waiting,
        from_json,
        to_json,
    )
    from tasks.runner.execution.migration_runner import MigrationRunner

    __version__: str

__all__ = [
    "ActiveRun",
    "AdoptionWritten",
    "BlockersRead",
    "CatalogRead",
    "CheckMade",
    "ColumnNumbers",
    "ConnectError",
    "ConnectionLost",
    "EnvironmentKnown",
    "EnvironmentStatus",
    "EnvironmentsListed",
    "ErrorRaised",
    "Event",
    "EventLogger",
    "FilesError",
    "FilesFound",
    "FilesRead",
    "Finding",
    "Heartbeat",
    "HeldBack",
    "HistoryRead",
    "HistoryRow",
    "IndexAdvanced",
    "LeftOutQueries",
    "LockAwaited",
    "LockLostError",
    "LockSession",
    "MigrationRunner",
    "NoticeRaised",
    "NumbersRead",
    "OpenTransaction",
    "OtherRecord",
    "OutcomeRead",
    "Place",
    "PlanChangedError",
    "PlanMade",
    "PlannedStatement",
    "PlannedStep",
    "PreparedTransaction",
    "ProbeRead",
    "QueriesRead",
    "RefusedError",
    "RelationLock",
    "RelationNumbers",
    "RepairProposed",
    "ReplicaNumbers",
    "ReportedError",
    "Retried",
    "RunFinished",
    "RunInterruptedError",
    "RunStarted",
    "RunnerError",
    "RunningQuery",
    "SchemaChecked",
    "SchemaWritten",
    "Session",
    "SessionEnded",
    "Skipped",
    "SqlWritten",
    "StateCount",
    "StatementError",
    "StatementFinished",
    "StatementLocks",
    "StatementStarted",
    "StatementVerdict",
    "StatusRead",
    "StatusRow",
    "StatusesRead",
    "StepFailed",
    "StepFinished",
    "StepStarted",
    "StoredScript",
    "UnfinishedAttempt",
    "UsageError",
    "Waiting",
    "from_json",
    "to_json",
]


def __getattr__(name: str) -> Any:
    """Import MigrationRunner, which needs psycopg, EventLogger, the version and each event when they are first used."""
    if name == "MigrationRunner":
        from tasks.runner.execution.migration_runner import MigrationRunner

        return MigrationRunner
    if name == "EventLogger":
        from tasks.runner.event_log import EventLogger

        return EventLogger
    if name == "__version__":
        from tasks.runner.identity import TOOL_VERSION

        return TOOL_VERSION
    if name in __all__:
        from tasks.runner import events

        return getattr(events, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
