"""The answers to the questions about renames: flags, or what is typed at a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tasks.catalog import Catalog, Key
from tasks.console.cells import clean
from tasks.rehearsal.sql_diff.recognition.explicit import RenameFlags, explain_flag, list_renameable, resolve_flags, show_new
from tasks.rehearsal.sql_diff.recognition.questions import find_questions
from tasks.rehearsal.sql_diff.recognition.silent import find_silent, find_silent_types
from tasks.rehearsal.sql_diff.renames import ObjectRename, Question, add_schemas, list_names
from tasks.rehearsal.sql_diff.shapes import parse_table
from tasks.runner.errors import RefusedError, RunnerError, UsageError

Ask = Callable[[Question], Key | bool | None]
"""Returns the new key of what a question is about, False if it was dropped, or None without an answer."""
Run = Callable[[Sequence[ObjectRename]], Catalog]
"""Returns the old schema after these renames."""
After = Catalog | Callable[[Catalog], Catalog]
"""The new schema, or a function that returns it for the old schema after renames."""
_RENAME = re.compile(r"""(?P<old>(?:[^"'=]|"[^"]*"|'[^']*')+)=(?P<new>(?:[^"'=]|"[^"]*"|'[^']*')+)""")
_STATE = "Nothing was written."


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of flags about renames: `renamed` by old name, and what was `dropped`; names as SQL."""

    renamed: Mapping[str, str] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()


def read_answers(renames: Sequence[str], drops: Sequence[str]) -> Answers:
    """Return the answers in the flags --rename OLD=NEW and --drop NAME. Raises UsageError."""
    renamed: dict[str, str] = {}
    for text in renames:
        match = _RENAME.fullmatch(text) or re.fullmatch(r"(?P<old>[^=]+)=(?P<new>.+)", text, re.DOTALL)
        old, new = (match[name].strip() for name in ("old", "new")) if match else ("", "")
        if not (old and new):
            raise UsageError(
                f"--rename {text} is not of the form OLD=NEW", hint="For a column: --rename TABLE.OLD=NEW", state=_STATE
            )
        if renamed.setdefault(old, new) != new:
            raise UsageError(f"--rename {old}={renamed[old]} and --rename {old}={new} contradict each other", state=_STATE)
        if old in drops:
            raise UsageError(f"{old} is both renamed and dropped", state=_STATE)
    return Answers(renamed, frozenset(drops))


@dataclass(frozen=True, slots=True)
class Renaming:
    """The renames from an old schema to a new one, and the old schema after them."""

    renames: tuple[ObjectRename, ...]
    renamed: Catalog

    def write(self) -> list[str]:
        """Return the statements that rename."""
        return [text for rename in self.renames for text in rename.write()]

    def write_back(self) -> list[str]:
        """Return the statements that rename back."""
        return [text for rename in reversed(self.renames) for text in rename.reverse().write()]


def settle_renames(before: Catalog, after: After, answers: Answers, run: Run, ask: Ask | None = None) -> Renaming:
    """Return the renames that are answered, and those without a question.

    An answer may lead to further questions: about the columns of a table with another name. `after` may depend on the renames:
    it is then a function, which is called again after them. Flags come first, and name any object. Raises RefusedError for a
    question without an answer, and UsageError for a flag that names nothing which was removed.
    """
    settling = _Settling(before, after if callable(after) else lambda _current: after, answers, run)
    while settling.make_explicit() or settling.make_silent(find_silent_types(settling.current, settling.target)):
        pass
    while questions := find_questions(settling.current, settling.target):
        chosen, missing = _answer(questions, settling, ask)
        if missing:
            settling.refuse_unknown(missing)
            raise _refuse(missing)
        if not chosen:
            break
        settling.make(chosen)
        while settling.make_explicit():
            pass
    settling.make_silent(find_silent(settling.current, settling.target))
    settling.refuse_unused()
    return Renaming(tuple(settling.renames), settling.current)


@dataclass(slots=True)
class _Settling:
    """The renames that are settled so far, and the old schema after them."""

    before: Catalog
    after: Callable[[Catalog], Catalog]
    answers: Answers
    run: Run
    renames: list[ObjectRename] = field(default_factory=list)
    dropped: set[Key] = field(default_factory=set)
    """What is dropped: nothing is asked about it again."""
    waiting: dict[str, str] = field(init=False)
    """The flags --rename that are not used yet."""
    current: Catalog = field(init=False)
    target: Catalog = field(init=False)

    def __post_init__(self) -> None:
        self.waiting = dict(self.answers.renamed)
        self.current, self.target = self.before, self.after(self.before)

    @property
    def flags(self) -> RenameFlags:
        """Return the flags that are not used yet, for names before and after the renames."""
        moved = {rename.new.name: rename.old.name for rename in self.renames if not rename.old.parent}
        return RenameFlags(self.waiting, self.answers.dropped, moved)

    def is_dropped(self, key: Key) -> bool:
        """Return True for what is dropped according to a flag or an answer."""
        return key in self.dropped or self.flags.drop(key)

    def make(self, renames: Sequence[ObjectRename]) -> None:
        """Add renames, and read the schema after them."""
        complete = [*self.renames, *add_schemas(renames, self.current)]
        _refuse_typed(renames, self.current)
        self.current = self.run(complete)
        self.renames = complete
        self.target = self.after(self.current)

    def make_explicit(self) -> bool:
        """Make the renames that flags name, as far as they can be made; return False if there are none."""
        resolved = resolve_flags(self.flags, self.current, self.target)
        if not resolved.renames:
            return False
        self.make(resolved.renames)
        self.dropped |= {*resolved.replaced}
        for flag in resolved.flags:
            del self.waiting[flag]
        return True

    def make_silent(self, renames: Sequence[ObjectRename]) -> bool:
        """Make renames that lose nothing, or return False."""
        wanted = [rename for rename in renames if not self.is_dropped(rename.old)]
        # Where the server refuses one, such as that of an inherited constraint, the objects are dropped and created.
        with suppress(RunnerError):
            if wanted:
                self.make(wanted)
                return True
        return False

    def refuse_wrong(self, lost: Key) -> None:
        """Raise UsageError for a flag that names a lost object and no new one."""
        for flag in self.waiting.keys() & self.flags.list_names(lost):
            raise explain_flag(flag, self.flags, self.current, self.target)

    def refuse_unknown(self, missing: Sequence[Question]) -> None:
        """Raise UsageError for a flag that names nothing, unless it may name a part of what is not known to be renamed."""
        if all(question.lost.parent for question in missing):
            self.refuse_unused()

    def refuse_unused(self) -> None:
        """Raise UsageError for a flag that names nothing which was removed."""
        left, flags = set(list_renameable(self.target)), self.flags
        gone = (key for schema in (self.before, self.current) for key in list_renameable(schema) if key not in left)
        unknown = self.answers.dropped - {name for key in (*gone, *self.dropped) for name in flags.list_names(key)}
        for flag in (*self.waiting, *sorted(unknown)):
            raise explain_flag(flag, flags, self.current, self.target)


def _refuse_typed(renames: Sequence[ObjectRename], current: Catalog) -> None:
    """Raise RefusedError for a column of a typed table: its name is that of the attribute, which other tables may have too."""
    for rename in renames:
        table = parse_table(current.objects.get(Key("table", rename.old.parent), ""))
        if rename.old.kind == "column" and table is not None and table.type is not None:
            old, new = rename.old, rename.new
            statement = f"ALTER TYPE {table.type} RENAME ATTRIBUTE {old.name} TO {new.name} CASCADE;"
            raise RefusedError(
                f"{clean(str(old))} is not renamed, because it has its name from the type {clean(table.type)}",
                hint=f"Write a migration by hand (inv db.new NAME), then run this command again:\n  {clean(statement)}",
                state=_STATE,
            )


def show_flags(question: Question) -> list[str]:
    """Return the flags that answer a question, each as it is pasted."""
    old = list_names(question.lost)[0]
    return [*(f"--rename '{old}={show_new(key)}'" for key in question.found), f"--drop '{old}'"]


def _answer(questions: Sequence[Question], settling: _Settling, ask: Ask | None) -> tuple[list[ObjectRename], list[Question]]:
    chosen: list[ObjectRename] = []
    missing: list[Question] = []
    for question in questions:
        settling.refuse_wrong(question.lost)
        free = tuple(key for key in question.found if key not in {rename.new for rename in chosen})
        if settling.is_dropped(question.lost) or not free:
            continue
        found = ask(Question(question.lost, free)) if ask is not None else None
        if found is None:
            missing.append(question)
        elif found is False:
            settling.dropped.add(question.lost)
        elif isinstance(found, Key):
            chosen.append(ObjectRename(question.lost, found))
    return chosen, missing


def _refuse(missing: Sequence[Question]) -> RefusedError:
    lines = [
        f"  {clean(str(question.lost))} is gone; it may be {' or '.join(clean(str(key)) for key in question.found)}"
        for question in missing
    ]
    flags = "\n".join("  " + "   or   ".join(show_flags(question)) for question in missing)
    return RefusedError(
        "it is not known whether these were renamed, or dropped with their rows:\n" + "\n".join(lines),
        hint=f"Run the command again with one of the flags for each:\n{flags}",
        state=_STATE,
    )
