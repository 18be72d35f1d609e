"""Choose a machine from the list of flyctl."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.runner.command_lines import quote_words
from tasks.runner.errors import RefusedError

_HIDDEN_GROUPS = {"fly_app_release_command", "fly_app_console"}
_GONE = {"destroyed", "destroying", "replaced", "migrated"}
_STARTABLE = {"stopped", "suspended", "created"}


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of an app."""

    id: str
    state: str
    region: str
    address: str
    group: str
    release: int
    healthy: bool

    @property
    def serves(self) -> bool:
        """Return True if a command can run on it."""
        return self.state == "started" and self.healthy


def read_machines(rows: Iterable[Mapping[str, Any]]) -> tuple[Machine, ...]:
    """Return the machines in the JSON of flyctl, without those of a deploy or a console, and without destroyed ones.

    `config` is null while the host does not answer; `incomplete_config` replaces it.
    """
    machines = (_read_machine(row) for row in rows)
    return tuple(m for m in machines if m.group not in _HIDDEN_GROUPS and m.state not in _GONE)


def choose_machine(machines: Iterable[Machine], *, app: str, preferred: str = "") -> Machine:
    """Return the preferred machine if it is started, or else a started one of the newest release.

    Raises RefusedError with the list of machines if none is started.
    """
    known = tuple(machines)
    fit = [machine for machine in known if machine.serves]
    if fit:
        return min(fit, key=lambda machine: (machine.id != preferred, -machine.release, machine.id))
    if not known:
        raise RefusedError(
            f"the app {app} has no machines",
            hint=f"Deploy it first: fly deploy -a {quote_words(app)}",
            state="Nothing was changed.",
        )
    listed = ", ".join(f"{machine.id} ({machine.state}{'' if machine.healthy else ', host not answering'})" for machine in known)
    startable = any(machine.state in _STARTABLE and machine.healthy for machine in known)
    raise RefusedError(
        f"the app {app} has no started machine: {listed}",
        hint="Run the same command with --start to start one." if startable else f"See fly machine list -a {quote_words(app)}",
        state="Nothing was changed.",
    )


def choose_startable(machines: Iterable[Machine], *, app: str) -> Machine:
    """Return a stopped machine to start; raises RefusedError if there is none."""
    fit = [machine for machine in machines if machine.state in _STARTABLE and machine.healthy]
    if not fit:
        raise RefusedError(
            f"the app {app} has no machine that can be started",
            hint=f"See fly machine list -a {quote_words(app)}",
            state="Nothing was changed.",
        )
    return min(fit, key=lambda machine: (-machine.release, machine.id))


def _read_machine(row: Mapping[str, Any]) -> Machine:
    config = row.get("config") or row.get("incomplete_config") or {}
    metadata = config.get("metadata") or {}
    release = str(metadata.get("fly_release_version") or "0")
    return Machine(
        id=str(row.get("id", "")),
        state=str(row.get("state", "")),
        region=str(row.get("region", "")),
        address=str(row.get("private_ip", "")),
        group=str(metadata.get("fly_process_group") or metadata.get("process_group") or ""),
        release=int(release) if release.isdigit() else 0,
        healthy=row.get("host_status", "ok") == "ok",
    )
