"""The verdict on each migration, from the evidence of the schema, object by object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.adopt.search import Edge, Effect, Solution, State
from tasks.catalog import COLUMN_ORDER, Key

VerdictKind = Literal["present", "absent", "partial", "superseded", "cannot tell"]
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the database has a migration, and the evidence."""

    version: str
    kind: VerdictKind
    reason: str
    there: tuple[str, ...] = ()
    """The objects that are as the migration creates them."""
    lacking: tuple[str, ...] = ()
    """The objects that it would have created or changed, and that are missing or different."""
    sure: bool = True
    """Whether it is certain that a superseded migration ran."""

    @property
    def recorded(self) -> bool:
        """Return True if it belongs in the ledger, so that it is not run again."""
        return self.kind in ("present", "superseded")


@dataclass(frozen=True, slots=True)
class Evidence:
    """The result of the search, with the names of the migrations."""

    versions: Sequence[str]
    live: State
    solution: Solution
    fallbacks: Mapping[int, Effect]
    """What a migration did in the replay of all, for one that fails in the solution."""
    errors: Mapping[int, str]
    """The error of a migration that failed in every trial."""
    forced: Mapping[int, bool]
    rows: Mapping[int, tuple[str, ...]]
    """The statements of a migration that change rows."""
    cut: bool = False
    """Whether some paths were left out."""

    @property
    def exact(self) -> bool:
        """Return True if the solution results in exactly the live schema."""
        return self.solution.states[-1] == self.live


def judge_all(known: Evidence) -> tuple[Verdict, ...]:
    """Return the verdict on each migration."""
    return tuple(_weigh(known, index) for index in range(len(known.versions)))


def list_unexplained(known: Evidence, empty: State) -> tuple[str, ...]:
    """Return the objects of the live schema that the solution does not create, or creates differently."""
    final = known.solution.states[-1]
    return tuple(str(key) for key, text in known.live.items() if final.get(key) != text and empty.get(key) != text)


def list_missing(known: Evidence) -> tuple[str, ...]:
    """Return the objects that the solution creates and the live schema does not have."""
    return tuple(str(key) for key in known.solution.states[-1] if key not in known.live)


def _weigh(known: Evidence, index: int) -> Verdict:
    version, solution = known.versions[index], known.solution
    choices, edge = solution.choices[index], solution.edges[index]
    if index in known.errors and not known.exact:
        return Verdict(version, "cannot tell", f"it fails on scratch: {known.errors[index]}")
    verdict = _weigh_applied(known, index, edge) if edge.applied else _weigh_absent(known, index, edge)
    if len(choices) == 1 or verdict.kind in ("partial", "superseded"):
        return verdict
    return _doubt(known, index, verdict)


def _doubt(known: Evidence, index: int, verdict: Verdict) -> Verdict:
    version, rows = known.versions[index], known.rows.get(index, ())
    if known.cut:
        reason = "too many combinations of these files lead to this schema; not all were tried"
    elif known.solution.effective[index]:
        look = f"; check the rows of {_name(rows)}" if rows else ""
        reason = f"the schema is the same with and without it{look}"
    elif rows:
        reason = f"it changes rows only; check these: {_name(rows)}"
    else:
        reason = "it creates nothing that does not exist without it"
    return Verdict(version, "cannot tell", reason, verdict.there, verdict.lacking)


def _weigh_applied(known: Evidence, index: int, edge: Edge) -> Verdict:
    version, effect = known.versions[index], edge.effect or {}
    survivors, undone = _divide(known, index, effect)
    if not effect:
        return Verdict(version, "present", _explain_without_effect(known, index))
    if not survivors:
        names = sorted({known.versions[later] for later in undone.values()})
        certain = all(known.solution.choices[later] == {True} for later in undone.values())
        sure = known.solution.choices[index] == {True}
        going_on = [key for key, text in effect.items() if text is not None and key in known.solution.states[-1]]
        if sure and going_on:
            return Verdict(version, "present", f"found, as changed by {_name(names)}: {_name(_fold(going_on))}", _list(going_on))
        if certain or sure:
            return Verdict(version, "superseded", f"its effect was undone or replaced by {_name(names)}", sure=sure)
        return Verdict(version, "cannot tell", f"its effect would have been undone or replaced by {_name(names)}")
    there = [key for key in survivors if known.live.get(key) == effect[key]]
    lacking = [key for key in survivors if known.live.get(key) != effect[key] and key.kind != COLUMN_ORDER]
    if lacking:
        return _make_partial(version, there, lacking)
    rest = "; the rest was changed by later files" if undone else ""
    return Verdict(version, "present", f"{_describe(there, effect)}{rest}", _list(there))


