"""Guarded environments: a change is shown as a plan, and confirmed by typing the environment's name."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from tasks.console.cells import clean
from tasks.console.prompts import confirm_by_typing, require_prompt
from tasks.options import Options
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import RefusedError
from tasks.runner.operations.requests import Request, has_dry_run, write_arguments
from tasks.runner.signals import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from tasks.config.environments import Environment
    from tasks.runner.operations.migrate import Approve

    Remark = Callable[[Environment, Options, Stop], str]
    """Return what a confirmation has to mention, as one sentence; empty for nothing. It raises no RunnerError."""

_STATE = "Nothing was changed."


def choose_approval(
    environment: Environment, request: Request, options: Options, stop: Stop, names: str = "", remark: Remark | None = None
) -> Approve | None:
    """Return how a request is approved once its plan was shown: by typing the name of a guarded environment, else not at all.

    The function raises RefusedError if another answer is typed. This one raises it at once if the question cannot be asked and
    --yes is missing; `names` are the environments of the command, for the hint. `remark` is printed before the question.
    """
    if not environment.guarded or not request.writes or options.yes:
        return None
    name = environment.name
    command, *flags = write_arguments(replace(request, forecast=""))
    again = compose_command(f"db.{command}", f"--env={names or name}", *flags)
    if options.upload:
        raise RefusedError(
            f"{name} is guarded, and --upload would run files there that were not deployed",
            hint=f"Deploy first. Or check the plan (--dry-run), then confirm it: {again} --upload --yes",
            state=_STATE,
        )
    check = "Check the plan first (--dry-run), then confirm it" if has_dry_run(request) else "Confirm it beforehand"
    require_prompt(f"{name} is guarded and asks for confirmation", f"{check}: {again} --yes", json=options.json)

    def approve() -> None:
        noticed = remark(environment, options, stop) if remark is not None else ""
        if noticed:
            print(clean(f"⚠️  {noticed}"), file=sys.stderr)
        confirm_by_typing(f"This will change {name}.", name, stop)

    return approve
