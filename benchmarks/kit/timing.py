"""Time complete processes, interleaved, so that other load on the machine affects all of them equally."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypeVar

K = TypeVar("K")

_LAUNCHER = (sys.executable, "-I", "-S", str(Path(__file__).with_name("launcher.py")))
_SHOWN = 2000


@dataclass(frozen=True)
class Measurement:
    """What one process took: seconds, seconds of processor time, and the peak of its memory in bytes."""

    seconds: float
    processor_s: float
    peak: int


@dataclass(frozen=True)
class Command:
    """A process to time from start to end, with its output discarded. `prepare` runs before it and is not timed."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None

    def run(self, *, limit_s: float | None = None) -> Measurement:
        """Run it once and return what it took. Raises CalledProcessError if it fails, and TimeoutExpired."""
        self.prepare()
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors, tempfile.NamedTemporaryFile() as report:
            arguments = [*_LAUNCHER, report.name, *self.arguments]
            with subprocess.Popen(
                arguments,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            ) as process:
                try:
                    code = process.wait(limit_s)
                except BaseException:
                    os.killpg(process.pid, signal.SIGKILL)
                    raise
            if code != 0:
                raise subprocess.CalledProcessError(code, self.arguments, _read_end(output), _read_end(errors))
            seconds, processor_s, peak = report.read().split()
            return Measurement(float(seconds), float(processor_s), int(peak))


@dataclass(frozen=True)
class Sample:
    """The seconds of several runs of one command, in the order of the runs, and what else is known of them."""

    seconds: tuple[float, ...]
    processor: tuple[float, ...] = ()
    """Seconds of processor time of the process, without that of the server."""
    peaks: tuple[int, ...] = ()
    """The peaks of its memory in bytes."""
    turns: int | None = None
    """The number of round trips on the longest chain."""

    @property
    def median(self) -> float:
        """Return the median of the runs."""
        return statistics.median(self.seconds)

    @property
    def processor_median(self) -> float | None:
        """Return the median of the processor seconds, or None if they are not known."""
        return statistics.median(self.processor) if self.processor else None

    @property
    def peak(self) -> int | None:
        """Return the largest peak in bytes, or None if it is not known."""
        return max(self.peaks, default=None)

    def ratio_to(self, other: Sample) -> float:
        """Return how many times longer than `other` this took: the median of the ratios of runs in the same round.

        One of them may have run in the first rounds only.
        """
        return statistics.median(a / b for a, b in zip(self.seconds, other.seconds, strict=False))


def build_sample(measurements: Sequence[Measurement]) -> Sample:
    """Return the sample of these runs."""
    return Sample(
        tuple(each.seconds for each in measurements),
        tuple(each.processor_s for each in measurements),
        tuple(each.peak for each in measurements),
    )


def time_interleaved(
    commands: Mapping[K, Command], runs: int, *, warm_up: bool = False, once: Collection[K] = ()
) -> dict[K, Sample]:
    """Run all commands once per round and return their times; those of `once` run in the first round only.

    `warm_up` adds a round before it that is not counted.
    """
    if warm_up:
        for command in commands.values():
            command.run()
    measured: dict[K, list[Measurement]] = {name: [] for name in commands}
    for number in range(runs):
        for name, command in commands.items():
            if number == 0 or name not in once:
                measured[name].append(command.run())
    return {name: build_sample(each) for name, each in measured.items()}


def _read_end(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()[-_SHOWN:]
