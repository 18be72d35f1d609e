"""How long to wait for flyctl and for a machine before something counts as failed; a slow network may need more."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.runner.settings import RawSettings, read_seconds

_HEARTBEATS = 6


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The timeouts of an environment on Fly, in seconds."""

    call_s: float
    """For one call of flyctl; some of its own waits last four minutes."""
    connect_s: float
    """For a machine's ssh, which needs some 5 to 30 seconds after the machine is reported as started."""
    silence_s: float
    """For the next line of a run, heartbeats included; after that the connection counts as frozen."""
    follow_s: float
    """For a new connection to a run whose connection was lost."""

    @property
    def heartbeat_s(self) -> int:
        """Return the seconds between two heartbeats of a run on a machine."""
        return max(1, int(self.silence_s / _HEARTBEATS))


def read_timeouts(raw: RawSettings, problems: list[str]) -> Timeouts:
    """Return the timeouts that are set; what is not a number of seconds is added to `problems`."""
    return Timeouts(
        call_s=read_seconds(raw, "FLY_CALL_TIMEOUT", problems),
        connect_s=read_seconds(raw, "FLY_CONNECT_TIMEOUT", problems),
        silence_s=read_seconds(raw, "FLY_SILENCE_TIMEOUT", problems),
        follow_s=read_seconds(raw, "FLY_FOLLOW_TIMEOUT", problems),
    )


DEFAULT_TIMEOUTS = read_timeouts(RawSettings({}), [])
