"""Print samples as tables, and compare ratios with targets."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.kit.timing import Sample

ROW = "{:<46} {:>9} {:>9} {:>9} {:>10} {:>8} {:>6} {:>8}"
MB = 1024 * 1024


def print_samples(title: str, samples: Mapping[str, Sample], *, reference: str) -> None:
    """Print a row for each sample, with the ratio of its wall times to those of the reference; times in milliseconds."""
    print(f"\n{ROW.format(title, 'median', 'min', 'max', 'processor', 'MB', 'turns', 'ratio')}")
    for name, sample in samples.items():
        walls = [f"{seconds * 1000:,.0f}" for seconds in (sample.median, min(sample.seconds), max(sample.seconds))]
        processor = "" if sample.processor_median is None else f"{sample.processor_median * 1000:,.0f}"
        peak = "" if sample.peak is None else f"{sample.peak / MB:.0f}"
        turns = "" if sample.turns is None else f"{sample.turns:,}"
        ratio = f"{sample.ratio_to(samples[reference]):.2f} ×" if reference in samples else ""
        print(ROW.format(f"  {name}", *walls, processor, peak, turns, ratio), flush=True)


def print_ratio(what: str, ratio: float, target: float) -> None:
    """Print a ratio beside its target."""
    print_target(what, ratio, target, " ×", 2)


def print_target(what: str, value: float, target: float, unit: str, digits: int = 0) -> None:
    """Print a value beside its target, and whether it was met."""
    met = "met" if value <= target else "not met"
    print(f"  target: {what:<58} {value:.{digits}f}{unit} (at most {target:.{digits}f}): {met}", flush=True)
