"""A plan that is made again under the lock: what is left of it, and whether it is still the plan that was shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tasks.runner.errors import PlanChangedError
from tasks.runner.events import Finding
from tasks.runner.identity import PLAN_ID_LENGTH
from tasks.runner.planning.plan import resume

if TYPE_CHECKING:
    from tasks.runner.ledger.reading import Ledger
    from tasks.runner.ledger.renames import Rename
    from tasks.runner.planning.choice import Choice
    from tasks.runner.planning.plan import Plan, Step

_MOST_NAMED = 5
_DOES = {"migrate": "apply", "rollback": "roll back", "seed": "run", "redo": "redo"}


def identify_plan(plan: Plan) -> str:
    """Return the identity of a plan: a digest of what it does, in order: versions, texts, where they resume, rows to rename."""
    steps = [(step.version, step.source.digest, step.source.checksum, step.done) for step in plan.steps]
    renames = [(rename.recorded, rename.version, rename.drops, rename.checksum) for rename in plan.renames]
    others = [*([plan.basis] if plan.basis else []), *(["atomic"] if plan.atomic else [])]
    return _digest(json.dumps([plan.action, steps, renames, *others]))[:PLAN_ID_LENGTH]


def describe_basis(checksums: Mapping[str, str | None]) -> str:
    """Return a digest of the applied versions and their checksums, in the order of their history."""
    return _digest(json.dumps([[version, checksum or ""] for version, checksum in checksums.items()]))


def replan(
    made: Plan, choice: Choice, now: Ledger, *, before: Ledger, renames: tuple[Rename, ...] = (), exact: bool = False
) -> Plan:
    """Return what is left of a plan now that its choice was made again: without the steps that another run did.

    `before` is the ledger that the plan was made from. The plan that is returned refuses what another run did with another text.
    Raises PlanChangedError for any other choice, and with `exact` also if steps are left out.
    """
    findings = list(choice.findings)
    left: list[Step] = []
    for step in made.steps:
        recorded = now.checksums.get(step.version, "")
        if made.action != "rollback" and (recorded == step.source.checksum or step.version in now.absorbed):
            continue
        if recorded not in ("", before.checksums.get(step.version, "")):
            findings = [finding for finding in findings if finding.version != step.version]
            findings.append(describe_overtaken(step.version))
        else:
            left.append(resume(step, now.attempts.get(step.version), findings))
    following = replace(made, steps=tuple(left), findings=tuple(findings), renames=renames)
    if not following.refusals:
        check_choice(made, following, choice.versions, exact=exact)
    return following


def check_choice(made: Plan, following: Plan, chosen: tuple[str, ...], *, exact: bool) -> None:
    """Raise PlanChangedError if what is left of a plan is not what is chosen now, or with `exact`, not the plan itself."""
    if tuple(step.version for step in following.steps) != chosen:
        raise build_change_error(made, chosen)
    if exact and identify_plan(following) != identify_plan(made):
        raise build_change_error(made, chosen)


def build_change_error(made: Plan, chosen: tuple[str, ...]) -> PlanChangedError:
    """Return the error for a plan that is another one now, which names both."""
    was, chosen = tuple(dict.fromkeys(step.version for step in made.steps)), tuple(dict.fromkeys(chosen))
    now = "it would run other texts, or begin at another statement" if was == chosen else f"now {_describe(made.action, chosen)}"
    return PlanChangedError(
        f"the plan has changed since it was made: it was {_describe(made.action, was)}; {now}",
        hint="Another run or a manual change came first. Check the new plan, then run the command again.",
        state="Nothing was changed.",
    )


def describe_overtaken(version: str) -> Finding:
    """Return the finding for a version that another run recorded in the meantime, with another text."""
    return Finding(
        "edited",
        version,
        "was just applied by another run, with a different text from the one in this checkout",
        refuses=True,
        hint="Pull, then check: inv db.status",
    )


def _describe(action: str, versions: tuple[str, ...]) -> str:
    """Return what a plan does: `to apply A, B`."""
    if not versions:
        return f"nothing is left to {_DOES.get(action, action)}"
    more = f" and {len(versions) - _MOST_NAMED} more" if len(versions) > _MOST_NAMED else ""
    return f"to {_DOES.get(action, action)} {', '.join(versions[:_MOST_NAMED])}{more}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