def _weigh_absent(known: Evidence, index: int, edge: Edge) -> Verdict:
    version = known.versions[index]
    if index in known.errors:
        return Verdict(version, "absent", f"the schema is explained without it, and it fails on scratch: {known.errors[index]}")
    effect = edge.effect if edge.effect is not None else known.fallbacks.get(index, {})
    final = known.solution.states[-1]
    # An object that only this migration explains is evidence for it, even if the rest of its effect is missing.
    there = [
        key
        for key, text in effect.items()
        if text is not None and key.kind != COLUMN_ORDER and known.live.get(key) == text and final.get(key) != text
    ]
    lacking = [key for key, text in effect.items() if known.live.get(key) != text and key.kind != COLUMN_ORDER]
    if there:
        return _make_partial(version, there, lacking)
    if not effect:
        return Verdict(version, "absent", _explain_without_effect(known, index))
    return Verdict(version, "absent", _describe_lack(lacking or list(effect), effect), lacking=_list(lacking))


def _make_partial(version: str, there: list[Key], lacking: list[Key]) -> Verdict:
    if not there:
        return Verdict(version, "partial", f"different from what it creates: {_name(_fold(lacking))}", lacking=_list(lacking))
    reason = f"found: {_name(_fold(there))}; missing or different: {_name(_fold(lacking))}"
    return Verdict(version, "partial", reason, _list(there), _list(lacking))


def _divide(known: Evidence, index: int, effect: Effect) -> tuple[list[Key], dict[Key, int]]:
    """Divide the effect of a migration into what is unchanged, and what later migrations changed."""
    survivors, undone = [], {}
    for key in effect:
        later = _find_change(known.solution, key, index + 1)
        if later is None:
            survivors.append(key)
        else:
            undone[key] = later
    return survivors, undone


def _find_change(solution: Solution, key: Key, start: int) -> int | None:
    for later in range(start, len(solution.edges)):
        if solution.states[later].get(key) != solution.states[later + 1].get(key):
            return later
    return None


def _explain_without_effect(known: Evidence, index: int) -> str:
    if index in known.forced:
        return "assumed: the schema has no evidence"
    return "what it needs is missing"


def _describe(keys: list[Key], effect: Effect) -> str:
    made = [key for key in keys if effect[key] is not None]
    gone = [key for key in keys if effect[key] is None]
    parts = [f"found: {_name(_fold(made))}"] if made else []
    return "; ".join([*parts, f"dropped: {_name(_fold(gone))}"] if gone else parts)


def _describe_lack(keys: list[Key], effect: Effect) -> str:
    made = [key for key in keys if effect[key] is not None]
    return f"missing or different: {_name(_fold(made))}" if made else f"still exists: {_name(_fold(keys))}"


def _name(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    rest = len(names) - _SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown


def _fold(keys: Sequence[Key]) -> tuple[str, ...]:
    """Return objects without the parts of one that is listed, and without column order if there is anything else."""
    owners = {key.name for key in keys if not key.parent and key.kind != COLUMN_ORDER}
    main = [key for key in keys if key.parent not in owners and key.kind != COLUMN_ORDER]
    return _list(main or keys)


def _list(keys: Sequence[Key]) -> tuple[str, ...]:
    """Return the names of objects, tables before their parts."""
    ranked = sorted(keys, key=lambda key: (key.kind == COLUMN_ORDER, bool(key.parent), key.kind != "table", key))
    return tuple(str(key) for key in ranked)
