"""What a run reports: frozen dataclasses, written to JSON by one function and read by another.

A report prints events and nothing else. The events of a run on another machine arrive as JSON lines and go to the same report.
Durations in milliseconds end in `_ms`, in seconds in `_s`; points in time are ISO 8601 strings in UTC.
"""

# The public names of these modules are the names of this package, so that an event is listed nowhere but where it is defined.
from tasks.runner.events.answers import *  # noqa: F403
from tasks.runner.events.json_lines import *  # noqa: F403
from tasks.runner.events.locking import *  # noqa: F403
from tasks.runner.events.numbers import *  # noqa: F403
from tasks.runner.events.queries import *  # noqa: F403
from tasks.runner.events.registry import *  # noqa: F403
from tasks.runner.events.running import *  # noqa: F403
from tasks.runner.events.values import *  # noqa: F403
