"""The kind of task that all commands are: the same short flags everywhere, and Invoke's --dry as a dry run."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from invoke.exceptions import Exit
from invoke.tasks import Task, task

from tasks.commands.context import exit_on_error
from tasks.commands.shell.definitions import SHORT_FLAGS
from tasks.console.streams import report_lost_output
from tasks.runner.errors import UsageError

_STATE = "Nothing was changed."


class CommandTask(Task[Any]):
    """A task of this project.

    Invoke's -R and --dry, wherever they are written, and INVOKE_RUN_DRY=1 request a dry run; a command without one refuses them.
    Invoke itself would only skip shell commands, of which these tasks run none.
    """

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        """Return the options of a flag for Invoke's parser, with the short flag that it has in all commands."""
        options: dict[str, Any] = super().arg_opts(name, default, taken_names)
        if name in SHORT_FLAGS:
            options["names"].append(SHORT_FLAGS[name])
        return options

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task; exits with 2 for a flag of Invoke that it cannot follow, and with 1 if output was lost."""
        try:
            with exit_on_error(json=bool(kwargs.get("json"))):
                if args[0].config.run.dry:
                    self._require_dry_run()
                    kwargs["dry_run"] = True
            result = super().__call__(*args, **kwargs)
        finally:
            lost = report_lost_output()
        if lost:
            raise Exit(code=1)
        return result

    def _require_dry_run(self) -> None:
        if not self._has_dry_run:
            raise UsageError(
                "this command has no dry run: --dry is not supported",
                hint="Run it without --dry (-R, INVOKE_RUN_DRY).",
                state=_STATE,
            )

    @property
    def _has_dry_run(self) -> bool:
        return "dry_run" in signature(self.body).parameters


def command(*args: Any, **options: Any) -> Callable[..., Any]:
    """Return a task of this project, as the decorator `invoke.task` does."""
    return task(*args, klass=CommandTask, auto_shortflags=False, **options)
