"""What a run reports: frozen dataclasses, written to JSON by one function and read by another.

A report prints events and nothing else. The events of a run on another machine arrive as JSON lines and go to the same report.
Durations in milliseconds end in `_ms`, in seconds in `_s`; points in time are ISO 8601 strings in UTC.

The public names of the modules are the names of this package, so that an event is listed nowhere but where it is defined. A
module is imported when a name is first used that the modules before it do not have: creating a dataclass takes half a
millisecond, and most commands need few of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tasks.runner.events.registry import EVENT_MODULES, load_events

if TYPE_CHECKING:
    from tasks.runner.events.answers import *  # noqa: F403
    from tasks.runner.events.findings import *  # noqa: F403
    from tasks.runner.events.json_lines import *  # noqa: F403
    from tasks.runner.events.locking import *  # noqa: F403
    from tasks.runner.events.numbers import *  # noqa: F403
    from tasks.runner.events.queries import *  # noqa: F403
    from tasks.runner.events.registry import *  # noqa: F403
    from tasks.runner.events.running import *  # noqa: F403
    from tasks.runner.events.runs import *  # noqa: F403
    from tasks.runner.events.status import *  # noqa: F403
    from tasks.runner.events.values import *  # noqa: F403


def __getattr__(name: str) -> Any:
    """Return a public name of one of the modules."""
    if name == "EVENTS":
        return load_events()
    if not name.startswith("_"):
        for module in EVENT_MODULES:
            names = vars(import_module(module))
            if name in names:
                globals()[name] = names[name]
                return names[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
