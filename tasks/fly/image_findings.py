"""Findings of a machine in the words of the checkout that asked: what is missing there is missing in the image."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from tasks.runner.events import Event, Finding, PlanMade, StatusRead


def name_image(event: Event, environment: str, versions: Collection[str]) -> Event:
    """Return an event whose findings name the image if a file is missing there; `versions` are those of this checkout."""
    if isinstance(event, StatusRead | PlanMade):
        return replace(event, findings=tuple(_name(finding, environment, versions) for finding in event.findings))
    return event


def _name(finding: Finding, environment: str, versions: Collection[str]) -> Finding:
    if finding.kind != "missing":
        return finding
    if finding.version in versions:
        message = f"is applied, but the image of {environment} does not contain its file; this checkout does"
        return replace(finding, message=message, hint="Deploy this checkout.")
    return replace(finding, message=f"is applied, but neither the image of {environment} nor this checkout has its file")
