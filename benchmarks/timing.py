"""Timing whole processes in turn, so that what disturbs the machine disturbs all of them alike."""

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
    """A process to time: from its start to its end, what it prints thrown away. `prepare` runs before it, untimed."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None

    def run(self) -> float:
        """Run it once and return the seconds that it took. Raises CalledProcessError when it fails."""
        self.prepare()
        start = time.perf_counter()
        result = subprocess.run(self.arguments, env=self.environment, capture_output=True, input=b"", check=False)
        seconds = time.perf_counter() - start
        if result.returncode != 0:
            raise subprocess.CalledProcessError(result.returncode, self.arguments, result.stdout[-2000:], result.stderr[-2000:])
        return seconds


@dataclass(frozen=True)
class Sample:
    """The seconds of several runs of one command, in the order in which they were made."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the run in the middle."""
        return statistics.median(self.seconds)

    def over(self, other: Sample) -> float:
        """Return how many times longer than `other` this took: the median of the pairs that ran one after the other."""
        return statistics.median(own / its for own, its in zip(self.seconds, other.seconds, strict=True))


def time_in_turn(commands: Mapping[K, Command], runs: int, *, warm_up: bool = False) -> dict[K, Sample]:
    """Run all commands once, then all of them again, so many times; `warm_up` adds a first round that does not count."""
    if warm_up:
        for command in commands.values():
            command.run()
    rounds = [{name: command.run() for name, command in commands.items()} for _ in range(runs)]
    return {name: Sample(tuple(seconds[name] for seconds in rounds)) for name in commands}
