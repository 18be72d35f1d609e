"""Time complete processes, interleaved, so that other load on the machine affects all of them equally."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

K = TypeVar("K")


@dataclass(frozen=True)
class Command:
    """A process to time from start to end, with its output discarded. `prepare` runs before it and is not timed."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None

    def run(self) -> float:
        """Run it once and return the seconds that it took. Raises CalledProcessError if it fails."""
        self.prepare()
        start = time.perf_counter()
        result = subprocess.run(self.arguments, env=self.environment, capture_output=True, input=b"", check=False)
        seconds = time.perf_counter() - start
        if result.returncode != 0:
            raise subprocess.CalledProcessError(result.returncode, self.arguments, result.stdout[-2000:], result.stderr[-2000:])
        return seconds


@dataclass(frozen=True)
class Sample:
    """The seconds of several runs of one command, in the order of the runs."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the median of the runs."""
        return statistics.median(self.seconds)

    def ratio_to(self, other: Sample) -> float:
        """Return how many times longer than `other` this took: the median of the ratios of runs in the same round."""
        return statistics.median(a / b for a, b in zip(self.seconds, other.seconds, strict=True))


def time_interleaved(commands: Mapping[K, Command], runs: int, *, warm_up: bool = False) -> dict[K, Sample]:
    """Run all commands once per round and return their times; `warm_up` adds a first round that is not counted."""
    if warm_up:
        for command in commands.values():
            command.run()
    rounds = [{name: command.run() for name, command in commands.items()} for _ in range(runs)]
    return {name: Sample(tuple(seconds[name] for seconds in rounds)) for name in commands}
