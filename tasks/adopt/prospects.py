"""What a run after an adoption would do, as far as a rehearsal shows it, and how that is described."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tasks.adopt.row_changes import RepeatedInserts

Cause = Literal["schema", "rows", "scratch"]
"""What an error in a rehearsal depends on: the schema, rows that the copy lacks, or what the scratch server lacks."""

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Forecast:
    """The result of rehearsing a pending migration."""

    changes: bool = False
    """Whether it changed the schema."""
    error: str = ""
    cause: Cause = "schema"
    """For an error: what it depends on."""
    skipped: tuple[str, ...] = ()
    """The statements that did not run on scratch."""


@dataclass(frozen=True, slots=True)
class Prospects:
    """The forecasts by version, up to the first migration that failed; `unknown` is why they do not apply to the live schema."""

    forecasts: Mapping[str, Forecast] = field(default_factory=dict)
    unknown: str = ""
    differences: tuple[str, ...] = ()
    """The objects that differ in the copy."""
    where: str = ""
    """The version of the scratch server, if it is not that of the live one."""
    repeats: Mapping[str, RepeatedInserts] = field(default_factory=dict)
    """What each migration inserts, whether it exists or not."""
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """The extension that a migration creates, if the live server does not have it."""

    def list_inserts(self, version: str) -> tuple[str, ...]:
        """Return what a migration inserts into tables that have rows, whether it exists or not."""
        return self.repeats.get(version, RepeatedInserts()).inserts

    def describe(self, version: str, *, idle: bool) -> str:
        """Return what the next run will do with a pending migration; `idle`: it changes neither the schema nor rows."""
        return "; ".join([self._describe_outcome(version, idle=idle), *self._describe_rest(version)])

    def _describe_outcome(self, version: str, *, idle: bool) -> str:
        forecast = self.forecasts.get(version)
        if version in self.unavailable:
            return f"db.migrate will fail: this server does not have the extension {self.unavailable[version]}"
        if self.unknown:
            return f"not rehearsed, because {self.unknown}"
        if forecast is None:
            return self._describe_unreached()
        if not forecast.error:
            nothing = ", and changes nothing" if idle else ""
            return f"db.migrate will run it; on {self._copy}, it succeeds{nothing}"
        if forecast.cause == "scratch":
            return f"not rehearsed, because it fails on scratch: {forecast.error}"
        if forecast.cause == "schema" and not self.differences:
            return f"db.migrate will fail: {forecast.error}"
        return f"db.migrate will run it; on {self._copy}, it fails: {forecast.error}"

    def _describe_unreached(self) -> str:
        version, forecast = next((each for each in self.forecasts.items() if each[1].error), ("", None))
        if forecast is not None and forecast.cause == "schema" and not self.differences:
            return "db.migrate will not reach it: a migration before it fails"
        return f"not rehearsed, because {version} before it was not"

    def _describe_rest(self, version: str) -> list[str]:
        repeats, forecast = self.repeats.get(version, RepeatedInserts()), self.forecasts.get(version)
        parts = [f"it inserts rows that may exist already: {', '.join(repeats.inserts)}"] if repeats.inserts else []
        if repeats.collision and not self.unknown:
            parts.append(f"it fails if the rows that it inserts exist: {repeats.collision}")
        if forecast is not None and forecast.skipped and not self.unknown:
            parts.append(f"without {', '.join(forecast.skipped)}")
        return parts

    @property
    def _copy(self) -> str:
        """Return what the migrations were rehearsed on."""
        server = f" on {self.where}" if self.where else ""
        more = len(self.differences) - _NAMED
        named = f"{', '.join(self.differences[:_NAMED])}{f' and {more} more' if more > 0 else ''}"
        unlike = f" that differs in {named}" if named else ""
        return f"a copy of this schema without its rows{server}{unlike}"
