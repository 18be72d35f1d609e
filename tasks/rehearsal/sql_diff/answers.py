"""The answers to the questions about renames: flags, or what is typed at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tasks.catalog import Catalog, Key
from tasks.rehearsal.sql_diff.names import last_part
from tasks.rehearsal.sql_diff.renames import LABEL, ObjectRename, Question, add_schemas, find_questions, find_silent, list_names
from tasks.runner.errors import RefusedError, RunnerError, UsageError

Ask = Callable[[Question], Key | bool | None]
"""Returns the new key of what a question is about, False if it was dropped, or None without an answer."""
Run = Callable[[Sequence[ObjectRename]], Catalog]
"""Returns the old schema after these renames."""
After = Catalog | Callable[[Catalog], Catalog]
"""The new schema, or a function that returns it for the old schema after renames."""
_STATE = "Nothing was written."


@dataclass(slots=True)
class Answers:
    """What is known about renames: `renamed` by old name, and what was `dropped`; names as SQL."""

    renamed: dict[str, str] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    def find(self, question: Question) -> Key | bool | None:
        """Return the new key, False for an object that was dropped, or None without an answer."""
        for name in list_names(question.lost):
            if name in self.dropped:
                self.used.add(name)
                return False
            if name in self.renamed:
                self.used.add(name)
                return _choose(question, self.renamed[name], name)
        return None


def read_answers(renames: Sequence[str], drops: Sequence[str]) -> Answers:
    """Return the answers in the flags --rename OLD=NEW and --drop NAME. Raises UsageError."""
    answers = Answers(dropped=set(drops))
    for text in renames:
        old, sign, new = text.partition("=")
        if not (old.strip() and sign and new.strip()):
            raise UsageError(
                f"--rename {text} is not of the form OLD=NEW", hint="For a column: --rename TABLE.OLD=NEW", state=_STATE
            )
        answers.renamed[old.strip()] = new.strip()
    return answers


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
    it is then a function, which is called again after them. Raises RefusedError for a question
    without an answer, and UsageError for an answer to no question.
    """
    renames: list[ObjectRename] = []
    current, dropped = before, set[Key]()
    while True:
        target = after(current) if callable(after) else after
        chosen, missing = _answer(find_questions(current, target, answers.renamed), answers, dropped, ask)
        if missing:
            raise _refuse(missing)
        if not chosen:
            break
        renames += add_schemas(chosen, current)
        current = run(renames)
    if silent := find_silent(current, target):
        # Where the server refuses one, such as that of an inherited constraint, the objects are dropped and created.
        with suppress(RunnerError):
            current = run([*renames, *silent])
            renames += silent
    gone = {name for key in (*before.objects, *current.objects) if key not in target.objects for name in list_names(key)}
    if unused := sorted({*answers.renamed, *(answers.dropped - gone)} - answers.used):
        raise UsageError(f"nothing with the name {unused[0]} was removed, so that it cannot be renamed or dropped", state=_STATE)
    return Renaming(tuple(renames), current)


def show_flags(question: Question) -> list[str]:
    """Return the flags that answer a question, each as it is pasted."""
    old = list_names(question.lost)[0]
    return [*(f"--rename '{old}={_show_new(key)}'" for key in question.found), f"--drop '{old}'"]


def _show_new(key: Key) -> str:
    names = list_names(key)
    return names[0] if not key.parent else names[0].removeprefix(f"{list_names(Key('', key.parent))[0]}.")


def _choose(question: Question, new: str, name: str) -> Key:
    for key in question.found:
        if new in {_show_new(key), key.name, *list_names(key), last_part(key.name) if key.kind != LABEL else new}:
            return key
    found = ", ".join(_show_new(key) for key in question.found)
    raise UsageError(f"{name} cannot be renamed to {new}: what was added instead is {found}", state=_STATE)


def _answer(
    questions: Sequence[Question], answers: Answers, dropped: set[Key], ask: Ask | None
) -> tuple[list[ObjectRename], list[Question]]:
    chosen: list[ObjectRename] = []
    missing: list[Question] = []
    # Those with an answer come first: what they are is no longer free for the others.
    for question in sorted(questions, key=lambda each: answers.find(each) is None):
        free = tuple(key for key in question.found if key not in {rename.new for rename in chosen})
        if question.lost in dropped or not free:
            continue
        found = answers.find(question)
        if found is None and ask is not None:
            found = ask(Question(question.lost, free))
        if found is None:
            missing.append(question)
        elif found is False:
            dropped.add(question.lost)
        elif isinstance(found, Key):
            chosen.append(ObjectRename(question.lost, found))
    return chosen, missing


def _refuse(missing: Sequence[Question]) -> RefusedError:
    lines = [f"  {question.lost} is gone; it may be {' or '.join(map(str, question.found))}" for question in missing]
    flags = "\n".join("  " + "   or   ".join(show_flags(question)) for question in missing)
    return RefusedError(
        "it is not known whether these were renamed, or dropped with their rows:\n" + "\n".join(lines),
        hint=f"Run the command again with one of the flags for each:\n{flags}",
        state=_STATE,
    )
