"""The events of every run: its start, the files, the plan and its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.runner.events.registry import EVENT_FORMAT, Event, event

if TYPE_CHECKING:
    from tasks.runner.events.findings import Finding
    from tasks.runner.events.values import PlannedStep


@event("run_started")
@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """The first event of a run."""

    run_id: str
    action: str
    environment: str
    database: str
    actor: str
    format: int = EVENT_FORMAT


@event("files_found")
@dataclass(frozen=True, slots=True)
class FilesFound(Event):
    """The number of files: migrations or seeds."""

    count: int
    what: str = "migration"


@event("skipped")
@dataclass(frozen=True, slots=True)
class Skipped(Event):
    """The versions that are skipped because they are already applied."""

    versions: tuple[str, ...]


@event("plan_made")
@dataclass(frozen=True, slots=True)
class PlanMade(Event):
    """The steps of a plan, and its findings.

    `plan_id` is its identity, which `--plan` takes. `purpose` is why it is shown, other than for a dry run: `confirm` before a
    question, `changed` if it is not the plan that was to be run, `script` if it is written
    as a script.
    """

    action: str
    dry_run: bool
    steps: tuple[PlannedStep, ...]
    findings: tuple[Finding, ...]
    plan_id: str = ""
    purpose: str = ""
    atomic: bool = False
    """Whether all steps run in one transaction."""


@event("run_finished")
@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """The last event of a run that succeeded; `steps` is the number of steps it ran.

    `renamed` is the number of rows of the ledger that got the current name of their version, `proposed` the number of changes
    that a repair showed.
    """

    action: str
    steps: int
    duration_ms: int
    dry_run: bool = False
    renamed: int = 0
    proposed: int = 0
